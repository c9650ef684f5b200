"""Rows that indices in memory name: copies of them, and blocks of pipelines. JAX's interpreters know neither."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl

import gridfuse
from gridfuse import _client

pytest.importorskip("absl")
from jax.experimental.pallas import tpu as pltpu

X = jnp.arange(32 * 128, dtype=jnp.float32).reshape(32, 128)
AT = jnp.array([[3, 1, 30, 7], [0, 2, 4, 6]], jnp.int32)
SMEM = pl.BlockSpec(memory_space=pltpu.SMEM)
ANY = pl.BlockSpec(memory_space=pl.ANY)


def _copied(at: jax.Array, interpret: Any) -> Any:
    """The rows that `at` names, one copy for each of its own rows."""

    def kernel(at_ref: Any, x_ref: Any, o_ref: Any, sem: Any) -> None:
        for i in range(at.shape[0]):
            rows = pl.ds(i * at.shape[1], at.shape[1])
            pltpu.async_copy(x_ref.at[at_ref.at[i]], o_ref.at[rows], sem).wait()

    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((at.size, 128), jnp.float32),
        in_specs=[SMEM, ANY],
        out_specs=ANY,
        scratch_shapes=[pltpu.SemaphoreType.DMA],
        interpret=interpret,
    )(at, X)


@pytest.mark.parametrize("interpret", [True, pltpu.InterpretParams()])
def test_copies_of_rows_that_memory_names(interpret: Any, gridfused: None) -> None:
    np.testing.assert_array_equal(_copied(AT, interpret), np.asarray(X)[np.asarray(AT).reshape(-1)])


def test_copies_of_rows_that_are_not_there(gridfused: None) -> None:
    with pytest.raises(Exception, match="Out-of-bounds read"):
        jax.block_until_ready(_copied(AT.at[1, 2].set(44), pltpu.InterpretParams()))


@pytest.mark.skipif(not hasattr(pl, "Indirect"), reason="from JAX 0.10 on")
@pytest.mark.parametrize("gathers", [True, False])
@pytest.mark.parametrize("by_memory", [True, False])
def test_blocks_of_a_pipeline(gathers: bool, by_memory: bool) -> None:
    """Traced for a TPU, which this machine has none of, and run as a program of its own."""
    plain = pl.BlockSpec((4, 128), lambda i: (i, 0))
    rows = 8 if gathers else 32

    def kernel(at_ref: Any, x_ref: Any, o_ref: Any) -> None:
        spec = pl.BlockSpec(
            (pl.Indirect(4), 128), lambda i: (at_ref.at[i] if by_memory else at_ref[i], 0)
        )

        def body(x_ref: Any, o_ref: Any) -> None:
            o_ref[...] = x_ref[...] * 2

        pltpu.emit_pipeline(
            body,
            grid=(2,),
            in_specs=[spec if gathers else plain],
            out_specs=[plain if gathers else spec],
        )(x_ref, o_ref)

    def run(at: jax.Array, x: jax.Array) -> jax.Array:
        return pl.pallas_call(
            kernel,
            out_shape=jax.ShapeDtypeStruct((rows, 128), jnp.float32),
            in_specs=[SMEM, ANY],
            out_specs=ANY,
            interpret=True,
        )(at, x)

    device = jax.sharding.AbstractDevice(device_kind="TPU v5 lite", num_cores=1, platform="tpu")
    mesh = jax.sharding.AbstractMesh((1,), ("d",), abstract_device=device)
    with jax.sharding.use_abstract_mesh(mesh):
        data = gridfuse.export(run, AT, X)
    with _client.session() as session:
        program = session.load(f"indirect-{gathers}-{by_memory}", data, _client.Mode(), keep=False)
        (given,) = session.run(
            program, [np.asarray(AT), np.asarray(X)], [(np.dtype(np.float32), (rows, 128))]
        )
    x, at = np.asarray(X), np.asarray(AT).reshape(-1)
    expected = x[at] * 2 if gathers else np.full((32, 128), np.nan, np.float32)
    if not gathers:
        expected[at] = x[:8] * 2
    np.testing.assert_array_equal(given, expected)
