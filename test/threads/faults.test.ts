/** Workers that end, trap, hang or do not start: an error that says so, soon, and then a run as any other. */
import { compile } from "@gridfuse/passes";
import type { StorageArray } from "@gridfuse/plan";
import { type CpuExecutable, cpu, f32, graph, tensor } from "gridfuse";
import { afterEach, expect, it, vi } from "vitest";
import { generateShared } from "../../packages/exec-cpu/src/codegen/generate.ts";
import type { Engine } from "../../packages/exec-cpu/src/engine.ts";
import { handleOf, type Spawn } from "../../packages/exec-cpu/src/team/hosts.ts";
import { Team } from "../../packages/exec-cpu/src/team/team.ts";
import { states, words } from "../../packages/exec-cpu/src/team/words.ts";
import { ModuleBuilder } from "../../packages/exec-cpu/src/wasm/module.ts";
import { startProgramSync } from "../../packages/exec-cpu/src/wasm-engine.ts";
import type { WasmProgram } from "../../packages/exec-cpu/src/wasm-program.ts";

const threads = process.getBuiltinModule("node:worker_threads");
type NodeWorker = InstanceType<typeof threads.Worker>;

const length = 1 << 18;
const plan = compile(
  graph({ x: tensor(f32, [length]) }, ({ x }) => ({ y: x.sin().mul(x.cos()).exp() })),
);
const x = new Float32Array(length).map((_, i) => Math.sin(i) * 10);
const expected = await (await (await cpu()).prepare(plan)).run({ x });

/** Without looking at each element, which would take longer than all the rest. */
function expectRight({ y }: Readonly<Record<string, StorageArray>>): void {
  expect(Buffer.compare(new Uint8Array(y!.buffer), new Uint8Array(expected.y!.buffer))).toBe(0);
}

/** Workers that were started while a test ran. */
const started: NodeWorker[] = [];
const { Worker } = threads;
function workersAre(kind: typeof Worker): void {
  (threads as { Worker: typeof Worker }).Worker = kind;
}
class Watched extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    started.push(this);
  }
}
afterEach(async () => {
  workersAre(Worker);
  for (const worker of started.splice(0)) await worker.terminate();
});

