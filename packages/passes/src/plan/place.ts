/**
 * place: liveness → offsets in one arena.
 *
 * Steps are numbered in the order of the plan's text. A temporary lives from its first to its last
 * mention; if it lives across the start of a loop, it lives through all of it. Offsets: largest
 * first, each at the lowest gap that is free for its whole life (greedy by size, as in TFLite's and
 * IREE's planners).
 */
import type { PlanBuffer, Step } from "@gridfuse/plan";
import { itemSize } from "@gridfuse/plan/scalar";
import { accessesOf } from "./accesses.ts";
import { hasTemporaries } from "./temporaries.ts";

const alignment = 256;
const alignUp = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

interface Life {
  readonly buffer: number;
  first: number;
  last: number;
  /** The first mention is a read: it carries something over from the iteration before. */
  readFirst: boolean;
}

export interface Placement {
  readonly buffers: readonly PlanBuffer[];
  readonly arenaBytes: number;
  /** Most bytes alive at once. */
  readonly peakBytes: number;
}

interface Placed {
  readonly life: Life;
  readonly offset: number;
  readonly end: number;
  /** The last question that it was found by. */
  asked: number;
}

/** What was placed, by spans of time: most temporaries live for a few steps of a long program. */
class Timeline {
  static readonly #span = 64;
  readonly #placed: Placed[][] = [];
  #questions = 0;

  add(placed: Placed): void {
    const end = Math.floor(placed.life.last / Timeline.#span);
    while (this.#placed.length <= end) this.#placed.push([]);
    for (let span = Math.floor(placed.life.first / Timeline.#span); span <= end; span += 1) {
      this.#placed[span]?.push(placed);
    }
  }

  /** What lives at some time from `first` to `last`. */
  during({ first, last }: Life): Placed[] {
    const found: Placed[] = [];
    this.#questions += 1;
    const end = Math.floor(last / Timeline.#span);
    for (let span = Math.floor(first / Timeline.#span); span <= end; span += 1) {
      const list = this.#placed[span] ?? [];
      for (let i = 0; i < list.length; i += 1) {
        const placed = list[i] as Placed;
        if (placed.asked === this.#questions) continue;
        if (placed.life.first > last || placed.life.last < first) continue;
        placed.asked = this.#questions;
        found.push(placed);
      }
    }
    return found;
  }
}

export const placeBuffers = (steps: readonly Step[], buffers: readonly PlanBuffer[]): Placement =>
  hasTemporaries(buffers)
    ? placeTemporaries(steps, buffers)
    : { buffers, arenaBytes: 0, peakBytes: 0 };

function placeTemporaries(steps: readonly Step[], buffers: readonly PlanBuffer[]): Placement {
  const lives = [...findLives(steps, buffers).values()];
  const sizes = new Float64Array(buffers.length);
  for (const { buffer } of lives) {
    const { dtype, length } = buffers[buffer] as PlanBuffer;
    sizes[buffer] = Math.max(alignUp(length * itemSize(dtype)), alignment);
  }
  const sizeOf = ({ buffer }: Life): number => sizes[buffer] as number;
  const placed = new Timeline();
  let arenaBytes = 0;
  const offsets = new Map<number, number>();
  for (const life of [...lives].sort((p, q) => sizeOf(q) - sizeOf(p) || p.buffer - q.buffer)) {
    const size = sizeOf(life);
    const rivals = placed.during(life).sort((p, q) => p.offset - q.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (offset + size <= rival.offset) break;
      offset = Math.max(offset, rival.end);
    }
    placed.add({ life, offset, end: offset + size, asked: 0 });
    offsets.set(life.buffer, offset);
    arenaBytes = Math.max(arenaBytes, offset + size);
  }
  return {
    buffers: buffers.map((buffer, id) =>
      buffer.kind === "temporary" ? { ...buffer, offset: offsets.get(id) ?? 0 } : buffer,
    ),
    arenaBytes,
    get peakBytes() {
      return peakOf(lives, sizeOf);
    },
  };
}

/** Most bytes of temporaries alive at once, without placing them. */
export function peakBytesOf(
  steps: readonly Step[],
  buffers: readonly PlanBuffer[],
  bytesOf: (buffer: number) => number,
): number {
  return peakOf([...findLives(steps, buffers).values()], ({ buffer }) => bytesOf(buffer));
}

function peakOf(lives: readonly Life[], sizeOf: (life: Life) => number): number {
  const changes: { at: number; bytes: number }[] = [];
  for (const life of lives) {
    changes.push({ at: life.first, bytes: sizeOf(life) });
    changes.push({ at: life.last + 1, bytes: -sizeOf(life) });
  }
  changes.sort((p, q) => p.at - q.at || p.bytes - q.bytes);
  let now = 0;
  let peak = 0;
  for (const { bytes } of changes) {
    now += bytes;
    peak = Math.max(peak, now);
  }
  return peak;
}

function findLives(steps: readonly Step[], buffers: readonly PlanBuffer[]): Map<number, Life> {
  const lives = new Map<number, Life>();
  let time = 0;
  const mention = (buffer: number, read: boolean): void => {
    if (buffers[buffer]?.kind !== "temporary") return;
    const life = lives.get(buffer);
    if (life === undefined) {
      lives.set(buffer, { buffer, first: time, last: time, readFirst: read });
    } else {
      life.last = time;
    }
  };
  const loops: { start: number; end: number }[] = [];
  const repeated = (visit: () => void): void => {
    const start = time + 1;
    visit();
    time += 1;
    loops.push({ start, end: time });
  };
  const walk = (list: readonly Step[]): void => {
    for (const step of list) {
      time += 1;
      switch (step.kind) {
        case "loop":
        case "tile":
          repeated(() => walk(step.body));
          break;
        case "while":
          repeated(() => {
            walk(step.condition);
            time += 1;
            mention(step.predicate, true);
            walk(step.body);
          });
          break;
        case "branch":
          mention(step.selector, true);
          for (const branch of step.branches) walk(branch);
          // Results that only some branches write must not be reused by another branch in between.
          time += 1;
          for (const buffer of accessesOf(step).writes) mention(buffer, false);
          break;
        default: {
          const { reads, writes } = accessesOf(step);
          for (const buffer of reads) mention(buffer, true);
          for (const buffer of writes) mention(buffer, false);
        }
      }
    }
  };
  walk(steps);
  for (const { start, end } of loops) {
    for (const life of lives.values()) {
      const oneIteration = life.first >= start && life.last <= end && !life.readFirst;
      if (oneIteration || life.first > end || life.last < start) continue;
      life.first = Math.min(life.first, start);
      life.last = Math.max(life.last, end);
    }
  }
  return lives;
}
