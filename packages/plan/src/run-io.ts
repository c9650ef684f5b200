/**
 * What goes into a run and what comes out of it, checked once for every executor: names, array classes,
 * lengths, dtypes, shapes.
 */
import { fromBits, type ScalarValue, toBits } from "./bits.ts";
import { closest } from "./closest-name.ts";
import {
  type DType,
  isFloat,
  itemSize,
  type StorageArray,
  shortName,
  storageArray,
  storageClass,
} from "./dtype.ts";
import { InputError } from "./errors.ts";
import type { HostTensor, RunInput, RunInputs } from "./executor.ts";
import type { Plan, PlanPort } from "./plan.ts";

const lengthOf = (shape: readonly number[]): number =>
  shape.reduce((total, extent) => total * extent, 1);

const describePort = ({ dtype, shape }: Pick<PlanPort, "dtype" | "shape">): string =>
  `${shortName(dtype)}[${shape.join(", ")}]`;

const className = (value: unknown): string => {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return value.constructor?.name ?? "an object";
};

function refuseUnknownNames(
  what: "input" | "output",
  given: readonly string[],
  ports: readonly PlanPort[],
): void {
  const known = ports.map(({ name }) => name);
  for (const name of given) {
    if (known.includes(name)) continue;
    const meant = closest(name, known);
    const code = what === "input" ? "GF1002" : "GF1010";
    throw new InputError(code, `there is no ${what} "${name}"`, {
      path: name,
      expected: known,
      received: name,
      notes: [`the ${what}s are ${known.map((each) => `"${each}"`).join(", ") || "none"}`],
      help: meant === undefined ? "Leave it out." : `Did you mean "${meant}"?`,
    });
  }
}

const isArrayLike = (value: RunInput): value is StorageArray => ArrayBuffer.isView(value);

const isScalar = (value: unknown): value is ScalarValue =>
  typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";

function isTensor(value: RunInput): value is HostTensor {
  return (
    typeof value === "object" &&
    value !== null &&
    "dtype" in value &&
    "shape" in value &&
    "data" in value
  );
}

/** @throws InputError GF1016 where `plan` is none, such as the graph that it was to be made of */
export function requirePlan(plan: unknown): void {
  if (typeof plan === "object" && plan !== null && "inputs" in plan && "arenaBytes" in plan) return;
  const isGraph = typeof plan === "object" && plan !== null && "program" in plan;
  throw new InputError("GF1016", `prepare was given ${isGraph ? "a graph" : String(plan)}`, {
    expected: "Plan",
    help: "Compile it first: prepare(compile(graph)), or prepare(await loadPlan(file)).",
  });
}

/**
 * One array of the port's class and length for each input of the plan, in the plan's order. Arrays are
 * not copied.
 *
 * @throws InputError GF1001 missing, GF1002 unknown name, GF1003 not something an input can be,
 *   GF1004 wrong typed-array class, GF1005 wrong number of elements, GF1006 wrong dtype, GF1007 wrong
 *   shape, GF1015 no record of inputs, GF1008 a single value where the port is an array, GF1009 a value its dtype cannot hold
 */
export function resolveInputs(plan: Plan, inputs: RunInputs): StorageArray[] {
  if (typeof inputs !== "object" || inputs === null) {
    throw new InputError("GF1015", `run was given ${String(inputs)} for inputs`, {
      received: inputs,
      help: `Pass a record: run({ ${plan.inputs.map(({ name }) => name).join(", ")} }).`,
    });
  }
  refuseUnknownNames("input", Object.keys(inputs), plan.inputs);
  return plan.inputs.map((port) => {
    const value = Object.hasOwn(inputs, port.name) ? inputs[port.name] : undefined;
    if (value === undefined) {
      throw new InputError("GF1001", `input "${port.name}" is missing`, {
        path: port.name,
        expected: describePort(port),
        received: Object.keys(inputs),
        help: `Pass a ${storageClass(port.dtype).name} of ${lengthOf(port.shape)} elements as "${port.name}".`,
      });
    }
    return resolveInput(port, value);
  });
}

function resolveInput(port: PlanPort, value: RunInput): StorageArray {
  if (isScalar(value)) return resolveScalar(port, value);
  if (isArrayLike(value)) return checkArray("input", port, value);
  if (!isTensor(value)) {
    throw new InputError("GF1003", `input "${port.name}" cannot be ${className(value)}`, {
      path: port.name,
      expected: storageClass(port.dtype).name,
      received: className(value),
      help: `Pass a ${storageClass(port.dtype).name}, or { dtype, shape, data }.`,
    });
  }
  if (value.dtype !== port.dtype) {
    throw new InputError(
      "GF1006",
      `input "${port.name}" is ${shortName(port.dtype)}, the tensor given is ${shortName(value.dtype) ?? value.dtype}`,
      {
        path: port.name,
        expected: port.dtype,
        received: value.dtype,
        help: "Convert it before the run, or compile the graph for this dtype.",
      },
    );
  }
  const { shape } = value;
  if (shape.length !== port.shape.length || shape.some((extent, i) => extent !== port.shape[i])) {
    throw new InputError(
      "GF1007",
      `input "${port.name}" has shape [${port.shape.join(", ")}], the tensor given [${shape.join(", ")}]`,
      {
        path: port.name,
        expected: port.shape,
        received: shape,
        help: "Reshape it before the run, or compile the graph for this shape.",
      },
    );
  }
  return checkArray("input", port, value.data);
}

