/** Rules on what scalar nodes compute with: the op table's dtypes, operands that exist, values that fit where they go. */
import { bitsDType, type DType, isFloat, isInteger, itemSize } from "../dtype.ts";
import type { ReduceOp, Reduction } from "../plan.ts";
import {
  argsOf,
  type BinaryOp,
  type CompareOp,
  type ScalarNode,
  type UnaryOp,
} from "../scalar/node.ts";
import { type Broken, type Program, pointsOf, type Rule } from "./walk.ts";

type Accepts = (dtype: DType) => boolean;
const number: Accepts = (dtype) => dtype !== "bool";
const integer: Accepts = isInteger;
const float: Accepts = isFloat;
const bitwise: Accepts = (dtype) => dtype === "bool" || isInteger(dtype);
const anything: Accepts = () => true;

const unaryDTypes: { readonly [O in UnaryOp]: Accepts } = {
  neg: number,
  abs: number,
  sqrt: float,
  floor: float,
  ceil: float,
  trunc: float,
  roundEven: float,
  not: bitwise,
  populationCount: integer,
  countLeadingZeros: integer,
};
const binaryDTypes: { readonly [O in BinaryOp | CompareOp]: Accepts } = {
  add: number,
  sub: number,
  mul: number,
  div: number,
  rem: number,
  mulhi: (dtype) => dtype === "int32" || dtype === "uint32",
  min: anything,
  max: anything,
  and: bitwise,
  or: bitwise,
  xor: bitwise,
  shiftLeft: integer,
  shiftRightLogical: integer,
  shiftRightArithmetic: integer,
  eq: anything,
  ne: anything,
  lt: anything,
  le: anything,
  gt: anything,
  ge: anything,
};
const reductionDTypes: { readonly [O in ReduceOp]: Accepts } = {
  add: number,
  mul: number,
  max: anything,
  min: anything,
  and: bitwise,
  or: bitwise,
  xor: bitwise,
  argmax: integer,
  argmin: integer,
};

/** A buffer is accessed in its own dtype; floats that are only moved, as the bits that they are. */
const movesAs = (dtype: DType, stored: DType): boolean =>
  dtype === stored || (isFloat(stored) && dtype === bitsDType(stored));

/** What is wrong with the dtypes of `node`, if anything; its operands are earlier nodes. */
function dtypeFault(node: ScalarNode, { nodes, earlier, place }: Program): string | undefined {
  const { op, dtype } = node;
  const args = argsOf(node);
  const x = nodes[args[0]!]?.dtype;
  const y = nodes[args[1]!]?.dtype;
  const z = nodes[args[2]!]?.dtype;
  switch (op) {
    case "const":
      return undefined;
    case "argument":
      return "an argument has no meaning in a kernel";
    case "index":
      return isInteger(dtype) ? undefined : `an index as ${dtype}`;
    case "load": {
      const stored = place.plan.buffers[node.buffer]?.dtype;
      return stored !== undefined && movesAs(dtype, stored)
        ? undefined
        : `loads ${dtype} from buffer ${node.buffer} of ${stored}`;
    }
    case "reduced": {
      const reduction = earlier[node.stage]?.reductions[node.reduction];
      if (reduction === undefined) return `no earlier reduction ${node.stage}.${node.reduction}`;
      return reduction.dtype === dtype
        ? undefined
        : `${dtype} of a reduction to ${reduction.dtype}`;
    }
    case "select":
    case "rare":
      return x === "bool" && y === dtype && z === dtype
        ? undefined
        : `${op} of ${x}, ${y}, ${z} as ${dtype}`;
    case "convert":
      return undefined;
    case "bitcast":
      return itemSize(x!) === itemSize(dtype) && (x === "bool") === (dtype === "bool")
        ? undefined
        : `bitcast of ${x} to ${dtype}`;
    default: {
      if (y === undefined) {
        return x === dtype && unaryDTypes[op as UnaryOp](dtype) ? undefined : `${op} of ${x}`;
      }
      const isCompare = binaryOpGivesBool.has(op);
      const fits = x === y && (isCompare ? dtype === "bool" : dtype === x);
      return fits && binaryDTypes[op as BinaryOp](x!)
        ? undefined
        : `${op} of ${x} and ${y} as ${dtype}`;
    }
  }
}

const binaryOpGivesBool: ReadonlySet<string> = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);

export const operandsAreEarlier: Rule = {
  id: "V15",
  title: "operands are earlier nodes, values are nodes, programs are small enough",
  program({ nodes, reductions, writes, path }, broken) {
    for (let i = 0; i < nodes.length; i++) {
      for (const arg of argsOf(nodes[i]!)) {
        if (arg >= 0 && arg < i) continue;
        throw broken(`${path}.nodes[${i}]`, `operand ${arg} is not earlier`);
      }
    }
    const values = [...reductions, ...writes].map(({ value }) => value);
    const missing = values.find((value) => !(value < nodes.length));
    if (missing !== undefined) throw broken(path, `value ${missing} of ${nodes.length} nodes`);
  },
};

export const buffersExist: Rule = {
  id: "V12",
  title: "programs refer to buffers of the table and write only outputs and temporaries",
  program({ nodes, writes, path, place }, broken) {
    const { buffers } = place.plan;
    nodes.forEach((node, i) => {
      if (node.op === "load" && !(node.buffer < buffers.length)) {
        throw broken(`${path}.nodes[${i}]`, `no buffer ${node.buffer}`);
      }
    });
    writes.forEach(({ buffer }, i) => {
      const kind = buffers[buffer]?.kind;
      if (kind !== "output" && kind !== "temporary") {
        throw broken(`${path}.writes[${i}]`, `writes buffer ${buffer} of kind ${kind}`);
      }
    });
  },
};

export const dtypesFit: Rule = {
  id: "V10",
  title: "every op is used on dtypes it has a meaning on, and every value fits its destination",
  program(program, broken) {
    const { nodes, reductions, writes, path, place } = program;
    nodes.forEach((node, i) => {
      const fault = dtypeFault(node, program);
      if (fault !== undefined) throw broken(`${path}.nodes[${i}]`, fault);
    });
    reductions.forEach((reduction, i) => {
      checkReduction(reduction, nodes, `${path}.reductions[${i}]`, broken);
    });
    writes.forEach(({ dtype, value, buffer }, i) => {
      const given = nodes[value]!.dtype;
      const stored = place.plan.buffers[buffer]!.dtype;
      if (given !== dtype || !movesAs(dtype, stored)) {
        throw broken(`${path}.writes[${i}]`, `${given} as ${dtype} into ${stored}`);
      }
    });
  },
};

function checkReduction(
  { op, dtype, value }: Reduction,
  nodes: readonly ScalarNode[],
  path: string,
  broken: Broken,
): void {
  const given = nodes[value]!.dtype;
  const keepsDType = op !== "argmax" && op !== "argmin";
  if ((keepsDType && given !== dtype) || !reductionDTypes[op](dtype)) {
    throw broken(path, `${op} of ${given} as ${dtype}`);
  }
}

export const domainsAreCountable: Rule = {
  id: "V11",
  title: "domains have no more points than numbers count exactly",
  program({ axes, path }, broken) {
    if (pointsOf(axes) > Number.MAX_SAFE_INTEGER) {
      throw broken(path, `a domain of ${axes.join("×")} points`);
    }
  },
};
