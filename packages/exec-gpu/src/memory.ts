/**
 * Where every buffer of a plan lives on the device: packed into few large heaps.
 *
 * WebGPU guarantees only eight storage buffers a shader and forbids the same buffer as `read` and
 * `read_write` at once. So plan buffers are ranges of heaps, shaders add the offset, and what is only
 * read (constants, inputs) never shares a heap with what is written.
 */
import { CapabilityError, itemSize, type Plan, type PlanBuffer } from "@gridfuse/plan";

export interface Place {
  readonly heap: number;
  /** A multiple of 16. */
  readonly byteOffset: number;
}

export interface MemoryLayout {
  /** Bytes of every heap. */
  readonly heaps: readonly number[];
  /** By plan buffer. */
  readonly buffers: readonly Place[];
  /** One more heap, for the results of reductions between the dispatches of one kernel; sized later. */
  readonly scratchHeap: number;
}

export interface MemoryLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

const alignment = 16;

const bytesOf = (buffer: PlanBuffer): number => buffer.length * itemSize(buffer.dtype);

/** Room in the first heap from `first` on that has it, or in a new one. */
function allocate(
  name: string,
  bytes: number,
  capacity: number,
  heaps: number[],
  first: number,
): Place {
  const size = Math.ceil(Math.max(bytes, 1) / alignment) * alignment;
  requireCapacity(name, size, capacity);
  let heap = first;
  while (heap < heaps.length && (heaps[heap] as number) + size > capacity) heap++;
  const byteOffset = heaps[heap] ?? 0;
  heaps[heap] = byteOffset + size;
  return { heap, byteOffset };
}

/** @throws CapabilityError GF5203 */
export function requireCapacity(name: string, bytes: number, capacity: number): void {
  if (bytes <= capacity) return;
  throw new CapabilityError("GF5203", `${name} takes ${bytes} bytes`, {
    expected: `at most ${capacity} bytes in one storage buffer of this device`,
    received: bytes,
    help: "Request the device with a higher maxStorageBufferBindingSize and maxBufferSize.",
  });
}

/** @throws CapabilityError GF5203 where one buffer, or the arena, is larger than the device allows. */
export function layoutMemory(plan: Plan, limits: MemoryLimits): MemoryLayout {
  const { maxBufferSize, maxStorageBufferBindingSize } = limits;
  const capacity = Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / 16) * 16;
  const heaps: number[] = [];
  const places = new Map<PlanBuffer, Place>();
  const pack = (buffers: readonly PlanBuffer[], first: number): void => {
    for (const buffer of buffers) {
      const name = `${buffer.kind} buffer ${plan.buffers.indexOf(buffer)}`;
      places.set(buffer, allocate(name, bytesOf(buffer), capacity, heaps, first));
    }
  };
  pack(
    plan.buffers.filter(({ kind }) => kind === "constant" || kind === "input"),
    0,
  );

  const arena = allocate("the arena", plan.arenaBytes, capacity, heaps, heaps.length);
  for (const buffer of plan.buffers) {
    if (buffer.kind !== "temporary") continue;
    const byteOffset = arena.byteOffset + (buffer.offset ?? 0);
    places.set(buffer, { heap: arena.heap, byteOffset });
  }
  pack(
    plan.buffers.filter(({ kind }) => kind === "output"),
    arena.heap,
  );
  const buffers = plan.buffers.map((buffer) => places.get(buffer) as Place);
  return { heaps, buffers, scratchHeap: heaps.length };
}
