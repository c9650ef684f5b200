"""Kernels of our own, each a function of arrays that calls Pallas in interpret mode, with arguments to try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

Kernel = Callable[..., Any]
Case = tuple[Kernel, tuple[Any, ...]]


def _random(shape: tuple[int, ...], seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def elementwise(x: jax.Array, y: jax.Array) -> jax.Array:
    """One element a grid point."""
    n = x.shape[0]

    def kernel(x_ref: Any, y_ref: Any, o_ref: Any) -> None:
        o_ref[...] = jnp.sin((x_ref[...] + y_ref[...]) * 2)

    spec = pl.BlockSpec((1,), lambda i: (i,))
    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((n,), x.dtype),
        grid=(n,),
        in_specs=[spec, spec],
        out_specs=spec,
        interpret=True,
    )(x, y)


def softmax(x: jax.Array) -> jax.Array:
    """Rows in blocks of 16, the last one ragged."""
    rows, columns = x.shape

    def kernel(x_ref: Any, o_ref: Any) -> None:
        e = jnp.exp(x_ref[...] - jnp.max(x_ref[...], axis=1, keepdims=True))
        o_ref[...] = e / jnp.sum(e, axis=1, keepdims=True)

    spec = pl.BlockSpec((16, columns), lambda i: (i, 0))
    return pl.pallas_call(
        kernel,
        out_shape=x,
        grid=(pl.cdiv(rows, 16),),
        in_specs=[spec],
        out_specs=spec,
        interpret=True,
    )(x)


def matmul(x: jax.Array, y: jax.Array) -> jax.Array:
    """Accumulates along the last axis in scratch memory."""

    def kernel(x_ref: Any, y_ref: Any, o_ref: Any, sum_ref: Any) -> None:
        @pl.when(pl.program_id(2) == 0)
        def _() -> None:
            sum_ref[...] = jnp.zeros_like(sum_ref)

        sum_ref[...] += x_ref[...] @ y_ref[...]

        @pl.when(pl.program_id(2) == pl.num_programs(2) - 1)
        def _() -> None:
            o_ref[...] = sum_ref[...].astype(o_ref.dtype)

    m, k = x.shape
    n = y.shape[1]
    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((m, n), x.dtype),
        grid=(m // 16, n // 16, k // 16),
        in_specs=[
            pl.BlockSpec((16, 16), lambda i, j, k: (i, k)),
            pl.BlockSpec((16, 16), lambda i, j, k: (k, j)),
        ],
        out_specs=pl.BlockSpec((16, 16), lambda i, j, k: (i, j)),
        scratch_shapes=[pltpu.VMEM((16, 16), jnp.float32)],
        interpret=True,
    )(x, y)


def gather_rows(indices: jax.Array, x: jax.Array) -> jax.Array:
    """Prefetched scalars choose the block."""

    def kernel(indices_ref: Any, x_ref: Any, o_ref: Any) -> None:
        o_ref[...] = x_ref[...] * indices_ref[pl.program_id(0)].astype(jnp.float32)

    spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=1,
        grid=(indices.shape[0],),
        in_specs=[pl.BlockSpec((1, x.shape[1]), lambda i, indices: (indices[i], 0))],
        out_specs=pl.BlockSpec((1, x.shape[1]), lambda i, indices: (i, 0)),
    )
    shape = jax.ShapeDtypeStruct((indices.shape[0], x.shape[1]), x.dtype)
    return pl.pallas_call(kernel, grid_spec=spec, out_shape=shape, interpret=True)(indices, x)


def loops(x: jax.Array) -> jax.Array:
    """A loop in the kernel that reads and writes slices, and a loop until something holds."""

    def kernel(x_ref: Any, o_ref: Any) -> None:
        def add(i: Any, total: Any) -> Any:
            o_ref[pl.ds(i, 1), :] = x_ref[pl.ds(i, 1), :] * 2
            return total + x_ref[i, 0]

        total = jax.lax.fori_loop(0, x_ref.shape[0], add, jnp.float32(0))
        steps, _ = jax.lax.while_loop(
            lambda state: jnp.abs(state[1]) > 1,
            lambda state: (state[0] + 1, state[1] / 2),
            (jnp.int32(0), total * 100),
        )
        o_ref[0, 0] = steps.astype(jnp.float32)

    return pl.pallas_call(kernel, out_shape=x, interpret=True)(x)


def copies(x: jax.Array) -> jax.Array:
    """A copy into scratch memory and back."""

    def kernel(x_ref: Any, o_ref: Any) -> None:
        def body(scratch_ref: Any, sem: Any) -> None:
            pltpu.make_async_copy(x_ref, scratch_ref, sem).start()
            pltpu.make_async_copy(x_ref, scratch_ref, sem).wait()
            o_ref[...] = scratch_ref[...] + 1

        pl.run_scoped(body, pltpu.VMEM(x.shape, x.dtype), pltpu.SemaphoreType.DMA(()))

    return pl.pallas_call(kernel, out_shape=x, interpret=True)(x)


def alias(x: jax.Array, y: jax.Array) -> jax.Array:
    """Writes half of the output; the other half is what its aliased input was."""

    def kernel(x_ref: Any, y_ref: Any, o_ref: Any) -> None:
        o_ref[: x.shape[0] // 2] = x_ref[: x.shape[0] // 2] + y_ref[: x.shape[0] // 2]

    return pl.pallas_call(kernel, out_shape=x, input_output_aliases={0: 0}, interpret=True)(x, y)


def several(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Results of different dtypes."""

    def kernel(x_ref: Any, half_ref: Any, whole_ref: Any, mask_ref: Any) -> None:
        half_ref[...] = x_ref[...].astype(jnp.bfloat16)
        whole_ref[...] = (x_ref[...] * 100).astype(jnp.int32)
        mask_ref[...] = x_ref[...] > 0

    shapes = [
        jax.ShapeDtypeStruct(x.shape, dtype) for dtype in (jnp.bfloat16, jnp.int32, jnp.bool_)
    ]
    return tuple(pl.pallas_call(kernel, out_shape=shapes, interpret=True)(x))


