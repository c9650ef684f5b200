/**
 * What the engine does while JAX still traces: it takes recorded programs through everything that a program goes through.
 * A compiler is slow until V8 has compiled it, and that takes V8 longer than most programs take; here it does so
 * in time that nobody waits for. Each piece of it is short, so that a request finds the engine free soon.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { compileNative, cpuSync } from "@gridfuse/exec-cpu";
import { importProgram } from "@gridfuse/jaxpr";
import { compile } from "@gridfuse/passes";
import { decodePlan, type StorageArray } from "@gridfuse/plan";
import { encodePlan } from "@gridfuse/plan/encode";

/** Milliseconds of work after which more of it gains little. */
const ENOUGH = 1500;

interface Recorded {
  /** Names of programs, any number of times. */
  readonly order: readonly string[];
  /** In base64. */
  readonly programs: Readonly<Record<string, string>>;
}

export class WarmUp {
  /** How many it has gone through. */
  programs = 0;
  readonly #pieces: AsyncGenerator<void, void>;
  #left: number;

  /** @param path the recorded programs, as JSON */
  constructor(path: string) {
    // On a single core it would take its time from JAX; where every plan is kept, the client says "off" as well.
    const isOff = process.env.GRIDFUSE_WARM_UP === "off" || availableParallelism() < 2;
    this.#left = isOff ? 0 : ENOUGH;
    this.#pieces = this.#all(path);
  }

  get goesOn(): boolean {
    return this.#left > 0;
  }

  /** Goes on until something `arrived`, or there has been enough of it. */
  async until(arrived: Promise<void>): Promise<void> {
    let isHere = false;
    const arrival = arrived.then(() => {
      isHere = true;
    });
    while (this.#left > 0 && !isHere) {
      const started = performance.now();
      try {
        await this.#pieces.next();
      } catch (error) {
        // No request failed.
        console.error("gridfuse's engine could not warm up:", error);
        this.end();
      }
      this.#left -= performance.now() - started;
      await new Promise(setImmediate);
    }
    await arrival;
  }

  /** From now on the programs of the client do as well. */
  end(): void {
    this.#left = 0;
  }

  /** The recorded programs in their order, again and again, a stage at a time. */
  async *#all(path: string): AsyncGenerator<void, void> {
    const { order, programs } = JSON.parse(readFileSync(path, "latin1")) as Recorded;
    const recorded = order.map((name) =>
      Uint8Array.from(Buffer.from(programs[name] as string, "base64")),
    );
    const executor = cpuSync({ precision: "fast", threads: 1 });
    const onPrint = (): void => {};
    yield;
    for (;;) {
      for (const bytes of recorded) {
        const program = importProgram(bytes);
        yield;
        const plan = compile(program);
        yield;
        const native = [await compileNative(plan, { precision: "fast" })];
        yield;
        const kept = decodePlan(encodePlan(plan, { debug: false, native }), { trust: "unsafe" });
        yield;
        const executable = executor.prepareSync(kept, { onPrint });
        const arrays = (ports: typeof plan.inputs): Record<string, StorageArray> =>
          Object.fromEntries(ports.map(({ name }) => [name, executable.tensor(name)]));
        executable.runSync(arrays(plan.inputs), { out: arrays(plan.outputs) });
        executable.dispose();
        this.programs += 1;
        yield;
      }
    }
  }
}
