"""What jax.random draws: the values behind test/oracle/jax-random.test.ts.

    python3 test/tools/jax-random-vectors.py > test/oracle/vectors/jax-random.json

Needs jax 0.9.2. Every entry says which function was called with which arguments; "data" is base64 of the
little-endian elements. Keys are raw pairs of uint32.
"""

import base64
import json

import jax
import numpy as np

assert jax.__version__ == "0.9.2", jax.__version__
jax.config.update("jax_enable_x64", True)
random = jax.random


def entry(function, seed, array, **arguments):
    array = np.asarray(array)
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    shape = list(array.shape)
    result = {"function": function, "seed": seed, "dtype": str(array.dtype), "shape": shape}
    return {**result, **arguments, "data": data}


def entries(seed):
    key = random.key(seed)
    yield entry("split", seed, random.key_data(random.split(key, 5)))
    yield entry("foldIn", seed, random.key_data(random.fold_in(key, 17)), number=17)
    for dtype in ["uint8", "uint16", "uint32", "uint64"]:
        yield entry("bits", seed, random.bits(key, (3, 7), dtype))
    for dtype in ["float16", "bfloat16", "float32", "float64"]:
        yield entry("uniform", seed, random.uniform(key, (40,), dtype))
        # Bounds whose difference is a power of two: XLA's CPU compiler may fuse the multiplication and the
        # addition into one rounding, and here that makes no difference.
        yield entry("uniform", seed, random.uniform(key, (4, 5), dtype, -3, 1), least=-3, most=1)
        yield entry("normal", seed, random.normal(key, (64,), dtype))
    for dtype, least, most in [
        ("int32", -10, 10),
        ("int32", 0, 2**31 - 1),
        ("int32", 5, 5),
        ("int32", 0, 1),
        ("uint32", 1, 2**32 - 1),
        ("int8", -128, 128),
        ("uint8", 0, 200),
        ("uint8", 0, 256),
        ("int16", -300, 301),
        ("int64", -5, 10**9),
    ]:
        draw = random.randint(key, (33,), least, most, dtype)
        yield entry("randint", seed, draw, least=least, most=most)


print("[")
print(",\n".join(json.dumps(e) for seed in [0, 42, 2**32 - 5] for e in entries(seed)))
print("]")
