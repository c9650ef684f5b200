/**
 * Work of one plan shared between the members of a team.
 *
 * The caller runs the plan. Where a step is worth it, it opens a *section*: parts of the step that members take one
 * by one, the caller too, until there are none left. Nobody waits for a member that is asleep or was descheduled, except
 * for the part it holds. (The plan's own idea was every member running the whole plan with a barrier after each
 * step, where the slowest member to wake decides; taking parts needs no agreement on who is there.)
 *
 * Which member does a part never shows in the result: parts are cut where steps are parallel.
 */
import { mostCounters, mostParts, ticket, words } from "../team/words.ts";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";

/** A function `(lo, hi, …more)` over 0 ≤ i < extent, `part` at a time. */
export interface Section {
  readonly index: number;
  readonly extent: number;
  readonly part: number;
  readonly more: readonly number[];
  /** Globals that count the loops around it, the outermost first. */
  readonly counters: readonly number[];
}

/** How often the caller looks before it sleeps: some 20 µs. */
const looks = 4096;

export const maySection = (counters: readonly number[]): boolean => counters.length <= mostCounters;

export class Sections {
  readonly #sections: Section[] = [];
  readonly #join: number;
  readonly #ring: number;
  /** `(section, i)`: part i. */
  readonly #part: FunctionBuilder;
  /** `(whether a worker asks) → count`: takes parts while there are any. */
  readonly #take: FunctionBuilder;
  /** `(section, count)`: all of a section. */
  readonly #fork: FunctionBuilder;

  /** Before any other function of the module. */
  constructor(module: ModuleBuilder) {
    this.#join = module.import("join", ["i32"], []);
    this.#ring = module.import("ring", [], []);
    this.#part = module.define(["i32", "i32"], []);
    this.#take = module.define(["i32"], ["i32"]);
    this.#fork = module.define(["i32", "i32"], []);
    const serve = module.define([], []);
    module.export("serve", serve);
    this.#emitTake();
    this.#emitFork();
    this.#emitServe(serve);
  }

  get count(): number {
    return this.#sections.length;
  }

  /** Opens `section` and returns when all of it is done. */
  share(into: Code, section: Section): void {
    const parts = Math.ceil(section.extent / section.part);
    if (parts > mostParts) throw new RangeError(`${parts} parts`);
    for (const [depth, counter] of section.counters.entries()) {
      into
        .i32(0)
        .getGlobal(counter)
        .memory("i32.store", words.counters + 4 * depth);
    }
    into.i32(this.#sections.push(section) - 1).i32(parts);
    into.call(this.#fork.index);
  }

  /** When all sections are known. */
  finish(): void {
    const { code } = this.#part;
    const count = this.#sections.length;
    if (count === 0) return;
    const [section, i, hi] = [0, 1, this.#part.local("i32")];
    for (let s = 0; s < count; s++) code.block();
    code.get(section).brTable(count);
    for (const { index, extent, part, more, counters } of this.#sections) {
      code.end();
      for (const [depth, counter] of counters.entries()) {
        code
          .i32(0)
          .memory("i32.load", words.counters + 4 * depth)
          .setGlobal(counter);
      }
      code.get(i).i32(part).op("i32.mul").tee(i);
      code.get(i).i32(part).op("i32.add").tee(hi).i32(extent);
      code.get(hi).i32(extent).op("i32.lt_u").op("select");
      for (const argument of more) code.i32(argument);
      code.call(index).op("return");
    }
  }

  #emitTake(): void {
    const { code } = this.#take;
    const [isWorker, taken, count] = [0, this.#take.local("i32"), this.#take.local("i32")];
    const pushField = (shift: number): void => {
      code.get(taken);
      if (shift > 0) code.i32(shift).op("i32.shr_u");
      code.i32(ticket.mask).op("i32.and");
    };
    code.loop();
    code
      .i32(0)
      .i32(1 << ticket.back)
      .i32(1)
      .get(isWorker)
      .op("select");
    code.atomic("i32.atomic.rmw.add", words.ticket).set(taken);
    pushField(0);
    pushField(ticket.back);
    code.op("i32.add").get(taken).i32(ticket.parts).op("i32.shr_u").op("i32.lt_u").if();
    code.i32(0).atomic("i32.atomic.load", words.section);
    code.get(taken).i32(ticket.parts).op("i32.shr_u").i32(1).op("i32.sub");
    pushField(ticket.back);
    code.op("i32.sub");
    pushField(0);
    code.get(isWorker).op("select").call(this.#part.index);
    code.get(count).i32(1).op("i32.add").set(count).br(1).end();
    code.end().get(count);
  }

  #emitFork(): void {
    const { code } = this.#fork;
    const [section, count, left] = [0, 1, this.#fork.local("i32")];
    code.i32(0).get(section).atomic("i32.atomic.store", words.section);
    code.i32(0).i32(0).atomic("i32.atomic.store", words.done);
    // The first part is the caller's, so that it knows how long one takes.
    code.i32(0).get(count).i32(ticket.parts).op("i32.shl").i32(1).op("i32.or");
    code.atomic("i32.atomic.store", words.ticket);
    code.i32(0).atomic("i32.atomic.load", words.sleepers).if().call(this.#ring).end();
    code.get(section).i32(0).call(this.#part.index);
    code.get(count).i32(0).call(this.#take.index).i32(1).op("i32.add").op("i32.sub").set(left);
    code.i32(looks).set(section);
    code.block().loop();
    code.i32(0).atomic("i32.atomic.load", words.done).get(left).op("i32.eq").brIf(1);
    code.get(section).i32(1).op("i32.sub").tee(section).brIf(0);
    code.get(left).call(this.#join);
    code.end().end();
  }

  #emitServe(serve: FunctionBuilder): void {
    const { code } = serve;
    const count = serve.local("i32");
    code.i32(1).call(this.#take.index).tee(count).op("i32.eqz").if().op("return").end();
    code.i32(0).get(count).atomic("i32.atomic.rmw.add", words.done).op("drop");
    code.i32(0).atomic("i32.atomic.load", words.joining).if();
    code.i32(0).i32(1).atomic("memory.atomic.notify", words.done).op("drop").end();
  }
}
