"""What NumPy says of an op: the other side of test/oracle/numpy.test.ts.

Reads a JSON list of {"op", "params", "operands"} from standard input and writes a JSON list of lists
of results. A tensor is {"dtype", "shape", "data"}, data being base64 of its little-endian elements.
Op and parameter names are those of the gridfuse vocabulary. NumPy must be 2.0 or newer.
"""

import base64
import json
import sys

import numpy as np

if int(np.__version__.split(".")[0]) < 2:
    sys.exit("NumPy 2.0 or newer is needed")


def decode(tensor):
    data = np.frombuffer(base64.b64decode(tensor["data"]), dtype=tensor["dtype"])
    return data.reshape(tensor["shape"]).copy()


def encode(array):
    array = np.asarray(array)
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": data}


def reduction(ufunc):
    return lambda p, x: ufunc.reduce(x, axis=tuple(p["axes"]), dtype=x.dtype)


def cumulative(ufunc):
    def run(p, x):
        axis = p["axis"]
        turned = np.flip(x, axis) if p["reverse"] else x
        sums = ufunc.accumulate(turned, axis=axis, dtype=x.dtype)
        return np.flip(sums, axis) if p["reverse"] else sums

    return run


def signed(x):
    return x.view(f"int{8 * x.itemsize}")


def unsigned(x):
    return x.view(f"uint{8 * x.itemsize}")


def shift_right_logical(p, x, y):
    """Shifts in zeros, whatever the sign."""
    return np.right_shift(unsigned(x), unsigned(y)).view(x.dtype)


def shift_right_arithmetic(p, x, y):
    """Shifts in the top bit, of unsigned dtypes too; the amount is unsigned."""
    amount = np.minimum(unsigned(y), 8 * x.itemsize - 1)
    return np.right_shift(signed(x), signed(amount)).view(x.dtype)


def broadcast_in_dim(p, x):
    shape = [1] * len(p["shape"])
    for own, to in enumerate(p["broadcastDimensions"]):
        shape[to] = x.shape[own]
    return np.broadcast_to(x.reshape(shape), p["shape"])


def strided(p, x):
    ranges = zip(p["start"], p["limit"], p["strides"])
    return x[tuple(slice(*each) for each in ranges)]


def pad(p, x, padding):
    config = p["config"]
    dilated = [0 if n == 0 else (n - 1) * (c["interior"] + 1) + 1 for n, c in zip(x.shape, config)]
    out = np.full(dilated, padding, x.dtype)
    out[tuple(slice(None, None, c["interior"] + 1) for c in config)] = x
    grown = [(max(c["lo"], 0), max(c["hi"], 0)) for c in config]
    out = np.pad(out, grown, constant_values=padding) if config else out
    ends = [n - max(-c["hi"], 0) for n, c in zip(out.shape, config)]
    return out[tuple(slice(max(-c["lo"], 0), end) for c, end in zip(config, ends))]


def window(shape, sizes, starts):
    clipped = [min(max(int(s), 0), n - size) for s, n, size in zip(starts, shape, sizes)]
    return tuple(slice(s, s + size) for s, size in zip(clipped, sizes))


def dynamic_update_slice(p, x, update, *starts):
    out = x.copy()
    out[window(x.shape, update.shape, starts)] = update
    return out


def sort(p, *operands):
    axis = p["dimension"]
    order = np.argsort(operands[p["keys"] - 1], axis=axis, kind="stable")
    for key in reversed(operands[: p["keys"] - 1]):
        sorted_so_far = np.take_along_axis(key, order, axis)
        again = np.argsort(sorted_so_far, axis=axis, kind="stable")
        order = np.take_along_axis(order, again, axis)
    return [np.take_along_axis(operand, order, axis) for operand in operands]


def top_k(p, x):
    """Backwards, sorted, and backwards again: equal elements end in their first order."""
    last = x.shape[-1] - 1
    order = last - np.flip(np.argsort(np.flip(x, -1), axis=-1, kind="stable"), -1)
    order = order[..., : p["k"]]
    return [np.take_along_axis(x, order, -1), order.astype("int32")]


def bitcast(p, x):
    ratio = np.dtype(p["dtype"]).itemsize / x.itemsize
    shape = x.shape if ratio == 1 else x.shape[:-1] if ratio > 1 else (*x.shape, int(1 / ratio))
    return np.ascontiguousarray(x).reshape(-1).view(p["dtype"]).reshape(shape)


def integer_pow(p, x):
    out = np.ones_like(x)
    for _ in range(p["y"]):
        out = out * x
    return out


def dot_general(p, x, y):
    """By einsum: one letter a dimension, the same for paired ones."""
    x, y = x.astype(p["accumulate"]), y.astype(p["accumulate"])
    left = [chr(ord("a") + i) for i in range(x.ndim)]
    right = [chr(ord("A") + i) for i in range(y.ndim)]
    for l, r in zip(p["batch"][0] + p["contract"][0], p["batch"][1] + p["contract"][1]):
        right[r] = left[l]
    paired = p["batch"][0] + p["contract"][0]
    free_left = [left[i] for i in range(x.ndim) if i not in paired]
    free_right = [right[i] for i in range(y.ndim) if i not in p["batch"][1] + p["contract"][1]]
    batch = [left[i] for i in p["batch"][0]]
    result = batch + free_left + free_right
    spec = f"{''.join(left)},{''.join(right)}->{''.join(result)}"
    return np.einsum(spec, x, y).astype(p["dtype"])


