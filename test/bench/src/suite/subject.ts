/**
 * What a subject of the benchmarks is: something in a process of its own that is given a job, says whether it can do
 * it, and then does it as often as it is told. Requests and replies are lines of JSON, over stdin and descriptor 3.
 */
import type { Data, Result, WorkName } from "./works.ts";

export const subjectNames = [
  "gridfuse",
  "gridfuse-wide",
  "gridfuse-native",
  "numpy",
  "xla",
  "ort-node",
  "ort-web",
  "jax-js",
  "tfjs-wasm",
  "js",
  "c",
] as const;
export type SubjectName = (typeof subjectNames)[number];
/** Whoever takes turns: subjects, and a copy of as many bytes as the work must move. */
export type Contender = SubjectName | "copy";

export interface JobInput {
  readonly name: string;
  readonly shape: readonly number[];
  /** Little-endian float32. */
  readonly file: string;
}

export interface Job {
  readonly work: WorkName;
  readonly shape: readonly number[];
  readonly resultShape: readonly number[];
  readonly resultType: "float32" | "int32";
  readonly inputs: readonly JobInput[];
  readonly threads: number;
  /** Bytes that must be read and written at least. */
  readonly traffic: number;
  /** Where the subject writes its first result. */
  readonly resultFile: string;
}

export type Request = { readonly start: Job } | { readonly time: number };

export interface Ready {
  readonly firstUs: number;
  /** A later call. */
  readonly callUs: number;
}

export type Reply =
  | { readonly ready: Ready }
  | { readonly us: number }
  | { readonly missing: string };

/** A job that was taken. */
export interface Running {
  /** One call; a promise where the subject is asynchronous. */
  run(): undefined | Promise<unknown>;
  /** What the latest call computed. */
  result(): Result | Promise<Result>;
}

/** Begins a job; throws `Missing` where the subject cannot do it. */
export type StartJob = (
  job: Job,
  inputs: Readonly<Record<string, Data>>,
) => Promise<Running> | Running;

export class Missing extends Error {}