function resolveScalar(port: PlanPort, value: ScalarValue): StorageArray {
  if (port.shape.length > 0) {
    throw new InputError(
      "GF1008",
      `input "${port.name}" is ${describePort(port)}, but a single ${typeof value} was given`,
      {
        path: port.name,
        expected: describePort(port),
        received: value,
        help: `Pass a ${storageClass(port.dtype).name} of ${lengthOf(port.shape)} elements.`,
      },
    );
  }
  if (!isFloat(port.dtype) && !holds(port.dtype, value)) {
    throw new InputError(
      "GF1009",
      `input "${port.name}" is ${shortName(port.dtype)}, which cannot hold ${value}`,
      {
        path: port.name,
        expected: port.dtype,
        received: value,
        help: "Round it, or bring it into range, before the run.",
      },
    );
  }
  return scalarArray(port.dtype, value);
}

/** Whether an integer dtype or bool has exactly this value. */
function holds(dtype: DType, value: ScalarValue): boolean {
  if (typeof value === "number" && !Number.isInteger(value)) return false;
  return Number(fromBits(dtype, toBits(dtype, value))) === Number(value);
}

/** An array of one element in the in-memory form of `dtype`. */
function scalarArray(dtype: DType, value: ScalarValue): StorageArray {
  const { lo, hi } = toBits(dtype, value);
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint32(0, lo, true);
  bytes.setUint32(4, hi, true);
  return storageArray(dtype, bytes.buffer, 0, 1);
}

/** Checks class and length of an array against a port. */
function checkArray(what: "input" | "output", port: PlanPort, value: StorageArray): StorageArray {
  const wanted = storageClass(port.dtype);
  if (!(value instanceof wanted)) {
    throw new InputError(
      what === "input" ? "GF1004" : "GF1011",
      `${what} "${port.name}" is ${shortName(port.dtype)} and needs a ${wanted.name}, not a ${className(value)}`,
      {
        path: port.name,
        expected: wanted.name,
        received: className(value),
        help:
          itemSize(port.dtype) === 2 && isFloat(port.dtype)
            ? "16-bit floats travel as their bit patterns."
            : `Convert it: new ${wanted.name}(array).`,
      },
    );
  }
  const length = lengthOf(port.shape);
  if (value.length !== length) {
    throw new InputError(
      what === "input" ? "GF1005" : "GF1012",
      `${what} "${port.name}" is ${describePort(port)}: ${length} elements, but the array has ${value.length}`,
      {
        path: port.name,
        expected: length,
        received: value.length,
        help: "Pass exactly the elements of the tensor, row-major; use subarray for a part.",
      },
    );
  }
  return value;
}

/**
 * The caller's array for each output of the plan, undefined where a fresh one is wanted.
 *
 * @throws InputError GF1010 unknown name, GF1011 wrong typed-array class, GF1012 wrong number of elements,
 *   GF1013 two arrays that overlap
 */
export function resolveOutputs(
  plan: Plan,
  out?: Readonly<Record<string, StorageArray>>,
): (StorageArray | undefined)[] {
  if (out === undefined) return new Array<undefined>(plan.outputs.length).fill(undefined);
  refuseUnknownNames("output", Object.keys(out), plan.outputs);
  const resolved = plan.outputs.map((port) => {
    const value = Object.hasOwn(out, port.name) ? out[port.name] : undefined;
    return value === undefined ? undefined : checkArray("output", port, value);
  });
  refuseOverlap(plan, resolved);
  return resolved;
}

function refuseOverlap(plan: Plan, arrays: readonly (StorageArray | undefined)[]): void {
  for (const [i, a] of arrays.entries()) {
    for (const [j, b] of arrays.slice(0, i).entries()) {
      if (a === undefined || b === undefined || a.buffer !== b.buffer) continue;
      const apart =
        a.byteOffset + a.byteLength <= b.byteOffset || b.byteOffset + b.byteLength <= a.byteOffset;
      if (apart) continue;
      const names = [plan.outputs[j]?.name, plan.outputs[i]?.name];
      throw new InputError(
        "GF1013",
        `the arrays for outputs "${names[0]}" and "${names[1]}" overlap`,
        {
          path: `${names[1]}`,
          expected: "arrays that share no memory",
          received: names,
          help: "Give each output memory of its own.",
        },
      );
    }
  }
}