def numpy_index(link, indices):
    """One link of a ref view as a NumPy index."""

    def source(of):
        return int(indices[of["operand"]]) if isinstance(of, dict) else of

    def one(indexer):
        if indexer["kind"] == "int":
            return source(indexer["index"])
        if indexer["kind"] == "array":
            return indices[indexer["operand"]]
        start = source(indexer["start"])
        return slice(start, start + indexer["size"] * indexer["stride"], indexer["stride"])

    return tuple(one(indexer) for indexer in link)


def get(p, ref, *indices):
    for link in p["transforms"]:
        ref = ref[numpy_index(link, indices)]
    return ref


def take_along_axis(p, x, indices):
    return np.take_along_axis(x, indices, p["axis"])


def scatter_at(p, x, indices, updates):
    out = x.copy()
    at = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}
    at[p["combine"]].at(out, indices, updates)
    return out


def unary(function):
    return lambda p, x: function(x).astype(x.dtype)


def binary(function):
    return lambda p, x, y: function(x, y).astype(x.dtype)


def compare(function):
    return lambda p, x, y: function(x, y)


def select_n(p, which, *cases):
    return np.choose(which.astype("int32"), cases)


OPS = {
    **{name: unary(getattr(np, name)) for name in "abs sign floor ceil exp exp2 expm1 log log1p log2".split()},
    **{name: unary(getattr(np, name)) for name in "sin cos tan sinh cosh tanh sqrt cbrt square".split()},
    **{name: unary(getattr(np, "arc" + name[1:])) for name in "asin acos atan asinh acosh atanh".split()},
    "neg": unary(np.negative),
    "round": unary(np.rint),
    "is_finite": lambda p, x: np.isfinite(x),
    "not": unary(np.invert),
    "population_count": lambda p, x: np.bitwise_count(unsigned(x)).astype(x.dtype),
    "integer_pow": integer_pow,
    "convert_element_type": lambda p, x: x.astype(p["dtype"]),
    "bitcast_convert_type": bitcast,
    "add": binary(np.add),
    "sub": binary(np.subtract),
    "mul": binary(np.multiply),
    "div": binary(np.divide),
    "rem": binary(np.fmod),
    "max": binary(np.maximum),
    "min": binary(np.minimum),
    "pow": binary(np.power),
    "atan2": binary(np.arctan2),
    "nextafter": binary(np.nextafter),
    "and": binary(np.bitwise_and),
    "or": binary(np.bitwise_or),
    "xor": binary(np.bitwise_xor),
    "shift_left": binary(np.left_shift),
    "shift_right_arithmetic": shift_right_arithmetic,
    "shift_right_logical": shift_right_logical,
    "eq": compare(np.equal),
    "ne": compare(np.not_equal),
    "lt": compare(np.less),
    "le": compare(np.less_equal),
    "gt": compare(np.greater),
    "ge": compare(np.greater_equal),
    "select_n": select_n,
    "clamp": lambda p, lo, x, hi: np.minimum(np.maximum(x, lo), hi),
    "broadcast_in_dim": broadcast_in_dim,
    "reshape": lambda p, x: x.reshape(p["shape"]),
    "transpose": lambda p, x: x.transpose(p["permutation"]),
    "slice": strided,
    "rev": lambda p, x: np.flip(x, tuple(p["dimensions"])),
    "pad": pad,
    "concatenate": lambda p, *xs: np.concatenate(xs, p["dimension"]),
    "dynamic_slice": lambda p, x, *starts: x[window(x.shape, p["sizes"], starts)],
    "dynamic_update_slice": dynamic_update_slice,
    "reduce_sum": reduction(np.add),
    "reduce_prod": reduction(np.multiply),
    "reduce_max": reduction(np.maximum),
    "reduce_min": reduction(np.minimum),
    "reduce_and": reduction(np.bitwise_and),
    "reduce_or": reduction(np.bitwise_or),
    "reduce_xor": reduction(np.bitwise_xor),
    "argmax": lambda p, x: np.argmax(x, p["axis"]).astype(p["indexDType"]),
    "argmin": lambda p, x: np.argmin(x, p["axis"]).astype(p["indexDType"]),
    "cumsum": cumulative(np.add),
    "cumprod": cumulative(np.multiply),
    "cummax": cumulative(np.maximum),
    "cummin": cumulative(np.minimum),
    "dot_general": dot_general,
    "sort": sort,
    "top_k": top_k,
    "get": get,
    "take_along_axis": take_along_axis,
    "scatter_at": scatter_at,
}


def answer(request):
    operands = [decode(operand) for operand in request["operands"]]
    with np.errstate(all="ignore"):
        results = OPS[request["op"]](request["params"], *operands)
    return [encode(result) for result in (results if isinstance(results, list) else [results])]


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
