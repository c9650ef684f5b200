"""Grids and block specs."""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .registry import BlockSpec, f32, floats, i32, ints, pallas_call, program


@program(floats(8, 16))
def whole_array(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] + 1.0

    return pallas_call(kernel, out_shape=f32(8, 16))(x)


@program(floats(32))
def one_axis(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] * 2.0 + pl.program_id(0).astype(jnp.float32)

    spec = BlockSpec((8,), lambda i: (i,))
    return pallas_call(kernel, out_shape=f32(32), grid=(4,), in_specs=[spec], out_specs=spec)(x)


@program(floats(10, 13))
def ragged(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = -x_ref[...]

    spec = BlockSpec((4, 8), lambda i, j: (i, j))
    return pallas_call(kernel, out_shape=f32(10, 13), grid=(3, 2), in_specs=[spec], out_specs=spec)(x)


@program(floats(3), ints(3))
def padding_is_poison(x, n):
    def kernel(x_ref, n_ref, o_ref, p_ref):
        o_ref[...] = x_ref[...]
        p_ref[...] = n_ref[...]

    spec = BlockSpec((5,), lambda i: (0,))
    return pallas_call(
        kernel, out_shape=(f32(5), i32(5)), grid=(1,), in_specs=[spec, spec], out_specs=(spec, spec)
    )(x, n)


@program(floats(4, 8))
def squeezed(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] - pl.num_programs(0)

    spec = BlockSpec((None, 8), lambda i: (i, 0))
    return pallas_call(kernel, out_shape=f32(4, 8), grid=(4,), in_specs=[spec], out_specs=spec)(x)


@program(ints(18))
def overlapping_windows(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.sum(x_ref[...], keepdims=True)

    return pallas_call(
        kernel,
        out_shape=i32(8),
        grid=(8,),
        in_specs=[BlockSpec((pl.Element(4),), lambda i: (i * 2,))],
        out_specs=BlockSpec((1,), lambda i: (i,)),
    )(x)


@program(floats(8))
def virtual_padding(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...]

    return pallas_call(
        kernel,
        out_shape=f32(16),
        grid=(2,),
        in_specs=[BlockSpec((pl.Element(8, (4, 4)),), lambda i: (i * 8,))],
        out_specs=BlockSpec((8,), lambda i: (i,)),
    )(x)


@program(floats(32, 16), floats(16, 24), ulp=32)
def matmul_accumulates(x, y):
    def kernel(x_ref, y_ref, o_ref):
        @pl.when(pl.program_id(2) == 0)
        def _():
            o_ref[...] = jnp.zeros_like(o_ref)

        o_ref[...] += x_ref[...] @ y_ref[...]

    return pallas_call(
        kernel,
        out_shape=f32(32, 24),
        grid=(2, 3, 2),
        in_specs=[
            BlockSpec((16, 8), lambda i, j, k: (i, k)),
            BlockSpec((8, 8), lambda i, j, k: (k, j)),
        ],
        out_specs=BlockSpec((16, 8), lambda i, j, k: (i, j)),
    )(x, y)


@program(jnp.array([4, 3, 2, 5, 3, 5, 2, 7], jnp.int32), floats(32, 8))
def scalar_prefetch(s, x):
    def kernel(s_ref, x_ref, o_ref):
        o_ref[...] = x_ref[...] * s_ref[pl.program_id(0)].astype(jnp.float32)

    grid_spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=1,
        grid=(8,),
        in_specs=[BlockSpec((4, 8), lambda i, s: (s[i], 0))],
        out_specs=BlockSpec((4, 8), lambda i, s: (i, 0)),
    )
    return pallas_call(kernel, out_shape=f32(32, 8), grid_spec=grid_spec)(s, x)


@program(jnp.int32(3), floats(4, 8))
def grid_of_computed_size(n, x):
    def kernel(x_ref, o_ref, sum_ref):
        @pl.when(pl.program_id(0) == 0)
        def _():
            sum_ref[...] = jnp.zeros_like(sum_ref)

        sum_ref[...] += x_ref[...]
        o_ref[...] = sum_ref[...] * pl.num_programs(0)

    return pallas_call(
        kernel,
        out_shape=f32(1, 8),
        grid=(n,),
        in_specs=[BlockSpec((1, 8), lambda i: (i, 0))],
        out_specs=BlockSpec((1, 8), lambda i: (0, 0)),
        scratch_shapes=[pltpu.VMEM((1, 8), jnp.float32)],
    )(x)


@program(floats(3, 4, 8), floats(8))
def vmapped_twice(x, y):
    def kernel(x_ref, y_ref, o_ref):
        o_ref[...] = x_ref[...] + y_ref[...] * pl.program_id(0)

    def call(x, y):
        spec = BlockSpec((4,), lambda i: (i,))
        return pallas_call(
            kernel, out_shape=f32(8), grid=(2,), in_specs=[spec, spec], out_specs=spec
        )(x, y)

    return jax.vmap(jax.vmap(call, in_axes=(0, None)), in_axes=(0, None))(x, y)


@program(floats(8, 8))
def output_starts_as_input(x):
    def kernel(x_ref, o_ref):
        o_ref[0] = x_ref[0] * 10.0

    return pallas_call(kernel, out_shape=f32(8, 8), input_output_aliases={0: 0})(x)


@program(jnp.array([3, 1, 0, 2, 7, 6, 5, 4], jnp.int32), floats(8, 4))
def rows_at_prefetched_indices(at, x):
    def kernel(at_ref, x_ref, o_ref):
        o_ref[...] = x_ref[at_ref[pl.program_id(0)]]

    grid_spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=1,
        grid=(8,),
        in_specs=[BlockSpec((8, 4), lambda i, at: (0, 0))],
        out_specs=BlockSpec((None, 4), lambda i, at: (i, 0)),
    )
    return pallas_call(kernel, out_shape=f32(8, 4), grid_spec=grid_spec)(at, x)


@program(jnp.int32(2), floats(16, 8))
def index_map_asks_for_the_size_of_the_grid(n, x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...]

    in_spec = BlockSpec((4, 8), lambda i: (pl.num_programs(0) - 1 - i, 0))
    out_spec = BlockSpec((4, 8), lambda i: (i, 0))
    return pallas_call(kernel, out_shape=f32(16, 8), grid=(n * 2,), in_specs=[in_spec], out_specs=out_spec)(x)