def dynamic_grid(steps: jax.Array, x: jax.Array) -> jax.Array:
    """The number of steps is a value."""

    def kernel(x_ref: Any, o_ref: Any) -> None:
        @pl.when(pl.program_id(0) == 0)
        def _() -> None:
            o_ref[...] = jnp.zeros_like(o_ref)

        o_ref[...] += x_ref[...]

    spec = pl.BlockSpec(x.shape, lambda i: (0, 0))
    return pl.pallas_call(
        kernel, out_shape=x, grid=(steps,), in_specs=[spec], out_specs=spec, interpret=True
    )(x)


def attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Online softmax over blocks of keys."""
    length, width = q.shape

    def kernel(q_ref: Any, k_ref: Any, v_ref: Any, o_ref: Any, m_ref: Any, l_ref: Any) -> None:
        step = pl.program_id(1)

        @pl.when(step == 0)
        def _() -> None:
            m_ref[...] = jnp.full_like(m_ref, -jnp.inf)
            l_ref[...] = jnp.zeros_like(l_ref)
            o_ref[...] = jnp.zeros_like(o_ref)

        scores = q_ref[...] @ k_ref[...].T
        top = jnp.maximum(m_ref[...], jnp.max(scores, axis=1, keepdims=True))
        weights = jnp.exp(scores - top)
        scale = jnp.exp(m_ref[...] - top)
        l_ref[...] = l_ref[...] * scale + jnp.sum(weights, axis=1, keepdims=True)
        o_ref[...] = o_ref[...] * scale + weights @ v_ref[...]
        m_ref[...] = top

        @pl.when(step == pl.num_programs(1) - 1)
        def _() -> None:
            o_ref[...] /= l_ref[...]

    row = pl.BlockSpec((16, width), lambda i, j: (i, 0))
    column = pl.BlockSpec((16, width), lambda i, j: (j, 0))
    return pl.pallas_call(
        kernel,
        out_shape=q,
        grid=(length // 16, length // 16),
        in_specs=[row, column, column],
        out_specs=row,
        scratch_shapes=[pltpu.VMEM((16, 1), jnp.float32)] * 2,
        interpret=True,
    )(q, k, v)


def _sum_twice(x: jax.Array) -> jax.Array:
    """Two kernels with ordinary JAX between them."""
    return softmax(softmax(x) * 3 + 1).sum(axis=0)


CASES: dict[str, Case] = {
    "elementwise": (elementwise, (_random((64,)), _random((64,), 1))),
    "softmax": (softmax, (_random((50, 32)),)),
    "matmul": (matmul, (_random((32, 48)), _random((48, 16), 1))),
    "gather_rows": (gather_rows, (jnp.array([3, 0, 2], jnp.int32), _random((4, 8)))),
    "loops": (loops, (_random((6, 4)),)),
    "copies": (copies, (_random((8, 128)),)),
    "alias": (alias, (_random((8,)), _random((8,), 1))),
    "several": (several, (_random((8, 8)),)),
    "dynamic_grid": (dynamic_grid, (jnp.int32(5), _random((4, 4)))),
    "attention": (attention, tuple(_random((32, 8), seed) for seed in range(3))),
    "two kernels": (_sum_twice, (_random((20, 8)),)),
}
