"""Scratch, copies, semaphores."""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .registry import BlockSpec, f32, floats, i32, ints, pallas_call, program

ANY = BlockSpec(memory_space=pl.ANY)


@program(floats(16, 8), ulp=0)
def scratch_lives_on(x):
    def kernel(x_ref, o_ref, sum_ref):
        @pl.when(pl.program_id(0) == 0)
        def _():
            sum_ref[...] = jnp.zeros_like(sum_ref)

        sum_ref[...] += x_ref[...]
        o_ref[...] = sum_ref[...]

    spec = BlockSpec((4, 8), lambda i: (i, 0))
    return pallas_call(
        kernel,
        out_shape=f32(16, 8),
        grid=(4,),
        in_specs=[spec],
        out_specs=spec,
        scratch_shapes=[pltpu.VMEM((4, 8), jnp.float32)],
    )(x)


@program(floats(8, 16))
def copy_of_an_array(x):
    def kernel(x_ref, o_ref):
        def body(sem):
            copy = pltpu.make_async_copy(x_ref, o_ref, sem)
            copy.start()
            copy.wait()

        pl.run_scoped(body, pltpu.SemaphoreType.DMA)

    return pallas_call(kernel, out_shape=f32(8, 16), in_specs=[ANY], out_specs=ANY)(x)


@program(floats(16, 8))
def copies_through_a_buffer(x):
    def kernel(x_ref, o_ref):
        def body(buffer, sem):
            @pl.loop(0, 4)
            def _(i):
                rows = pl.ds(i * 4, 4)
                pltpu.async_copy(x_ref.at[rows], buffer, sem).wait()
                buffer[...] = buffer[...] * 2.0
                pltpu.async_copy(buffer, o_ref.at[rows], sem).wait()

        pl.run_scoped(body, pltpu.VMEM((4, 8), jnp.float32), pltpu.SemaphoreType.DMA)

    return pallas_call(kernel, out_shape=f32(16, 8), in_specs=[ANY], out_specs=ANY)(x)


@program(floats(1))
def semaphores_count(x):
    def kernel(x_ref, o_ref):
        def body(sem):
            pl.semaphore_signal(sem, 5)
            pl.semaphore_wait(sem, 3)
            o_ref[...] = jnp.full((1,), pl.semaphore_read(sem))

        pl.run_scoped(body, pltpu.SemaphoreType.REGULAR)

    return pallas_call(kernel, out_shape=i32(1))(x)


@program(jnp.array([5], jnp.int32), floats(8, 16))
def rolls(n, x):
    def kernel(n_ref, x_ref, o_ref, p_ref, q_ref):
        o_ref[...] = pltpu.roll(x_ref[...], 3, 1)
        p_ref[...] = pltpu.roll(x_ref[...], n_ref[0], 0)
        q_ref[...] = pltpu.roll(x_ref[...], 1, 1, stride=2, stride_axis=0)

    return pallas_call(kernel, out_shape=(f32(8, 16),) * 3)(n, x)


@program(floats(8, 8))
def repacked_bits(x):
    def kernel(x_ref, o_ref, p_ref):
        half = pltpu.bitcast(x_ref[...], jnp.uint16)
        o_ref[...] = half.astype(jnp.int32)
        p_ref[...] = pltpu.bitcast(half, jnp.float32)

    return pallas_call(kernel, out_shape=(i32(16, 8), f32(8, 8)))(x)


@program(floats(4, 8), ulp=2)
def state_outside_of_kernels(x):
    def body(refs):
        x_ref, y_ref = refs
        y_ref[...] = x_ref[...] * 3.0
        x_ref[0] = jnp.zeros(8, jnp.float32)

    from jax._src.state.discharge import run_state

    return run_state(body)((x, jnp.zeros_like(x)))


@program(jnp.array([3, 1], jnp.int32), floats(4, 8))
def prefetched_operands_are_written(n, x):
    def kernel(n_ref, x_ref, o_ref):
        n_ref[0] = n_ref[0] + pl.program_id(0)
        o_ref[...] = x_ref[...] * n_ref[0].astype(jnp.float32)

    spec = BlockSpec((1, 8), lambda i, n: (i, 0))
    grid_spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=1, grid=(4,), in_specs=[spec], out_specs=spec
    )
    return pallas_call(kernel, out_shape=f32(4, 8), grid_spec=grid_spec)(n, x)


@program(floats(3))
def semaphores_of_a_kernel(x):
    def kernel(x_ref, o_ref, sem):
        pl.semaphore_signal(sem, 2)
        o_ref[...] = jnp.full((1,), pl.semaphore_read(sem))

    spec = BlockSpec((1,), lambda i: (i,))
    scratch = [pltpu.SemaphoreType.REGULAR]
    return pallas_call(
        kernel, out_shape=i32(3), grid=(3,), in_specs=[spec], out_specs=spec, scratch_shapes=scratch
    )(x)


@program(floats(4))
def int16_starts_at_zero(x):
    """Semaphores are int16 cells in JAX's interpreter, so everything of that dtype starts like them."""

    def kernel(x_ref, o_ref, p_ref, scratch):
        o_ref[:2] = x_ref[:2].astype(jnp.int16)
        p_ref[...] = scratch[...].astype(jnp.int32)

    out_shape = (jax.ShapeDtypeStruct((4,), jnp.int16), i32(4))
    return pallas_call(kernel, out_shape=out_shape, scratch_shapes=[pltpu.VMEM((4,), jnp.int16)])(x)


@program(ints(8, least=0, most=16), floats(16, 8))
def copies_of_rows_by_indices(at, x):
    """Rows that an array names, gathered by one copy and scattered by another; the array as a value, and in memory."""

    def kernel(at_ref, x_ref, rows_ref, back_ref, sem):
        pltpu.async_copy(x_ref.at[at_ref[...]], rows_ref, sem).wait()
        back_ref[...] = jnp.zeros_like(back_ref)
        pltpu.async_copy(rows_ref, back_ref.at[at_ref], sem).wait()

    return pallas_call(
        kernel,
        out_shape=(f32(8, 8), f32(16, 8)),
        in_specs=[BlockSpec(memory_space=pltpu.VMEM), ANY],
        out_specs=(ANY, ANY),
        scratch_shapes=[pltpu.SemaphoreType.DMA],
    )(at, x)
