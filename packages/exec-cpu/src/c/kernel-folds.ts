/** What surrounds the values of one reduction in C: along the lanes, a block of them at a time, or across lanes, a point at each. */
import { accumulators, isArg, type Reduction, segmentLength } from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import { type StageForm, spreads } from "../codegen/kernel-form.ts";
import { cType } from "./c-types.ts";
import {
  combine,
  extremeSearch,
  identity,
  isBeyond,
  type Library,
  plainFold,
  segmentFold,
} from "./folds.ts";

/** Outer points that are worked on at once where lanes run across them. */
export const pointsAtOnce = 64;

/** What surrounds the blocks of one reduction at one point. */
export function blockFold(
  library: Library,
  stage: StageForm,
  s: number,
  of: Reduction,
  k: number,
  n: number,
): { begin: string; segment: string; end: string } {
  const [type, r, w] = [cType(of.dtype), `r${s}_${k}`, `w${s}_${k}`];
  if (isArg(of.op)) {
    const from = valueType(stage, of);
    const search = extremeSearch(library, of.op, from);
    return {
      begin: `${cType(from)} b${s}_${k} = 0; long p${s}_${k} = -1;\n`,
      segment: `${search}(&b${s}_${k}, &p${s}_${k}, ${w}, n, s);\n`,
      end: `const ${type} ${r} = ${fromPlace(of, `p${s}_${k}`)};\n`,
    };
  }
  if (!spreads(stage, of)) {
    const fold = plainFold(library, of.op, of.dtype);
    return {
      begin: `${type} ${r} = ${identity(of)};\n`,
      segment: `${r} = ${fold}(${r}, ${w}, n);\n`,
      end: "",
    };
  }
  const fold = segmentFold(library, of.op as "add", of.dtype);
  const segments = Math.ceil(n / segmentLength);
  if (segments === 1) {
    return { begin: `${type} ${r};\n`, segment: `${r} = ${fold}(${w}, n);\n`, end: "" };
  }
  const t = `t${s}_${k}`;
  return {
    begin: `${type} ${r}; ${type} ${t}[${treeDepth(segments)}];\n`,
    segment: `{ ${type} x = ${fold}(${w}, n); long level = 0;
for (long before = s / ${segmentLength}; before & 1; before >>= 1, level++) x = ${combine(of.op, of.dtype, `${t}[level]`, "x")};
${t}[level] = x; }\n`,
    end: fullLevels(segments)
      .map((level, i) =>
        i === 0
          ? `${r} = ${t}[${level}];\n`
          : `${r} = ${combine(of.op as "add", of.dtype, `${t}[${level}]`, r)};\n`,
      )
      .join(""),
  };
}

export const valueType = ({ nodes }: StageForm, { value }: Reduction): ScalarNode["dtype"] =>
  (nodes[value] as ScalarNode).dtype;

const fromPlace = ({ dtype }: Reduction, place: string): string =>
  dtype === "float16" || dtype === "bfloat16"
    ? `gf_to_${dtype}((float)${place})`
    : `(${cType(dtype)})${place}`;

const treeDepth = (segments: number): number => Math.floor(Math.log2(segments)) + 1;

/** Levels of the tree that hold something after so many segments, the lowest first. */
const fullLevels = (segments: number): number[] =>
  Array.from({ length: treeDepth(segments) }, (_, level) => level).filter(
    (level) => Math.floor(segments / 2 ** level) % 2 === 1,
  );

export const eachPoint = (statement: string): string =>
  `GF_LANES\nfor (long i = 0; i < q - p; i++) { ${statement} }\n`;

/** What surrounds the points of one reduction for many outer points at once. */
export function acrossFold(
  stage: StageForm,
  s: number,
  of: Reduction,
  k: number,
  n: number,
): { begin: string; beginSegment: string; each: string; endSegment: string; end: string } {
  const [type, r, w] = [cType(of.dtype), `r${s}_${k}`, `w${s}_${k}`];
  const nothing = { begin: "", beginSegment: "", each: "", endSegment: "", end: "" };
  if (isArg(of.op)) {
    const from = valueType(stage, of);
    const [best, place] = [`b${s}_${k}`, `p${s}_${k}`];
    return {
      ...nothing,
      begin: `${cType(from)} ${best}[${pointsAtOnce}]; int32_t ${place}[${pointsAtOnce}];\n`,
      each: `if (at == 0) {
${eachPoint(`${best}[i] = ${w}[i]; ${place}[i] = 0;`)}} else {
${eachPoint(`const _Bool beyond = ${isBeyond(of.op, from, `${w}[i]`, `${best}[i]`)}; ${best}[i] = beyond ? ${w}[i] : ${best}[i]; ${place}[i] = beyond ? (int32_t)at : ${place}[i];`)}}\n`,
      end: eachPoint(`${r}[i] = ${fromPlace(of, `${place}[i]`)};`),
    };
  }
  const op = of.op;
  const step = (a: string, b: string): string => combine(op, of.dtype, a, b);
  if (!spreads(stage, of)) {
    return {
      ...nothing,
      begin: eachPoint(`${r}[i] = ${identity(of)};`),
      each: eachPoint(`${r}[i] = ${step(`${r}[i]`, `${w}[i]`)};`),
    };
  }
  const segments = Math.ceil(n / segmentLength);
  const [acc, t] = [`c${s}_${k}`, `t${s}_${k}`];
  const halves = Array.from({ length: Math.log2(accumulators) }, (_, i) => accumulators >> (i + 1));
  const folded = halves
    .map(
      (half) =>
        `for (long l = 0; l < ${half}; l++) {\n${eachPoint(`${acc}[l][i] = ${step(`${acc}[l][i]`, `${acc}[l + ${half}][i]`)};`)}}\n`,
    )
    .join("");
  const isTree = segments > 1;
  return {
    begin: `${type} ${acc}[${accumulators}][${pointsAtOnce}];
${isTree ? `${type} ${t}[${treeDepth(segments)}][${pointsAtOnce}];\n` : ""}`,
    beginSegment: `for (long l = 0; l < ${accumulators}; l++) {\n${eachPoint(`${acc}[l][i] = ${identity(of)};`)}}\n`,
    each: eachPoint(
      `${acc}[at & ${accumulators - 1}][i] = ${step(`${acc}[at & ${accumulators - 1}][i]`, `${w}[i]`)};`,
    ),
    endSegment: isTree
      ? `${folded}{ long level = 0;
for (long before = s / ${segmentLength}; before & 1; before >>= 1, level++) {
${eachPoint(`${acc}[0][i] = ${step(`${t}[level][i]`, `${acc}[0][i]`)};`)}}
${eachPoint(`${t}[level][i] = ${acc}[0][i];`)}}\n`
      : `${folded}${eachPoint(`${r}[i] = ${acc}[0][i];`)}`,
    end: isTree
      ? fullLevels(segments)
          .map((level, i) =>
            eachPoint(
              i === 0
                ? `${r}[i] = ${t}[${level}][i];`
                : `${r}[i] = ${step(`${t}[${level}][i]`, `${r}[i]`)};`,
            ),
          )
          .join("")
      : "",
  };
}
