/** All kernels of the suite, in the order in which it runs them. A file gives one or several. */
import type { SuiteExample } from "../example.ts";
import { examples as flashAttention } from "./flash-attention.ts";
import { examples as layerNorm } from "./layer-norm.ts";
import { examples as matmul } from "./matmul.ts";
import { examples as sinGrid } from "./sin-grid.ts";
import { examples as softmax } from "./softmax.ts";
import { examples as sort } from "./sort.ts";

export const suite: readonly SuiteExample[] = [
  ...sinGrid,
  ...matmul,
  ...softmax,
  ...layerNorm,
  ...flashAttention,
  ...sort,
];
