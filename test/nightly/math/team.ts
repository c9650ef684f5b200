/** Workers that take jobs off a list; each is this program started again. */
import { fileURLToPath } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import { type Job, measure } from "./measure.ts";
import type { Sweep } from "./sweep.ts";

/** What the program does where it was started as a member of a team. */
export function serve(): void {
  parentPort?.on("message", (job: Job) => parentPort?.postMessage(measure(job)));
}

export class Team {
  readonly #members: readonly Worker[];

  constructor(size: number) {
    const program = fileURLToPath(import.meta.url);
    this.#members = Array.from({ length: size }, () => new Worker(program, { argv: [] }));
  }

  /** Does all jobs; gives their answers in no particular order. */
  async all(jobs: readonly Job[]): Promise<readonly Sweep[]> {
    const rest = [...jobs];
    const done: Sweep[] = [];
    const work = async (member: Worker): Promise<void> => {
      for (let job = rest.shift(); job !== undefined; job = rest.shift()) {
        done.push(await answer(member, job));
      }
    };
    await Promise.all(this.#members.map(work));
    return done;
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.terminate()));
  }
}

function answer(member: Worker, job: Job): Promise<Sweep> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      member.off("message", onMessage);
      member.off("error", onError);
    };
    const onMessage = (sweep: Sweep): void => {
      settle();
      resolve(sweep);
    };
    const onError = (error: unknown): void => {
      settle();
      reject(error);
    };
    member.on("message", onMessage);
    member.on("error", onError);
    member.postMessage(job);
  });
}
