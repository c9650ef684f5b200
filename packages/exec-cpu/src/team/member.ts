/**
 * What a worker does: it waits for work of the plan that is being run, and takes parts of it.
 *
 * The function is sent to workers as text, so that no bundler has to find a file for them; it uses nothing from outside of
 * itself but what every worker has.
 */

/** The plan that a worker gets to know; without a module, it is to forget it. */
export interface Mail {
  readonly id: number;
  /** A module, or the code of one. */
  readonly module?: WebAssembly.Module | Uint8Array<ArrayBuffer>;
  readonly memory?: WebAssembly.Memory;
}

/** Where things lie in the shared arrays, see words.ts. */
export interface Places {
  readonly ticket: number;
  readonly sleepers: number;
  readonly program: number;
  readonly bell: number;
  readonly trapped: number;
  readonly mail: number;
  readonly state: number;
  readonly ticketBits: { readonly back: number; readonly parts: number; readonly mask: number };
  readonly waiting: number;
  readonly working: number;
}

export interface MemberData {
  /** 1, 2, …: the caller is 0. */
  readonly member: number;
  readonly control: SharedArrayBuffer;
  readonly at: Places;
}

/** @returns what is to be called with each message */
export function member({ member: self, control: buffer, at }: MemberData): (mail: Mail) => void {
  /** How often a worker looks for work before it sleeps: some 50 µs. */
  const looks = 4000;
  const control = new Int32Array(buffer);
  const plans = new Map<number, { words: Int32Array; serve: () => void }>();
  let handled = 0;

  const isOpen = (words: Int32Array): boolean => {
    const ticket = Atomics.load(words, at.ticket);
    const { back, parts, mask } = at.ticketBits;
    return (ticket & mask) + ((ticket >>> back) & mask) < ticket >>> parts;
  };
  const hasMail = (): boolean => Atomics.load(control, at.mail + self) !== handled;

  /** Until something is to be done that may not be: mail comes only to those that return. */
  const watch = (): void => {
    let looked = 0;
    while (!hasMail()) {
      const id = Atomics.load(control, at.program);
      const plan = plans.get(id);
      if (plan !== undefined && isOpen(plan.words)) {
        Atomics.store(control, at.state + self, at.working);
        try {
          plan.serve();
        } catch {
          Atomics.store(control, at.trapped, self);
        }
        Atomics.store(control, at.state + self, at.waiting);
        Atomics.notify(control, at.state + self);
        looked = 0;
      } else if (looked++ > looks) {
        looked = 0;
        if (plan !== undefined) Atomics.add(plan.words, at.sleepers, 1);
        const bell = Atomics.load(control, at.bell);
        const isStill = Atomics.load(control, at.program) === id && !hasMail();
        if (isStill && !(plan !== undefined && isOpen(plan.words))) {
          Atomics.wait(control, at.bell, bell);
        }
        if (plan !== undefined) Atomics.sub(plan.words, at.sleepers, 1);
      }
    }
  };

  return ({ id, module, memory }) => {
    handled++;
    if (module === undefined || memory === undefined) {
      plans.delete(id);
    } else {
      const nothing = (): void => {};
      const env = { memory, print: nothing, fuel: nothing, join: nothing, ring: nothing };
      const compiled =
        module instanceof WebAssembly.Module ? module : new WebAssembly.Module(module);
      const { exports } = new WebAssembly.Instance(compiled, { env });
      const words = new Int32Array(memory.buffer);
      plans.set(id, { words, serve: exports.serve as () => void });
    }
    Atomics.store(control, at.state + self, at.waiting);
    watch();
  };
}
