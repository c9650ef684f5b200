/**
 * What the rooms above the graph need of the languages below it. They import `@gridfuse/graph` only,
 * so that what a program is made of and what its scalars mean come through one door.
 */
export {
  BuildError,
  GridfuseError,
  InputError,
  InternalError,
  KernelTimeoutError,
  type SourceLocation,
} from "@gridfuse/plan/errors";
export { evaluate as evaluateIndex, type IndexExpr } from "@gridfuse/plan/index-expr";
export { type OptionCheck, type OptionNames, optionCheck } from "@gridfuse/plan/options";
export {
  applyNode,
  type Bits,
  bitsDType,
  type DType,
  dtypes,
  evaluateProgram,
  fromBits,
  is64BitInteger,
  isDType,
  isFloat,
  isInteger,
  isSigned,
  itemSize,
  kindOf,
  type Lanes,
  lanes,
  loadLanes,
  math as scalarMath,
  type Scalar,
  ScalarBuilder,
  type ScalarNode,
  type ScalarValue,
  type StorageArray,
  storageArray,
  storeLanes,
  toBits,
} from "@gridfuse/plan/scalar";
