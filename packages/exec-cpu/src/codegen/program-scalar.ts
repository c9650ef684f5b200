/** Nodes of a scalar program on single values. */
import { argsOf, type IndexNode, type LoadNode, type ScalarNode } from "@gridfuse/plan/scalar";
import { heldType, pushConst } from "../wasm/held.ts";
import {
  emitBinary,
  emitBitcast,
  emitCompare,
  emitConvert,
  emitUnary,
} from "../wasm/scalar-ops.ts";
import { pushElement } from "./access.ts";
import { openRanges, pushGuard } from "./guards.ts";
import type { Address } from "./nest.ts";
import { isBinaryOp, isCompareOp, isUnaryOp, meaningless } from "./node-kinds.ts";
import type { ProgramView } from "./program-view.ts";
import { pushIndex64 } from "./wide-index.ts";

/** Pushes the value of node number `index`, which is the same in all lanes, or of which there is one lane. */
export function pushScalarNode(view: ProgramView, index: number, node: ScalarNode): void {
  const nest = view.nest;
  const { helpers } = nest;
  switch (node.op) {
    case "index":
      pushIndexNode(view, node);
      return;
    case "load":
      pushLoad(view, node);
      return;
    case "reduced":
      view.source.reduced(node.stage, node.reduction, undefined)(nest.code);
      return;
    case "select": {
      const [condition, yes, no] = node.args;
      for (const arg of [yes, no, condition]) view.scalar(arg)(nest.code);
      nest.code.op("select");
      return;
    }
    case "convert": {
      const x = view.scalar(node.args[0]);
      emitConvert(nest.code, helpers, view.node(node.args[0]).dtype, node.dtype, x);
      return;
    }
    case "bitcast": {
      const x = view.scalar(node.args[0]);
      const canonical = view.source.facts.canonical[index] as boolean;
      emitBitcast(nest.code, view.node(node.args[0]).dtype, node.dtype, canonical, x);
      return;
    }
    default:
      emitScalarOp(view, node);
  }
}

function emitScalarOp(view: ProgramView, node: ScalarNode): void {
  const { code, helpers } = view.nest;
  const [a, b] = argsOf(node);
  const dtype = a === undefined ? node.dtype : view.node(a).dtype;
  if (isUnaryOp(node.op)) {
    emitUnary(code, helpers, node.op, dtype, view.scalar(a as number));
  } else if (isBinaryOp(node.op)) {
    emitBinary(code, helpers, node.op, dtype, view.scalar(a as number), view.scalar(b as number));
  } else if (isCompareOp(node.op)) {
    emitCompare(code, helpers, node.op, dtype, view.scalar(a as number), view.scalar(b as number));
  } else {
    throw meaningless(node.op);
  }
}

/** Pushes an index as an integer value, wrapped to its dtype. */
function pushIndexNode(view: ProgramView, { index, dtype }: IndexNode): void {
  const nest = view.nest;
  if (heldType(dtype) === "i64") {
    pushIndex64(nest, index);
    return;
  }
  nest.pushIndex(index);
  if (dtype === "int32" || dtype === "uint32") return;
  const from = index.lo < 0 ? "int32" : "uint32";
  const local = nest.local("i32");
  nest.code.set(local);
  emitConvert(nest.code, nest.helpers, from, dtype, (code) => code.get(local));
}

function pushLoad(view: ProgramView, node: LoadNode): void {
  const nest = view.nest;
  const base = view.source.addresses[node.buffer] as Address;
  const open = openRanges(node.guard);
  if (open === undefined) {
    pushConst(nest.code, node.dtype, node.fill);
    return;
  }
  if (open.length === 0) {
    pushElement(nest, node.dtype, base, node.index);
    return;
  }
  pushGuard(nest, open);
  nest.code.if(heldType(node.dtype));
  nest.code.append(nest.branch(() => pushElement(nest, node.dtype, base, node.index)));
  nest.code.else();
  pushConst(nest.code, node.dtype, node.fill);
  nest.code.end();
}
