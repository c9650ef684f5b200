/** Rules on the buffer table, the arena, ports and constants. */
import { itemSize } from "../dtype.ts";
import type { Plan, PlanBuffer, PlanPort } from "../plan.ts";
import { type Broken, forEachStep, pointsOf, type Rule } from "./walk.ts";

/** What a 64-bit memory could hold; executors with less say so when they prepare. */
const maxBytes = 2 ** 40;
const arenaAlignment = 256;

export const sizesAreBounded: Rule = {
  id: "V11",
  title: "sizes in bytes are exact and within 2^40",
  plan({ buffers, arenaBytes, inputs, outputs }, broken) {
    buffers.forEach(({ dtype, length }, i) => {
      if (length * itemSize(dtype) > maxBytes) {
        throw broken(`buffers[${i}]`, `${length} elements of ${dtype}`);
      }
    });
    if (arenaBytes > maxBytes) throw broken("arenaBytes", `${arenaBytes} bytes`);
    for (const { name, shape } of [...inputs, ...outputs]) {
      if (pointsOf(shape) > maxBytes) throw broken(`port ${name}`, `shape [${shape.join(", ")}]`);
    }
  },
};

export const bufferTable: Rule = {
  id: "V12",
  title: "buffers say where they live, constants exist, ports and buffers agree",
  plan(plan, broken) {
    if (plan.buffers.length > 65_536) throw broken("buffers", `${plan.buffers.length} buffers`);
    plan.buffers.forEach((buffer, i) => {
      const fault = placementFault(buffer, plan);
      if (fault !== undefined) throw broken(`buffers[${i}]`, fault);
    });
    checkPorts(plan, plan.inputs, "input", broken);
    checkPorts(plan, plan.outputs, "output", broken);
  },
};

function placementFault(buffer: PlanBuffer, { constants }: Plan): string | undefined {
  const { kind, offset, constant, dtype, length } = buffer;
  if ((offset !== undefined) !== (kind === "temporary")) return `${kind} with offset ${offset}`;
  if ((constant !== undefined) !== (kind === "constant")) return `${kind} of constant ${constant}`;
  if (constant === undefined) return undefined;
  const source = constants[constant];
  if (source === undefined) return `constant ${constant} of ${constants.length}`;
  if (source.dtype !== dtype || source.length !== length) {
    return `${length} ${dtype} of a constant with ${source.length} ${source.dtype}`;
  }
  return undefined;
}

function checkPorts(
  { buffers }: Plan,
  ports: readonly PlanPort[],
  kind: "input" | "output",
  broken: Broken,
): void {
  const names = new Set<string>();
  const taken = new Set<number>();
  ports.forEach(({ name, dtype, shape, buffer }, i) => {
    const path = `${kind}s[${i}]`;
    const behind = buffers[buffer];
    if (behind?.kind !== kind) throw broken(path, `buffer ${buffer} is of kind ${behind?.kind}`);
    if (behind.dtype !== dtype) throw broken(path, `${dtype} in a buffer of ${behind.dtype}`);
    if (pointsOf(shape) !== behind.length) {
      throw broken(path, `shape [${shape.join(", ")}] in a buffer of ${behind.length} elements`);
    }
    if (names.has(name)) throw broken(path, `the name "${name}" is taken`);
    if (taken.has(buffer)) throw broken(path, `buffer ${buffer} belongs to another port`);
    names.add(name);
    taken.add(buffer);
  });
  const orphan = buffers.findIndex((buffer, i) => buffer.kind === kind && !taken.has(i));
  if (orphan !== -1) throw broken(`buffers[${orphan}]`, `an ${kind} without a port`);
}

export const temporariesInArena: Rule = {
  id: "V13",
  title:
    "temporaries are aligned and lie inside the arena (that live ones do not overlap: not yet)",
  plan({ buffers, arenaBytes }, broken) {
    buffers.forEach(({ kind, offset, dtype, length }, i) => {
      if (kind !== "temporary") return;
      if (offset! % arenaAlignment !== 0) throw broken(`buffers[${i}]`, `offset ${offset}`);
      const end = offset! + length * itemSize(dtype);
      if (end > arenaBytes) throw broken(`buffers[${i}]`, `ends at ${end} of ${arenaBytes} bytes`);
    });
  },
};

export const constantsHaveTheirBytes: Rule = {
  id: "V20",
  title: "constants hold as many bytes as they say",
  plan({ constants }, broken) {
    constants.forEach(({ dtype, length, data }, i) => {
      if (!(data instanceof Uint8Array) || data.length !== length * itemSize(dtype)) {
        throw broken(`constants[${i}]`, `not the bytes of ${length} ${dtype}`);
      }
    });
  },
};

export const outputsAreWritten: Rule = {
  id: "V14",
  title:
    "every output is written by some step (that it is whole, and written before read: not yet)",
  plan(plan, broken) {
    const written = new Set<number>();
    forEachStep(plan, (step) => {
      switch (step.kind) {
        case "kernel":
          for (const stage of step.stages) for (const w of stage.writes) written.add(w.buffer);
          break;
        case "scatter":
          written.add(step.write.buffer);
          break;
        case "dot":
          written.add(step.out.buffer);
          break;
        case "copy":
          written.add(step.to);
          break;
        case "sort":
          for (const buffer of step.outputs) written.add(buffer);
          break;
        case "scan":
          written.add(step.output);
          break;
        case "topk":
          written.add(step.values).add(step.indices);
          break;
        default:
      }
    });
    plan.outputs.forEach(({ name, buffer, shape }, i) => {
      if (!written.has(buffer) && pointsOf(shape) > 0) {
        throw broken(`outputs[${i}]`, `no step writes "${name}"`);
      }
    });
  },
};
