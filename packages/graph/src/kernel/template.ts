/**
 * A kernel traced once into a table of its own. A call copies it; what the body took from outside is
 * resolved where it is called.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { requireDims } from "../functions/create.ts";
import { newRegion, type Region, Table } from "../ir/table.ts";
import { formatShape, refType, type Shape, sameShape, tensorType } from "../ir/types.ts";
import type { GridParams } from "../ir/vocabulary.ts";
import { isWritten, Ref } from "../ref.ts";
import type { Handle } from "../scope.ts";
import { activeScope, runIn, Scope } from "../scope.ts";
import type { ArraySpec } from "../spec.ts";
import { type MappedBlock, mapBlock, type Role, strict } from "./blocks.ts";
import type { KernelDefinition } from "./definition.ts";
import { GridIndex, registerGrid } from "./grid-index.ts";

export interface KernelTemplate {
  readonly table: Table;
  readonly params: GridParams;
  /** Body, index map of each input, of each output. */
  readonly regions: readonly Region[];
  /** What the body uses from outside, in the order of its trailing params. */
  readonly captures: readonly Handle[];
}

/** @throws BuildError GF22xx naming kernel and operand */
export function traceKernel(definition: KernelDefinition): KernelTemplate {
  const { name, axes, inputs, outputs, scratch, prefetch } = definition;
  requireGrid(definition);
  requireDistinct(definition);
  const table = new Table();
  const mapAll = (role: Role, specs: { readonly [name: string]: ArraySpec }) =>
    Object.entries(specs).map(([key, spec]) => mapBlock(definition, table, role, key, spec));
  const mappedInputs = mapAll("input", inputs);
  const mappedOutputs = mapAll("output", outputs);
  requireScratch(definition);
  const aliases = aliasPairs(definition);
  const body = new Scope({
    kind: "kernel",
    label: `kernel "${name}"`,
    table,
    region: newRegion(),
    parent: activeScope(),
  });
  traceBody(definition, body, mappedInputs, mappedOutputs);
  const params: GridParams = {
    name,
    axes: axes.map(({ count, ...axis }) =>
      count === undefined ? axis : { ...axis, count: Object.keys(prefetch).indexOf(count) },
    ),
    level: "kernel",
    prefetch: Object.keys(prefetch).length,
    inputs: mappedInputs.map(({ mapping }) => mapping),
    outputs: mappedOutputs.map(({ mapping }) => mapping),
    scratch: Object.entries(scratch).map(([key, { dtype, shape, space }]) => ({
      name: key,
      dtype,
      shape,
      space,
    })),
    aliases,
    fill: definition.fill,
    mutated: [],
  };
  const maps = [...mappedInputs, ...mappedOutputs].map(({ indexMap }) => indexMap);
  return {
    table,
    params,
    regions: [body.region, ...maps],
    captures: body.captures.map(({ outer }) => outer),
  };
}

function traceBody(
  definition: KernelDefinition,
  body: Scope,
  inputs: readonly MappedBlock[],
  outputs: readonly MappedBlock[],
): void {
  const { axes, mapped, named, prefetch, scratch } = definition;
  const idParams = axes.map(({ name }) => body.param(tensorType("int32", []), name));
  const refs: { [name: string]: Ref } = {};
  const ref = (role: Role, name: string, type: Parameters<typeof refType>) => {
    const made = new Ref(body, body.param(refType(...type), `${role} "${name}"`));
    refs[name] = made;
    return made;
  };
  const block = (role: Role, { mapping, refShape }: MappedBlock): Ref =>
    ref(role, mapping.name, [mapping.dtype, refShape, mapping.space]);
  for (const [name, { dtype, shape }] of Object.entries(prefetch)) {
    ref("prefetch", name, [dtype, shape, "smem"]);
  }
  for (const input of inputs) block("input", input);
  const written = outputs.map((output) => block("output", output));
  for (const [name, { dtype, shape, space }] of Object.entries(scratch)) {
    ref("scratch", name, [dtype, shape, space]);
  }
  const ids = axes.map(
    (axis, i) => new GridIndex(body, idParams[i] as number, axis, refs[axis.count ?? ""]),
  );
  const visible = ids.slice(mapped);
  registerGrid(body, ids, mapped);
  const coordinates = named
    ? strict("grid axis", Object.fromEntries(visible.map((id) => [id.axis, id])))
    : visible;
  runIn(body, () => definition.body(strict("ref", refs), coordinates));
  const aliased = new Set(Object.values(definition.aliases));
  for (const output of written) {
    const name = output.name.slice('output "'.length, -1);
    if (isWritten(body, output.id) || aliased.has(name)) continue;
    throw new BuildError(
      "GF2213",
      `kernel "${definition.name}": output "${name}" is never written`,
      {
        path: name,
        help: `write it with \`${name}.set(…)\`, or take it out of \`outputs\``,
      },
    );
  }
}

