"""What lax does to whole arrays: movement, indexing, sorting, contractions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .registry import floats, ints, program

x8 = floats(8, 8)


@program(x8)
def pads_and_slices(x):
    grown = jnp.pad(x, ((1, 2), (0, 3)), constant_values=5)
    cropped = lax.pad(x, jnp.float32(0), ((-1, 2, 1), (0, -3, 0)))
    return grown, cropped, x[::-1, 1:7:2], jnp.tile(x, (2, 3)), jnp.roll(x, 3, 1)


@program(x8)
def gathers(x):
    index = (jnp.abs(x) * 10).astype(jnp.int32) % 12 - 2
    return (
        jnp.take_along_axis(x, index, 1),
        x[jnp.array([3, 1, 9, -1])],
        jnp.take(x, jnp.array([1, 99]), axis=1),
        lax.dynamic_slice(x, (jnp.int32(6), jnp.int32(-2)), (3, 4)),
    )


@program(x8)
def scatters(x):
    rows = jnp.array([1, 2, 1])
    return x.at[rows].add(1.0), x.at[1:3, ::2].set(0.0), x.at[jnp.array([20])].mul(2.0)


@program(jnp.where(x8 > 1, jnp.nan, jnp.where(x8 < -1, -0.0, x8)))
def sorts(x):
    return jnp.sort(x, 1), jnp.argsort(x, 0), lax.top_k(x, 3), jnp.lexsort((x[0], jnp.round(x[1])))


@program(x8, ints(8, 8), ulp=16)
def reductions(x, n):
    return (
        jnp.max(x, 0),
        jnp.argmax(x, 1),
        jnp.argmin(n),
        jnp.cumsum(n, 1),
        lax.cummax(x, axis=0, reverse=True),
        jnp.any(x > 1, 1),
        jnp.prod(n, 0),
        jnp.sum(x),
        lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID"),
    )


@program(floats(2, 9, 7), ints(9, 7), floats(3, 50), ulp=16)
def windows(x, n, rows):
    half = rows.astype(jnp.float16)
    byte = n.astype(jnp.uint8)
    dilated = {"base_dilation": (2, 1), "window_dilation": (1, 3)}
    return (
        lax.reduce_window(x, 0.0, lax.add, (1, 3, 3), (1, 1, 2), "SAME"),
        lax.reduce_window(x, jnp.inf, lax.min, (2, 3, 5), (1, 2, 1), ((1, 1), (0, 2), (4, 1))),
        lax.reduce_window(n, 0, lax.add, (2, 2), (2, 1), ((1, 2), (0, 3)), **dilated),
        lax.reduce_window(n, np.iinfo("int32").min, lax.max, (4, 2), (3, 2), "SAME", **dilated),
        lax.reduce_window(byte, np.uint8(255), lax.min, (3, 1), (1, 1), ((3, 3), (0, 0))),
        lax.reduce_window(rows, 0.0, lax.add, (1, 40), (1, 3), ((0, 0), (20, 20))),
        lax.reduce_window(half, -np.float16(jnp.inf), lax.max, (1, 40), (1, 1), "VALID"),
    )


@program(floats(2, 4, 8), floats(2, 8, 4), ints(4, 4), ulp=32)
def contractions(x, y, n):
    small = n.astype(jnp.int8)
    return (
        jnp.einsum("bij,bjk->bik", x, y),
        lax.dot_general(small, small, (((1,), (1,)), ((), ())), preferred_element_type=jnp.int32),
        jnp.einsum("bij,bkj->ik", x, x),
    )


@program(floats(1, 2, 6, 6), floats(3, 2, 3, 3), ulp=64)
def convolution(x, w):
    return lax.conv_general_dilated(x, w, (2, 1), "SAME", rhs_dilation=(1, 2))


@program(floats(2, 5, 5, 4), floats(2, 3, 2, 4), ints(4, 2, 6), ints(4, 2, 2), ulp=64)
def convolutions_in_groups(x, w, n, m):
    return (
        lax.conv_general_dilated(
            x,
            w,
            (1, 2),
            ((1, 0), (2, 1)),
            lhs_dilation=(2, 1),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=2,
        ),
        lax.conv_general_dilated(n, m, (1,), "VALID", batch_group_count=2),
    )


@program(jax.random.key_data(jax.random.key(7)))
def random_numbers(seed):
    key = jax.random.wrap_key_data(seed)
    first, second, third = jax.random.split(key, 3)
    return (
        jax.random.bits(first, (5,), jnp.uint8),
        jax.random.randint(jax.random.fold_in(second, 3), (9,), 0, 100),
        jax.random.permutation(third, 17),
        jax.random.uniform(key, (3, 3)),
        first,
    )
