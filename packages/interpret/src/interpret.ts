/**
 * The reference interpreter: what a program means, slow and obvious. Everything else is compared
 * with it.
 */
import {
  InputError,
  type OptionCheck,
  type OptionNames,
  optionCheck,
  type Program,
  type Region,
  type StorageArray,
  sourceLocation,
  storageArray,
  type Table,
  type TensorType,
} from "@gridfuse/graph";
import { asTensor, type Context, type InterpretOptions, type Value } from "./context.ts";
import { Environment } from "./environment.ts";
import { interpretRegion as run } from "./region.ts";
import { copied, type HostTensor, sizeOf } from "./tensor.ts";

const defaultFuel = 2 ** 24;

const interpretOptions: OptionNames<InterpretOptions> = {
  onPrint: true,
  fuel: true,
  inlineGridOrder: true,
};
const checked: OptionCheck = optionCheck(InputError, "GF1504", () =>
  sourceLocation({ stack: new Error() }),
);

const newContext = (table: Table, options: InterpretOptions): Context => ({
  run(region, values) {
    return run(this, region, values);
  },
  table,
  environment: new Environment(),
  onPrint: options.onPrint ?? ((line) => console.log(line)),
  fuel: options.fuel ?? defaultFuel,
  inlineGridOrder: options.inlineGridOrder,
});

/**
 * Runs a program.
 *
 * @param inputs a tensor for each input; a bare array has the declared dtype and shape
 * @throws InputError GF1501–GF1503 where the inputs do not fit the program, GF1504 for options there are not
 * @throws KernelTimeoutError GF5501 where a `while` runs out of fuel
 */
export function interpret(
  program: Program,
  inputs: Readonly<Record<string, HostTensor | StorageArray>>,
  options: InterpretOptions = {},
): Record<string, HostTensor> {
  const { table, main } = program;
  const context = newContext(table, checked("interpret", options, interpretOptions));
  requireSameNames(program, inputs);
  const tensors = program.inputs.map((name, i) =>
    bindInput(context.environment, name, table.tensor(main.params[i]), inputs[name]),
  );
  const values = program.inputs.map((name, i) =>
    checkedInput(context.environment, name, table.tensor(main.params[i]), tensors[i]),
  );
  const results = run(context, main, values);
  return Object.fromEntries(program.outputs.map((name, i) => [name, asTensor(results[i])]));
}

/** Runs a region on values, for the tests of passes. Results are refs or tensors, as the region has them. */
export function interpretRegion(
  table: Table,
  region: Region,
  values: readonly Value[],
  options: InterpretOptions = {},
): readonly Value[] {
  const context = newContext(table, checked("interpretRegion", options, interpretOptions));
  return run(context, region, values);
}

function requireSameNames(
  { name, inputs }: Program,
  given: Readonly<Record<string, unknown>>,
): void {
  const missing = inputs.filter((input) => given[input] === undefined);
  const unknown = Object.keys(given).filter((input) => !inputs.includes(input));
  if (missing.length === 0 && unknown.length === 0) return;
  const parts = [
    ...missing.map((input) => `input "${input}" is missing`),
    ...unknown.map((input) => `there is no input "${input}"`),
  ];
  throw new InputError("GF1501", `${name}: ${parts.join(", ")}`, {
    expected: inputs,
    received: Object.keys(given),
    help: `Pass exactly these: ${inputs.join(", ")}.`,
  });
}

const isTensor = (input: HostTensor | StorageArray): input is HostTensor => "dtype" in input;

/** Binds named dimensions to the sizes of an input that comes with its shape. */
function bindInput(
  environment: Environment,
  name: string,
  type: TensorType,
  input: HostTensor | StorageArray,
): HostTensor | StorageArray {
  if (
    isTensor(input) &&
    (input.dtype !== type.dtype || !environment.bind(type.shape, input.shape))
  ) {
    throw misfit(name, type, `${input.dtype}[${input.shape.join(", ")}]`);
  }
  return input;
}

/** A copy of the input as a tensor of the declared type. */
function checkedInput(
  environment: Environment,
  name: string,
  type: TensorType,
  input: HostTensor | StorageArray,
): HostTensor {
  const shape = environment.sizes(type.shape);
  const data = isTensor(input) ? input.data : input;
  const sameClass = data.constructor === storageArray(type.dtype, 0).constructor;
  if (!sameClass || data.length !== sizeOf(shape)) {
    throw misfit(name, type, `${data.constructor.name} of ${data.length} elements`);
  }
  return copied({ dtype: type.dtype, shape, data });
}

function misfit(name: string, { dtype, shape }: TensorType, received: string): InputError {
  const expected = `${dtype}[${shape.join(", ")}]`;
  return new InputError("GF1502", `input "${name}" is declared ${expected}, but got ${received}`, {
    path: name,
    expected,
    received,
    help: `Pass a tensor of dtype ${dtype} and shape [${shape.join(", ")}].`,
  });
}
