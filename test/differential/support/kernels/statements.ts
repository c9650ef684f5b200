/** What random kernels do in one line: read, write and accumulate refs, compute, print. */
import {
  add,
  argmax,
  astype,
  bitcast,
  cumsum,
  debugPrint,
  dynamicSlice,
  dynamicUpdateSlice,
  full,
  matmul,
  maximum,
  minimum,
  mul,
  neg,
  type Ref,
  reshape,
  sort,
  sqrt,
  sub,
  type Tensor,
  take,
  when,
  where,
} from "@gridfuse/graph";
import { isFloat } from "@gridfuse/plan";
import { combinable, fit, fitTo, type StatementKinds, sizesOf } from "./body.ts";

type Binary = (x: Tensor, y: Tensor) => Tensor;

export const statements: StatementKinds = {
  read(body, dice) {
    body.add(body.ref(dice).get() as Tensor);
  },
  readWindow(body, dice) {
    const ref = body.ref(dice);
    body.add(ref.get(...(body.window(ref, dice) as never[])) as Tensor);
  },
  write(body, dice) {
    const ref = body.ref(dice);
    ref.set(fitTo(body.any(dice), ref));
  },
  writeWindow(body, dice) {
    const ref = body.ref(dice);
    const view = ref.at(...(body.window(ref, dice) as never[])) as Ref;
    view.set(fitTo(body.any(dice), view));
  },
  accumulate(body, dice) {
    const ref = body.ref(dice);
    if (combinable(ref)) ref.add(fitTo(body.any(dice), ref));
  },
  accumulateWindow(body, dice) {
    const ref = body.ref(dice);
    if (!combinable(ref)) return;
    const view = ref.at(...(body.window(ref, dice) as never[])) as Ref;
    view.add(fitTo(body.any(dice), view));
  },
  fold(body, dice) {
    const ref = body.ref(dice);
    const op = dice.pick([maximum, minimum]) as Binary;
    ref.set(op(ref.get() as Tensor, fitTo(body.any(dice), ref)));
  },
  initialise(body, dice) {
    const ref = body.ref(dice);
    const value = full(ref.dtype, sizesOf(ref), dice.pick([0, 1]));
    when(dice.pick(body.world.ids).isFirst, () => ref.set(value));
  },
  publish(body, dice) {
    const [from, to] = [body.ref(dice), body.ref(dice)];
    when(dice.pick(body.world.ids).isLast, () => to.set(fitTo(from.get() as Tensor, to)));
  },
  arithmetic(body, dice) {
    const [x, y] = body.alike(dice);
    if (x.dtype === "bool") return body.add(maximum(x, y) as Tensor);
    const op = dice.pick([add, sub, maximum, minimum, mul]) as Binary;
    body.add(op(x, y));
  },
  change(body, dice) {
    const x = body.any(dice);
    const number = x.dtype === "bool" ? (astype(x, "int32") as Tensor) : x;
    switch (dice.below(4)) {
      case 0:
        return body.add(neg(number) as Tensor);
      case 1:
        return body.add(astype(x, dice.pick(["float32", "int32", "int8", "float16"])) as Tensor);
      case 2:
        return body.add(x.dtype === "float32" ? (bitcast(x, "int32") as Tensor) : number);
      default:
        return body.add(sqrt(isFloat(x.dtype) ? x : astype(x, "float32")) as Tensor);
    }
  },
  reduce(body, dice) {
    const x = body.any(dice);
    if (x.ndim === 0 || x.dtype === "bool") return;
    const axis = dice.below(x.ndim);
    const keepDims = dice.flip();
    switch (dice.below(3)) {
      case 0:
        return body.add(x.sum({ axis, keepDims }) as Tensor);
      case 1:
        return body.add(x.max({ axis, keepDims }) as Tensor);
      default:
        return body.add(argmax(x, { axis }) as Tensor);
    }
  },
  order(body, dice) {
    const x = body.array(dice);
    if (x.dtype === "bool" || dice.flip()) return body.add(sort(x) as Tensor);
    body.add(cumsum(x, { axis: dice.below(x.ndim) }) as Tensor);
  },
  multiply(body, dice) {
    const dtype = dice.pick(["float32", "int32"] as const);
    const [x, y] = [body.any(dice), body.any(dice)];
    body.add(matmul(fit(x, dtype, [2, 3]), fit(y, dtype, [3, 2])) as Tensor);
  },
  pick(body, dice) {
    const x = body.array(dice);
    const indices = fit(body.any(dice), "int32", [2]);
    body.add(take(x, indices, { axis: dice.below(x.ndim), mode: "clip" }) as Tensor);
  },
  cut(body, dice) {
    const x = body.array(dice);
    const starts = sizesOf(x).map(() => (dice.flip() ? 0 : body.integer(dice)));
    const sizes = sizesOf(x).map((extent) => 1 + dice.below(extent));
    body.add(dynamicSlice(x, starts, sizes) as Tensor);
  },
  patch(body, dice) {
    const x = body.array(dice);
    const starts = sizesOf(x).map(() => (dice.flip() ? 0 : body.integer(dice)));
    const sizes = sizesOf(x).map((extent) => 1 + dice.below(extent));
    body.add(dynamicUpdateSlice(x, fit(body.any(dice), x.dtype, sizes), starts) as Tensor);
  },
  turn(body, dice) {
    const x = body.array(dice);
    const flat = reshape(x, [-1]) as Tensor;
    body.add(dice.flip() ? (x.flip([dice.below(x.ndim)]) as Tensor) : flat);
  },
  print(body, dice) {
    debugPrint("{} at {}", body.integer(dice), dice.pick(body.world.ids));
  },
  choose(body, dice) {
    const [x, y] = body.alike(dice);
    body.add(where(body.condition(dice), x, y) as Tensor);
  },
};