const rest = (ms = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs until a worker has done a part. */
async function runUntilHelped(executable: CpuExecutable): Promise<void> {
  const memory = new Int32Array(executable.tensor("x").buffer, 0, 256);
  for (let round = 0; round < 2000; round++) {
    expectRight(await executable.run({ x }));
    if ((memory[words.done / 4] as number) > 0) return;
    await rest();
  }
  throw new Error("no worker ever did a part");
}

/** Milliseconds after which a run would count as hanging, on machines that do other things as well. */
const calm = 10_000;

/** What the next runs throw until one succeeds. */
async function faultsOf(run: () => unknown): Promise<readonly unknown[]> {
  const faults: unknown[] = [];
  for (let round = 0; round < 200; round++) {
    const start = performance.now();
    try {
      await run();
      if (faults.length > 0) return faults;
    } catch (error) {
      faults.push((error as { code?: string }).code ?? error);
    }
    expect(performance.now() - start).toBeLessThan(calm);
    await rest(20);
  }
  return faults;
}

it("workers are started after the first run and end with the last executable", async () => {
  workersAre(Watched);
  const executor = await cpu({ threads: 3 });
  const executables = [await executor.prepare(plan), await executor.prepare(plan)] as const;
  expect(started).toHaveLength(0);
  for (const executable of executables) await runUntilHelped(executable);
  expect(started).toHaveLength(2);
  expect(executables[0].report()).toMatchObject({ threads: 3, notes: [] });
  const ends = started.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  executables[0].dispose();
  await runUntilHelped(executables[1]);
  executables[1].dispose();
  await Promise.all(ends);
});

it("a worker that was ended between runs is missed once and replaced", async () => {
  workersAre(Watched);
  const executable = await (await cpu({ threads: 2 })).prepare(plan);
  await runUntilHelped(executable);
  await started[0]?.terminate();
  expect(await faultsOf(() => executable.run({ x }))).toEqual(["GF5012"]);
  expect(executable.state).toBe("ready");
  await runUntilHelped(executable);
  expect(started).toHaveLength(2);
  executable.dispose();
});

/** A worker that takes a part and then does as `source` says. */
const faulty =
  (source: string): Spawn =>
  (workerData, onEnd) => {
    const text = `
      const { parentPort, workerData: { control: buffer, member, at } } = process.getBuiltinModule("node:worker_threads");
      const control = new Int32Array(buffer);
      parentPort.on("message", ({ memory }) => {
        const words = new Int32Array(memory.buffer);
        Atomics.store(control, at.state + member, ${states.waiting});
        const { back, parts, mask } = at.ticketBits;
        const isOpen = (ticket) => (ticket & mask) + ((ticket >>> back) & mask) < ticket >>> parts;
        const take = () => Atomics.add(words, at.ticket, 1 << back);
        while (!isOpen(Atomics.load(words, at.ticket)) || !isOpen(take()));
        Atomics.store(control, at.state + member, ${states.working});
        ${source}
      });`;
    const worker = new Worker(text, { eval: true, execArgv: [], workerData });
    started.push(worker);
    worker.unref();
    worker.on("error", onEnd);
    worker.on("exit", onEnd);
    return handleOf(worker);
  };

const start = (spawn: Spawn, change: Partial<WasmProgram> = {}): Engine => {
  const program = { ...generateShared(plan, 2), ...change };
  return startProgramSync(program, {}, Team.of(2, spawn) as Team);
};

it.each([
  ["ends", "process.exit(0);"],
  ["throws", "throw new Error('no');"],
  ["hangs", "for (;;);"],
  ["sleeps", "Atomics.wait(control, 7, 0);"],
])("a worker that %s during its part", { timeout: 20_000 }, async (_, source) => {
  const spawn = vi.fn(faulty(source));
  const engine = start(spawn);
  const faults = await faultsOf(() => {
    // The worker that comes next would do the same.
    if (spawn.mock.calls.length < 2) expectRight({ y: engine.run([x], [])[0] as StorageArray });
  });
  expect(faults).toEqual(["GF5012"]);
  engine.dispose?.();
});

it("a thread that is gone is missed before its part would be given up", async () => {
  const source = "Atomics.wait(control, 7, 0, 300); process.exit(0);";
  // Node tells only of workers that it has heard from.
  const engine = start((data, onEnd) => {
    const handle = faulty(source)(data, onEnd);
    const isOnline = new Promise((resolve) => started.at(-1)?.once("online", resolve));
    return { ...handle, send: (mail) => void isOnline.then(() => handle.send(mail)) };
  });
  let said: unknown;
  for (let round = 0; round < 200 && said === undefined; round++) {
    try {
      engine.run([x], []);
    } catch (error) {
      said = (error as Error).message;
    }
    await rest(20);
  }
  expect(said).toContain("its thread ended within its part");
  engine.dispose?.();
});

it("a trap in a worker is a bug of ours", async () => {
  const module = new ModuleBuilder();
  const serve = module.define([], []);
  serve.code.i32(0).i32(1).atomic("i32.atomic.rmw.add", words.ticket).op("unreachable");
  module.export("serve", serve);
  const program = generateShared(plan, 2);
  const code = module.encode(program.pages, true);
  const engine = startProgramSync({ ...program, codeOf: () => code }, {}, Team.of(2) as Team);
  expect(
    await faultsOf(() => {
      try {
        engine.run([x], []);
      } catch (error) {
        // The executable would be poisoned now; here the engine is asked again.
        engine.dispose?.();
        throw error;
      }
    }),
  ).toContain("GF9304");
});

it("workers that cannot be started are missed twice, then done without", async () => {
  const refusal = (): never => {
    throw new Error("no threads left");
  };
  class Refused extends Worker {
    constructor() {
      super(refusal());
    }
  }
  workersAre(Refused);
  const executable = await (await cpu({ threads: 2 })).prepare(plan);
  expectRight(await executable.run({ x }));
  for (const _ of [1, 2]) {
    expect(await faultsOf(() => executable.run({ x }))).toEqual(["GF5011"]);
  }
  for (let i = 0; i < 3; i++) expectRight(executable.runSync({ x }));
  expect(executable.report()).toMatchObject({
    threads: 1,
    notes: ["1 of 2 threads could not be started"],
  });
});

it("workers whose script is refused are no different", async () => {
  vi.spyOn(threads, "Worker").mockImplementation(
    () => new Worker("throw new Error('no')", { eval: true }),
  );
  const executable = await (await cpu({ threads: 2 })).prepare(plan);
  for (const _ of [1, 2]) {
    expect(await faultsOf(() => executable.run({ x }))).toEqual(["GF5011"]);
  }
  expectRight(await executable.run({ x }));
});

it("one thread says why", async () => {
  const small = compile(graph({ x: tensor(f32, [4]) }, ({ x }) => ({ y: x.mul(2) })));
  const notes = async (backend: "auto" | "js"): Promise<readonly string[]> =>
    (await (await cpu({ threads: 2, backend })).prepare(small)).report().notes;
  expect(await notes("auto")).toEqual(["one thread: no step is worth sharing"]);
  expect(await notes("js")).toEqual(["one thread: the js backend has no others"]);
  vi.stubGlobal("SharedArrayBuffer", undefined);
  try {
    expect((await (await cpu({ threads: 2 })).prepare(plan)).report()).toMatchObject({
      threads: 1,
      notes: ["one thread: memory can be shared only by pages that are cross-origin isolated"],
    });
  } finally {
    vi.unstubAllGlobals();
  }
});
