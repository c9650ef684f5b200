"""Reading and writing views of refs."""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.experimental.pallas import triton as plgpu

from .registry import BlockSpec, f32, floats, i32, ints, pallas_call, program


@program(floats(8, 4), jnp.array([1, 2], jnp.int32))
def row_at_a_computed_index(x, i):
    def kernel(x_ref, i_ref, o_ref):
        o_ref[...] = x_ref[jnp.sum(i_ref[...]), :]

    return pallas_call(kernel, out_shape=f32(4))(x, i)


@program(floats(8, 8), jnp.array([1, 6], jnp.int32))
def dynamic_slices_are_clamped(x, i):
    def kernel(x_ref, i_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)
        o_ref[pl.ds(i_ref[0], 4)] = x_ref[pl.ds(i_ref[1], 4)]

    return pallas_call(kernel, out_shape=f32(8, 8))(x, i)


@program(floats(8, 8))
def strides(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)
        o_ref[pl.ds(1, 4, 2)] = x_ref[::2]

    return pallas_call(kernel, out_shape=f32(8, 8))(x)


@program(floats(8, 4))
def views_of_views(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...]
        o_ref.at[pl.ds(2, 4)].at[1:3][...] = x_ref.at[0:4].at[1:3][...]

    return pallas_call(kernel, out_shape=f32(8, 4))(x)


@program(floats(4, 5, 6), jnp.array([0, 1, 2], jnp.int32), jnp.array([1, 3, 5], jnp.int32))
def array_indices_apart(x, i, j):
    def kernel(x_ref, i_ref, j_ref, o_ref):
        o_ref[...] = x_ref[i_ref[...], :, j_ref[...]]

    return pallas_call(kernel, out_shape=f32(3, 5))(x, i, j)


@program(floats(3, 6), jnp.array([0, 3, 2], jnp.int32))
def array_indices_written(x, i):
    def kernel(x_ref, i_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)
        o_ref[i_ref[...], 1] = x_ref[...]

    return pallas_call(kernel, out_shape=f32(4, 2, 6))(x, i)


@program(floats(8, 16), ints(8, 16, least=0, most=2))
def masked(x, m):
    def kernel(x_ref, m_ref, o_ref):
        o_ref[...] = jnp.ones_like(o_ref)
        mask = m_ref[...] > 0
        value = pltpu.load(x_ref.at[:], mask=mask)
        pltpu.store(o_ref.at[:], value * 2.0, mask=mask)

    return pallas_call(kernel, out_shape=f32(8, 16))(x, m)


@program(ints(4, 8), jnp.array([1, 3, 1, 0], jnp.int32))
def atomic_updates(x, where):
    def kernel(x_ref, where_ref, sums_ref, most_ref, first_ref):
        i = pl.program_id(0)

        @pl.when(i == 0)
        def _():
            sums_ref[...] = jnp.zeros_like(sums_ref)
            most_ref[...] = jnp.full_like(most_ref, -1000)
            first_ref[...] = jnp.zeros_like(first_ref)

        plgpu.atomic_add(sums_ref, where_ref[i], x_ref[i])
        plgpu.atomic_max(most_ref, (pl.ds(0, 2), pl.ds(0, 8)), jnp.stack([x_ref[i], -x_ref[i]]))
        plgpu.atomic_cas(first_ref, jnp.int32(0), x_ref[i, 0])

    return pl.pallas_call(
        kernel, grid=(4,), out_shape=[i32(4, 8), i32(2, 8), i32()], interpret=True
    )(x, where)


@program(floats(8, 8))
def bits_of_a_ref(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref.bitcast(jnp.int16)[...].astype(jnp.int32)

    return pallas_call(kernel, out_shape=i32(16, 8))(x)


@program(floats(8, 16))
def another_shape_of_a_ref(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref.reshape(16, 8)[...]

    return pallas_call(kernel, out_shape=f32(16, 8))(x)


@program(jnp.array([True, False, True]))
def bools(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.logical_not(x_ref[...])

    return pallas_call(kernel, out_shape=jax.ShapeDtypeStruct((3,), jnp.bool_))(x)


@program(floats(8, 16), floats(8, 16, seed=1), ints(8, 16))
def masked_swap_gives_what_was_not_stored(x, y, m):
    """Where the mask is off, a masked swap gives the value that was not stored."""
    from jax._src.pallas import primitives

    def kernel(x_ref, y_ref, m_ref, o_ref, p_ref):
        o_ref[...] = y_ref[...]
        p_ref[...] = primitives.swap(o_ref, (slice(None),), x_ref[...], mask=m_ref[...] > 0)

    return pallas_call(kernel, out_shape=(f32(8, 16),) * 2)(x, y, m)


@program(floats(4, 8))
def refs_made_outside(x):
    """A kernel closes over memory that was there before and is read after; recorded with JAX 0.12, whose interpreter keeps it."""
    sums = jax.new_ref(jnp.ones((8,), jnp.float32))

    def kernel(x_ref, o_ref):
        sums[...] += x_ref[0]
        o_ref[...] = x_ref[...] * 2.0 + sums[...]

    spec = BlockSpec((1, 8), lambda i: (i, 0))
    y = pallas_call(kernel, out_shape=f32(4, 8), grid=(4,), in_specs=[spec], out_specs=spec)(x)
    sums[...] *= 3.0
    return y, sums[...]
