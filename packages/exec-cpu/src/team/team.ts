/**
 * The threads of an executor. Workers are started when a plan is run a second time, or between runs, and never waited for:
 * until they are there the caller does all parts by itself.
 *
 * A worker that ends is an error of the run that misses it, or of the next one; then there is another in its place. Where
 * a host does not tell that a thread is gone, a part that takes a multiple of what the run has taken is given up.
 */
import { CapabilityError, InternalError, WorkerCrashedError } from "@gridfuse/plan/executor";
import type { Crew, CrewSource } from "../engine.ts";
import type { WasmProgram } from "../wasm-program.ts";
import { findSpawn, maySleep, type Spawn, type WorkerHandle } from "./hosts.ts";
import type { Mail, Places } from "./member.ts";
import { control, states, ticket, words } from "./words.ts";

/** Milliseconds between looks at whether those are well that the caller waits for. */
const checkEvery = 20;
/** A part of somebody else may take so many milliseconds, or so many times what the run has taken so far. */
const patience = 1000;
const slowness = 3;
/** What was stopped is gone after so many milliseconds (it takes 2): until then it may write. */
const lastGasp = 50;
/** Workers that end without ever having waited for work are not started a third time. */
const mostFailures = 2;

const at: Places = {
  ticket: words.ticket / 4,
  sleepers: words.sleepers / 4,
  program: control.program,
  bell: control.bell,
  trapped: control.trapped,
  mail: control.mail,
  state: control.state,
  ticketBits: ticket,
  waiting: states.waiting,
  working: states.working,
};

