/** All kernels of the suite, in the order in which it runs them. A file gives one or several. */
import type { SuiteExample } from "../example.ts";
import { examples as argmax } from "./argmax.ts";
import { examples as bitTricks } from "./bit-tricks.ts";
import { examples as blockSparseMatmul } from "./block-sparse-matmul.ts";
import { examples as causalAttention } from "./causal-attention.ts";
import { examples as cholesky } from "./cholesky.ts";
import { examples as conv1d } from "./conv1d.ts";
import { examples as conv2d } from "./conv2d.ts";
import { examples as cosineSimilarity } from "./cosine-similarity.ts";
import { examples as crossEntropy } from "./cross-entropy.ts";
import { examples as cumulativeMax } from "./cumulative-max.ts";
import { examples as dotProduct } from "./dot-product.ts";
import { examples as einsum } from "./einsum.ts";
import { examples as embedding } from "./embedding.ts";
import { examples as fft } from "./fft.ts";
import { examples as flashAttention } from "./flash-attention.ts";
import { examples as gameOfLife } from "./game-of-life.ts";
import { examples as gatedMlp } from "./gated-mlp.ts";
import { examples as histogram } from "./histogram.ts";
import { examples as indexAdd } from "./index-add.ts";
import { examples as kMeans } from "./k-means.ts";
import { examples as layerNorm } from "./layer-norm.ts";
import { examples as levenshtein } from "./levenshtein.ts";
import { examples as linear } from "./linear.ts";
import { examples as mandelbrot } from "./mandelbrot.ts";
import { examples as maskedSoftmax } from "./masked-softmax.ts";
import { examples as matmul } from "./matmul.ts";
import { examples as matmulBatched } from "./matmul-batched.ts";
import { examples as matmulBf16 } from "./matmul-bf16.ts";
import { examples as matmulInnerLoop } from "./matmul-inner-loop.ts";
import { examples as matmulInt8 } from "./matmul-int8.ts";
import { examples as matmulTransposed } from "./matmul-transposed.ts";
import { examples as maxPool } from "./max-pool.ts";
import { examples as movingAverage } from "./moving-average.ts";
import { examples as nBody } from "./n-body.ts";
import { examples as oddEvenMergeSort } from "./odd-even-merge-sort.ts";
import { examples as pagedAttention } from "./paged-attention.ts";
import { examples as prefixSum } from "./prefix-sum.ts";
import { examples as quantise } from "./quantise.ts";
import { examples as random } from "./random.ts";
import { examples as rankSort } from "./rank-sort.ts";
import { examples as residualNorm } from "./residual-norm.ts";
import { examples as rmsNorm } from "./rms-norm.ts";
import { examples as rootFinding } from "./root-finding.ts";
import { examples as rotary } from "./rotary.ts";
import { examples as runningVariance } from "./running-variance.ts";
import { examples as segmentSum } from "./segment-sum.ts";
import { examples as sinGrid } from "./sin-grid.ts";
import { examples as softmax } from "./softmax.ts";
import { examples as sort } from "./sort.ts";
import { examples as stencil } from "./stencil.ts";
import { examples as topK } from "./top-k.ts";
import { examples as transpose } from "./transpose.ts";

export const suite: readonly SuiteExample[] = [
  ...sinGrid,
  ...matmul,
  ...softmax,
  ...layerNorm,
  ...flashAttention,
  ...sort,
  ...matmulTransposed,
  ...matmulBatched,
  ...matmulBf16,
  ...matmulInt8,
  ...linear,
  ...gatedMlp,
  ...rmsNorm,
  ...residualNorm,
  ...argmax,
  ...cumulativeMax,
  ...dotProduct,
  ...fft,
  ...gameOfLife,
  ...histogram,
  ...kMeans,
  ...mandelbrot,
  ...movingAverage,
  ...nBody,
  ...oddEvenMergeSort,
  ...prefixSum,
  ...rankSort,
  ...runningVariance,
  ...segmentSum,
  ...topK,
  ...random,
  ...crossEntropy,
  ...maskedSoftmax,
  ...cosineSimilarity,
  ...rotary,
  ...conv1d,
  ...conv2d,
  ...maxPool,
  ...stencil,
  ...transpose,
  ...embedding,
  ...indexAdd,
  ...cholesky,
  ...rootFinding,
  ...blockSparseMatmul,
  ...levenshtein,
  ...bitTricks,
  ...quantise,
  ...einsum,
  ...causalAttention,
  ...pagedAttention,
  ...matmulInnerLoop,
];
