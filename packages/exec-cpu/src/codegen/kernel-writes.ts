/** What a stage writes, one block of lanes at a time. */
import { storeElement, storeLane, storeLanes } from "./access.ts";
import { guardQuad, openRanges, pushGuard } from "./guards.ts";
import type { StageForm } from "./kernel-form.ts";
import { type Block, partsOf } from "./lanes.ts";
import { neighbouringWrites } from "./neighbours.ts";
import type { Address, Nest } from "./nest.ts";
import type { Program } from "./program.ts";
import { storeNeighbours } from "./shared-vectors.ts";

type Writes = StageForm["writes"];

export function emitWrites(
  nest: Nest,
  addresses: readonly Address[],
  program: Program,
  writes: Writes,
  block: Block,
): void {
  const addressOf = ({ buffer }: Writes[number]): Address => addresses[buffer] as Address;
  for (const group of neighbouringWrites(writes)) {
    const [first] = group as [Writes[number]];
    const isSingle = group.length === 1 || block.width === 1;
    if (!isSingle && writeTogether(nest, addressOf(first), program, group, block)) continue;
    for (const write of group) emitWrite(nest, addressOf(write), program, write, block);
  }
}

/** Stores neighbours as whole vectors; false where a block is cut short, or they lie otherwise. */
function writeTogether(
  nest: Nest,
  base: Address,
  program: Program,
  group: Writes,
  block: Block,
): boolean {
  // Lanes lie alike in all quads of a whole block, so that the first tells for the others.
  if (block.valid < block.width || block.lanes < 4) return false;
  return partsOf(block).every((part) => {
    const stores = group.map(({ index, value }) => {
      const push = program.vector(value, part);
      return { quad: program.quad(index, part), value: () => void push(nest.code) };
    });
    return storeNeighbours(nest, base, stores);
  });
}

function emitWrite(
  nest: Nest,
  base: Address,
  program: Program,
  write: Writes[number],
  block: Block,
): void {
  const open = openRanges(write.guard);
  if (open === undefined) return;
  if (block.width === 1) {
    const store = (): void => {
      storeElement(nest, write.dtype, base, write.index, () => {
        program.scalar(write.value)(nest.code);
      });
    };
    if (open.length === 0) {
      store();
      return;
    }
    pushGuard(nest, open);
    nest.code.if().append(nest.branch(store)).end();
    return;
  }
  for (const part of partsOf(block)) {
    const quad = program.quad(write.index, part);
    const value = program.vector(write.value, part);
    const whole = (): void => {
      storeLanes(nest, write.dtype, base, quad, () => value(nest.code));
    };
    if (open.length === 0) {
      whole();
      continue;
    }
    guardQuad(nest, program.quadGuard(open, part), whole, (lane) => {
      storeLane(nest, write.dtype, base, quad, lane, () => value(nest.code));
    });
  }
}
