/**
 * Where everything lies in the one memory of an executable: constants, inputs, outputs, the arena of
 * temporaries, scratch space of library steps. Every buffer starts at a multiple of 256 bytes and has 16
 * bytes to spare behind it, so that a vector may be read where only some of its lanes are wanted.
 */
import { itemSize, OutOfMemoryError, type Plan, type PlanBuffer } from "@gridfuse/plan";
import type { Hosted } from "./hosted-engine.ts";

export interface MemoryLayout {
  /** Byte address of each buffer. */
  readonly addresses: readonly number[];
  /** Byte address of the scratch space. */
  readonly scratch: number;
  /** Byte address of the scratch space that members of a team have in common. */
  readonly shared: number;
  /** What stands for it while each member does whole steps by itself. */
  readonly unshared: number;
  readonly bytes: number;
}

/** A member of a team and what it has to itself: scratch space, and temporaries that belong to one tile. */
export interface MemberLayout {
  readonly members: number;
  /** 0 is the caller, whose temporaries are in the arena. */
  readonly member: number;
  readonly locals: { readonly offsets: ReadonlyMap<number, number>; readonly bytes: number };
}

export interface ScratchBytes {
  readonly scratch: number;
  readonly shared: number;
}

export const alignment = 256;
export const slack = 16;
/** What 32-bit addresses reach. */
export const addressable: number = 2 ** 32;

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/**
 * @throws OutOfMemoryError GF5001 where the plan needs more than `most` bytes
 */
export function layoutOf(
  plan: Plan,
  { scratch: scratchBytes, shared: sharedBytes }: ScratchBytes,
  most: number = addressable,
  team?: MemberLayout,
): MemoryLayout {
  const limit = Math.min(most, addressable);
  const addresses: number[] = new Array(plan.buffers.length).fill(0);
  let end = alignment;
  const place = (bytes: number): number => {
    const at = end;
    end = aligned(at + bytes + slack);
    return at;
  };
  const shared = new Map<number, number>();
  for (const [i, buffer] of plan.buffers.entries()) {
    if (buffer.kind === "temporary") continue;
    const known = buffer.constant === undefined ? undefined : shared.get(buffer.constant);
    addresses[i] = known ?? place(buffer.length * itemSize(buffer.dtype));
    if (buffer.constant !== undefined) shared.set(buffer.constant, addresses[i] as number);
  }
  const arena = place(plan.arenaBytes);
  for (const [i, { kind, offset }] of plan.buffers.entries()) {
    if (kind === "temporary") addresses[i] = arena + (offset ?? 0);
  }
  const common = sharedBytes > 0 ? place(sharedBytes) : end;
  let scratch = place(scratchBytes);
  let unshared = common;
  for (let member = 1; member < (team?.members ?? 1); member++) {
    const [own, locals] = [place(scratchBytes), place(team?.locals.bytes ?? 0)];
    const alone = place(sharedBytes);
    if (member !== team?.member) continue;
    [scratch, unshared] = [own, alone];
    for (const [buffer, offset] of team.locals.offsets) addresses[buffer] = locals + offset;
  }
  // Vector reads may reach a few lanes past the last buffer.
  end += alignment;
  if (end > limit) {
    const count = (bytes: number): string => `${bytes} bytes (${(bytes / 2 ** 20).toFixed(1)} MiB)`;
    throw new OutOfMemoryError(
      "GF5001",
      `plan "${plan.name}" needs ${count(end)} of memory, more than the ${count(limit)} there may be`,
      {
        expected: limit,
        received: end,
        notes: [`${count(plan.arenaBytes)} of it are temporaries, ${scratchBytes} bytes scratch`],
        help:
          limit < addressable
            ? "Raise maxBytes, or run smaller batches."
            : "Run smaller batches: a WebAssembly memory ends at 4 GiB.",
      },
    );
  }
  return { addresses, scratch, shared: common, unshared, bytes: end };
}

/** A plan whose buffers lie at `addresses`. */
export const hostedPlan = (plan: Plan, addresses: readonly number[]): Hosted => ({
  name: plan.name,
  inputs: plan.inputs,
  outputs: plan.outputs,
  place: (buffer) => {
    const { dtype, length } = plan.buffers[buffer] as PlanBuffer;
    return { dtype, length, address: addresses[buffer] as number };
  },
});
