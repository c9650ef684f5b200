/**
 * What can be wrong with a plan or its file, one class for each thing a caller may do about it:
 * a cache drops what is corrupt, a deployment updates what is of another version, a person reports
 * what is invalid. Rules are numbered V1–V25 and named in every message (docs/plan-format).
 */
import { type ErrorDetails, PlanError } from "./errors.ts";

/** The bytes are not what was written: damage in transport or storage. Fetch or compile again. */
export class PlanCorrupt extends PlanError {
  static override readonly name: string = "PlanCorrupt";
  readonly rule: string;

  constructor(code: `GF${number}`, rule: string, what: string, details: ErrorDetails = {}) {
    super(code, `${what} (rule ${rule})`, details);
    this.rule = rule;
  }
}

/** A well-formed file that this version of gridfuse does not know how to read. */
export class PlanVersionUnsupported extends PlanError {
  static override readonly name: string = "PlanVersionUnsupported";
}

/** The content breaks a rule; `path` says where. Never repaired by reading it again. */
export class PlanInvalid extends PlanError {
  static override readonly name: string = "PlanInvalid";
  readonly rule: string;

  constructor(rule: string, path: string, what: string, details: ErrorDetails = {}) {
    super("GF4010", `${path === "" ? "plan" : path}: ${what} (rule ${rule})`, { ...details, path });
    this.rule = rule;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), rule: this.rule };
  }
}

/** The same content in another spelling than the one the encoder writes (rule V9). */
export class PlanNotCanonical extends PlanError {
  static override readonly name: string = "PlanNotCanonical";
  readonly rule = "V9";

  constructor(path: string, what: string, details: ErrorDetails = {}) {
    super("GF4011", `${path === "" ? "plan" : path}: ${what} (rule V9)`, { ...details, path });
  }
}

/** More bytes, elements or nodes than this reader takes, or than the caller's limits allow. */
export class PlanTooLarge extends PlanError {
  static override readonly name: string = "PlanTooLarge";
  constructor(path: string, what: string, details: ErrorDetails = {}) {
    super("GF4012", `${path}: ${what}`, { ...details, path });
  }
}

/** The file could not be read or written at all; `cause` is the host's error. */
export class PlanFileError extends PlanError {
  static override readonly name: string = "PlanFileError";
}

/** Trust was claimed that cannot be had. */
export class PlanUntrusted extends PlanError {
  static override readonly name: string = "PlanUntrusted";
}

/** A part of a trusted plan was looked at before the code that decodes it was loaded. */
export class PlanUndecoded extends PlanError {
  static override readonly name: string = "PlanUndecoded";
}