interface Shared {
  readonly program: WasmProgram;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

interface Slot {
  readonly member: number;
  worker: WorkerHandle | undefined;
  failures: number;
}

export class Team implements CrewSource {
  readonly #spawn: Spawn;
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * control.length));
  readonly #slots: readonly Slot[];
  readonly #shared = new Map<number, Shared>();
  readonly #maySleep = maySleep();
  /** Plans whose executables nobody disposed of and nobody has any more. */
  readonly #dropped = new FinalizationRegistry<number>((id) => this.#forget(id));
  #nextId = 1;
  #fault: CapabilityError | WorkerCrashedError | undefined;

  /** A team of `members` threads, the caller included, or why there can be none. */
  static of(members: number, spawn: Spawn | string = findSpawn()): Team | string {
    return typeof spawn === "string" ? spawn : new Team(members, spawn);
  }

  private constructor(members: number, spawn: Spawn) {
    this.#spawn = spawn;
    this.#slots = Array.from({ length: members - 1 }, (_, i) => ({
      member: 1 + i,
      worker: undefined,
      failures: 0,
    }));
  }

  crew(program: WasmProgram, module: WebAssembly.Module, memory: WebAssembly.Memory): Crew {
    const id = this.#nextId++;
    const shared = { program, module, memory };
    const state = new Int32Array(memory.buffer);
    let [runs, began] = [0, 0];
    let isDisposed = false;
    const crew: Crew = {
      imports: {
        join: (left) => this.#join(state, left, began),
        ring: () => this.#ring(),
      },
      report: this.#report(),
      begin: () => {
        this.#throwFault();
        if (runs++ > 0) this.#start(id, shared);
        if (Atomics.exchange(this.#control, control.program, id) !== id) this.#ring();
        began = performance.now();
      },
      end: () => {
        if (runs === 1) later(() => runs > 1 || isDisposed || this.#start(id, shared));
      },
      recover: () => this.#quieten(state),
      dispose: () => {
        isDisposed = true;
        this.#forget(id);
      },
    };
    this.#dropped.register(crew, id);
    return crew;
  }

  /** A record whose members say what is so when they are read. */
  #report(): Crew["report"] {
    const slots = this.#slots;
    return {
      get threads() {
        return 1 + slots.filter(({ failures }) => failures < mostFailures).length;
      },
      get notes() {
        const lost = slots.filter(({ failures }) => failures >= mostFailures).length;
        return lost === 0 ? [] : [`${lost} of ${slots.length + 1} threads could not be started`];
      },
    };
  }

  // ── Workers ───────────────────────────────────────────────────────────────────────────────

  /** Makes sure that there are workers and that they know the plan. */
  #start(id: number, shared: Shared): void {
    const isNew = !this.#shared.has(id);
    this.#shared.set(id, shared);
    for (const slot of this.#slots) {
      if (slot.worker === undefined) this.#spawnInto(slot);
      else if (isNew) this.#send(slot, id, shared);
    }
    if (isNew) this.#ring();
  }

  #spawnInto(slot: Slot): void {
    if (slot.failures >= mostFailures) return;
    Atomics.store(this.#control, control.state + slot.member, states.starting);
    Atomics.store(this.#control, control.mail + slot.member, 0);
    try {
      const worker = this.#spawn(
        { member: slot.member, control: this.#control.buffer, at },
        (cause) => this.#ended(slot, worker, cause),
      );
      slot.worker = worker;
    } catch (cause) {
      this.#failed(slot, cause);
      return;
    }
    for (const [id, shared] of this.#shared) this.#send(slot, id, shared);
  }

  #send(slot: Slot, id: number, { program, module, memory }: Shared): void {
    const code = program.codeOf?.(slot.member);
    this.#post(slot, { id, memory, module: code ?? module });
  }

  #post({ member, worker }: Slot, mail: Mail): void {
    worker?.send(mail);
    Atomics.add(this.#control, control.mail + member, 1);
  }

  #forget(id: number): void {
    if (!this.#shared.delete(id)) return;
    if (this.#shared.size > 0) {
      for (const slot of this.#slots) this.#post(slot, { id });
    } else {
      for (const slot of this.#slots) this.#stop(slot);
    }
    this.#ring();
  }

  #stop(slot: Slot): void {
    const { worker } = slot;
    slot.worker = undefined;
    worker?.stop();
  }

  #stopAtWork(slot: Slot): void {
    this.#stop(slot);
    const until = performance.now() + lastGasp;
    while (performance.now() < until) {
      if (this.#maySleep) Atomics.wait(this.#control, control.bell, this.#bell(), lastGasp);
    }
  }

  #bell(): number {
    return Atomics.load(this.#control, control.bell);
  }

  #stateOf({ member }: Slot): number {
    return Atomics.load(this.#control, control.state + member);
  }

  /** A worker ended; not one that was stopped. */
  #ended(slot: Slot, worker: WorkerHandle | undefined, cause: unknown): void {
    if (slot.worker === undefined || slot.worker !== worker) return;
    slot.worker = undefined;
    if (this.#stateOf(slot) === states.starting) this.#failed(slot, cause);
    else this.#fault ??= crashed(slot, cause);
  }

  #failed(slot: Slot, cause: unknown): void {
    slot.failures++;
    this.#fault ??= new CapabilityError("GF5011", `worker ${slot.member} could not be started`, {
      cause,
      notes: [String(cause)],
      help: "The executable can be used; it starts the worker once more, then it does without.",
    });
  }

  #throwFault(): void {
    const fault = this.#fault;
    if (fault === undefined) return;
    this.#fault = undefined;
    throw fault;
  }

  #ring(): void {
    Atomics.add(this.#control, control.bell, 1);
    Atomics.notify(this.#control, control.bell);
  }

  // ── Runs ──────────────────────────────────────────────────────────────────────────────────

  /** Returns when workers have done `left` parts. */
  #join(state: Int32Array, left: number, began: number): void {
    const start = performance.now();
    const limit = start + Math.max(patience, slowness * (start - began));
    for (;;) {
      const done = Atomics.load(state, words.done / 4);
      if (done === left) return;
      const trapped = Atomics.exchange(this.#control, control.trapped, 0);
      if (trapped > 0) throw trap(trapped);
      if (performance.now() > limit) throw this.#lost();
      if (!this.#maySleep) continue;
      Atomics.store(state, words.joining / 4, 1);
      const woken = Atomics.wait(state, words.done / 4, done, checkEvery);
      Atomics.store(state, words.joining / 4, 0);
      if (woken === "timed-out") this.#throwIfGone();
    }
  }

  #throwIfGone(): void {
    const gone = this.#slots.find(
      (slot) => this.#stateOf(slot) === states.working && slot.worker?.hasEnded?.(),
    );
    if (gone === undefined) return;
    gone.worker = undefined;
    throw crashed(gone, "its thread ended within its part");
  }

  /** Gives up those that still work. */
  #lost(): WorkerCrashedError {
    const working = this.#slots.filter((slot) => this.#stateOf(slot) === states.working);
    for (const slot of working) this.#stopAtWork(slot);
    return crashed(working[0], "it did not finish its part");
  }

  /** After a run that went wrong: no part is left to take, and nobody is at one. */
  #quieten(state: Int32Array): void {
    Atomics.store(state, words.ticket / 4, 0);
    const limit = performance.now() + patience;
    for (const slot of this.#slots) {
      const place = control.state + slot.member;
      while (slot.worker !== undefined && this.#stateOf(slot) === states.working) {
        if (performance.now() > limit) this.#stopAtWork(slot);
        else if (this.#maySleep) Atomics.wait(this.#control, place, states.working, checkEvery);
      }
    }
    Atomics.store(this.#control, control.trapped, 0);
  }
}

/** After what is being done now, if the process goes on. */
function later(task: () => unknown): void {
  const timer: unknown = setTimeout(task, 0);
  if (typeof timer === "object" && timer !== null && "unref" in timer) {
    (timer as { unref(): void }).unref();
  }
}

const crashed = (slot: Slot | undefined, cause: unknown): WorkerCrashedError =>
  new WorkerCrashedError("GF5012", `worker ${slot?.member ?? ""} stopped: ${String(cause)}`, {
    cause,
    help: "Run again: the executable is as before, and another worker takes its place.",
  });

const trap = (member: number): InternalError =>
  new InternalError("GF9304", `generated code trapped in worker ${member}`, {
    help: "This is a bug of gridfuse, or of whatever wrote the plan: please report it.",
  });