function requireGrid({ name, axes, prefetch }: KernelDefinition): void {
  for (const { name: axis, count } of axes) {
    if (count === undefined) continue;
    const spec = prefetch[count];
    const given = spec === undefined ? "nothing" : `${spec.dtype}${formatShape(spec.shape)}`;
    if (spec?.dtype === "int32" && spec.shape.every((dim) => dim === 1)) continue;
    throw new BuildError(
      "GF2222",
      `kernel "${name}": grid axis "${axis}" is as long as prefetched "${count}" says, which is ${given}`,
      {
        path: axis,
        expected: "int32[] or int32[1] in `prefetch`",
        received: given,
        help: `declare it: prefetch: { ${count}: tensor(i32, []) }`,
      },
    );
  }
  for (const { name: axis, size } of axes) {
    const fits = typeof size === "string" ? size !== "" : Number.isSafeInteger(size) && size >= 0;
    if (fits) continue;
    throw new BuildError(
      "GF2205",
      `kernel "${name}": grid axis "${axis}" has size ${String(size)}`,
      {
        expected: "a whole number ≥ 0",
        received: size,
        help: Number.isFinite(size as number)
          ? "round up with `cdiv(n, block)`"
          : "did a division by zero or a missing argument get here?",
      },
    );
  }
}

/** Refs are given to the body in one record, so their names differ. */
function requireDistinct(definition: KernelDefinition): void {
  const seen = new Map<string, Role>();
  const groups: readonly (readonly [Role, object])[] = [
    ["prefetch", definition.prefetch],
    ["input", definition.inputs],
    ["output", definition.outputs],
    ["scratch", definition.scratch],
  ];
  for (const [role, group] of groups) {
    for (const name of Object.keys(group)) {
      const other = seen.get(name);
      if (other !== undefined) {
        throw new BuildError(
          "GF2215",
          `kernel "${definition.name}": "${name}" is both ${other} and ${role}`,
          { path: name, help: "the body gets all refs in one record: give each a name of its own" },
        );
      }
      seen.set(name, role);
    }
  }
}

function requireScratch({ name, scratch, prefetch, inputs, outputs }: KernelDefinition): void {
  for (const [key, { shape }] of Object.entries({ ...prefetch, ...inputs, ...outputs })) {
    requireDims(`kernel "${name}": "${key}"`, shape);
  }
  for (const [key, { shape }] of Object.entries(scratch)) {
    requireDims(`kernel "${name}": scratch "${key}"`, shape);
    if (shape.every((dim) => typeof dim === "number")) continue;
    throw new BuildError("GF2203", `kernel "${name}": scratch "${key}" has a named dim`, {
      received: formatShape(shape),
      help: "scratch has one size for every size of the arrays: use numbers",
    });
  }
}

function aliasPairs(definition: KernelDefinition): readonly (readonly [number, number])[] {
  const inputs = Object.keys(definition.inputs);
  const outputs = Object.keys(definition.outputs);
  return Object.entries(definition.aliases).map(([from, to]) => {
    const a = definition.inputs[from];
    const b = definition.outputs[to];
    const what = `kernel "${definition.name}": alias of "${from}" and "${to}"`;
    if (a === undefined || b === undefined) {
      const missing = a === undefined ? `input "${from}"` : `output "${to}"`;
      throw new BuildError("GF2216", `${what}: there is no ${missing}`, {
        expected: a === undefined ? inputs : outputs,
        received: a === undefined ? from : to,
        help: 'aliases are written { inputName: "outputName" }',
      });
    }
    if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape)) {
      const show = (dtype: string, shape: Shape) => `${dtype}${formatShape(shape)}`;
      throw new BuildError(
        "GF2216",
        `${what}: ${show(a.dtype, a.shape)} and ${show(b.dtype, b.shape)}`,
        {
          expected: show(a.dtype, a.shape),
          received: show(b.dtype, b.shape),
          help: "an output that starts as an input has its dtype and shape",
        },
      );
    }
    return [inputs.indexOf(from), outputs.indexOf(to)] as const;
  });
}
