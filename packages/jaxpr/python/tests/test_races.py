"""Races, and simulated cores that use one memory: `InterpretParams(detect_races=True)`, `core_map`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl

import gridfuse
import gridfuse.pallas

pytest.importorskip("absl")
from jax._src.pallas.mosaic.interpret import interpret_pallas_call as interpreter
from jax.experimental.pallas import tpu as pltpu

pytestmark = pytest.mark.usefixtures("gridfused")

Body = Callable[..., None]
X = jnp.arange(16 * 128, dtype=jnp.int32).reshape(16, 128)
WARNS = {"on_race": "warn"} if hasattr(pltpu.InterpretParams(), "on_race") else {}
CORES = (
    "num_cores_or_threads"
    if hasattr(pltpu.InterpretParams(), "num_cores_or_threads")
    else "num_cores_per_device"
)
MODES: list[Any] = ["eager", "on_wait"]


def detecting(mode: Any = "on_wait", **more: Any) -> Any:
    return pltpu.InterpretParams(
        detect_races=True,
        dma_execution_mode=mode,
        allow_hbm_allocation_in_run_scoped=True,
        **WARNS,
        **more,
    )


def races_of(run: Callable[..., Any], *operands: Any) -> bool:
    jax.block_until_ready(run(*operands))
    return bool(interpreter.races.races_found)


# ── A core and its copies ──────────────────────────────────────────────────────────────────


def _with_buffers(body: Body, mode: Any) -> Any:
    def run(x: jax.Array) -> jax.Array:
        return pl.pallas_call(
            body,
            out_shape=x,
            in_specs=[pl.BlockSpec(memory_space=pl.ANY)],
            scratch_shapes=[pltpu.VMEM((2, 16, 128), x.dtype), pltpu.SemaphoreType.DMA((2,))],
            interpret=detecting(mode),
        )(x)

    return run


def waits(x: Any, o: Any, buffer: Any, sem: Any) -> None:
    copy = pltpu.make_async_copy(x, buffer.at[0], sem.at[0])
    copy.start()
    copy.wait()
    o[...] = buffer[0]


def reads_too_early(x: Any, o: Any, buffer: Any, sem: Any) -> None:
    copy = pltpu.make_async_copy(x, buffer.at[0], sem.at[0])
    copy.start()
    o[...] = buffer[0]
    copy.wait()


def reads_the_other_half(x: Any, o: Any, buffer: Any, sem: Any) -> None:
    buffer[1] = jnp.zeros_like(o)
    copy = pltpu.make_async_copy(x, buffer.at[0], sem.at[0])
    copy.start()
    o[...] = buffer[1]
    copy.wait()


def changes_the_source(x: Any, o: Any, buffer: Any, sem: Any) -> None:
    buffer[0] = jnp.ones_like(o)
    copy = pltpu.make_async_copy(buffer.at[0], buffer.at[1], sem.at[0])
    copy.start()
    buffer[0] = jnp.zeros_like(o)
    copy.wait()
    o[...] = buffer[1]


def copies_to_the_same_place(x: Any, o: Any, buffer: Any, sem: Any) -> None:
    copies = [pltpu.make_async_copy(x, buffer.at[0], sem.at[i]) for i in range(2)]
    for copy in copies:
        copy.start()
    for copy in copies:
        copy.wait()
    o[...] = buffer[0]


def waits_for_the_other(x: Any, o: Any, buffer: Any, sem: Any) -> None:
    first = pltpu.make_async_copy(x, buffer.at[0], sem.at[0])
    second = pltpu.make_async_copy(x, buffer.at[1], sem.at[1])
    first.start()
    second.start()
    second.wait()
    o[...] = buffer[0]
    first.wait()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("body", "races"),
    [
        (waits, False),
        (reads_too_early, True),
        (reads_the_other_half, False),
        (changes_the_source, True),
        (copies_to_the_same_place, True),
        (waits_for_the_other, True),
    ],
)
def test_copies(body: Body, races: bool, mode: Any, capsys: Any) -> None:
    assert races_of(_with_buffers(body, mode), X) is races
    said = capsys.readouterr().out
    assert ("RACE DETECTED" in said) is races
    if races:
        assert "test_races.py" in said and body.__name__ in said


@pytest.mark.skipif(not WARNS, reason="of later versions of JAX")
def test_races_raise() -> None:
    run = pl.pallas_call(
        reads_too_early,
        out_shape=X,
        in_specs=[pl.BlockSpec(memory_space=pl.ANY)],
        scratch_shapes=[pltpu.VMEM((2, 16, 128), X.dtype), pltpu.SemaphoreType.DMA((2,))],
        interpret=pltpu.InterpretParams(detect_races=True),
    )
    with pytest.raises(Exception, match="RACE DETECTED"):
        jax.block_until_ready(run(X))


# ── Several cores on one grid ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("places", "races"), [(lambda i: (i, 0), False), (lambda i: (i // 2, 0), True)]
)
def test_blocks_of_two_cores(places: Any, races: bool) -> None:
    """Of four points, shuffled, each core has two: no block of the result may be of both."""

    def kernel(x: Any, o: Any) -> None:
        o[...] = x[...]

    def run(seed: int) -> Any:
        return pl.pallas_call(
            kernel,
            grid=(4,),
            out_shape=jax.ShapeDtypeStruct((32, 128), X.dtype),
            in_specs=[pl.BlockSpec((8, 128), lambda i: (0, 0))],
            out_specs=pl.BlockSpec((8, 128), places),
            compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
            interpret=detecting(random_seed=seed, **{CORES: 2}),
        )

    # Which two points are on one core is a matter of the seed.
    assert any(races_of(run(seed), X) for seed in range(4)) is races


# ── Cores with a program each ──────────────────────────────────────────────────────────────


def _on_cores(body: Body, count: int = 2, **modes: Any) -> Any:
    """`body(x, y, core, sem, shared)` on each core, with a semaphore and memory that the cores share."""
    mesh = pltpu.create_tensorcore_mesh("core", num_cores=count)
    interpret = detecting(**modes)

    @jax.jit
    def run(x: jax.Array) -> jax.Array:
        def inner(refs: Any) -> None:
            x_ref, y_ref = refs

            @pl.core_map(mesh, interpret=interpret)
            def _() -> None:
                def scoped(sem: Any, shared: Any) -> None:
                    body(x_ref, y_ref, jax.lax.axis_index("core"), sem, shared)

                pl.run_scoped(scoped, pltpu.SemaphoreType.REGULAR, pltpu.HBM(x.shape, x.dtype))

        return pl.run_state(inner)((x, jnp.zeros_like(x)))[1]

    return run


def _passes_on(first: int) -> Body:
    """One core fills the memory that both have, the other reads it."""

    def body(x: Any, y: Any, core: Any, sem: Any, shared: Any) -> None:
        @pl.when(core == first)
        def _() -> None:
            pltpu.sync_copy(x, shared)
            pl.semaphore_signal(sem, 1, core_index=1 - first)

        @pl.when(core != first)
        def _() -> None:
            pl.semaphore_wait(sem, 1)
            pltpu.sync_copy(shared, y)

    return body


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", [0, 1])
def test_what_one_core_leaves_another_finds(first: int, mode: Any) -> None:
    """Whichever core is first: cores run one after the other, in the order that they wait for each other."""
    run = _on_cores(_passes_on(first), mode=mode)
    np.testing.assert_array_equal(run(X), X)
    assert not interpreter.races.races_found


def test_without_a_word_they_race() -> None:
    def body(x: Any, y: Any, core: Any, sem: Any, shared: Any) -> None:
        pltpu.sync_copy(x, shared)
        pltpu.sync_copy(shared, y)

    assert races_of(_on_cores(body), X)


def test_halves_are_apart() -> None:
    """A barrier, and each core its half: nothing is passed on, so the order does not matter."""

    def body(x: Any, y: Any, core: Any, sem: Any, shared: Any) -> None:
        for other in range(2):
            pl.semaphore_signal(sem, 1, core_index=other)
        pl.semaphore_wait(sem, 2)
        half = pl.ds(core * 8, 8)
        pltpu.sync_copy(x.at[half], shared.at[half])
        pltpu.sync_copy(shared.at[half], y.at[half])

    run = _on_cores(body)
    np.testing.assert_array_equal(run(X), X)
    assert not interpreter.races.races_found


def test_cores_that_take_turns_are_refused() -> None:
    def body(x: Any, y: Any, core: Any, sem: Any, shared: Any) -> None:
        @pl.when(core == 0)
        def _() -> None:
            pltpu.sync_copy(x, shared)
            pl.semaphore_signal(sem, 1, core_index=1)
            pl.semaphore_wait(sem, 1)
            pltpu.sync_copy(y, shared)

        @pl.when(core == 1)
        def _() -> None:
            pl.semaphore_wait(sem, 1)
            pltpu.sync_copy(shared, y)
            pl.semaphore_signal(sem, 1, core_index=0)

    with pytest.raises(gridfuse.Unsupported, match="pass data to each other in turns"):
        _on_cores(body)(X)


# ── Pipelines ──────────────────────────────────────────────────────────────────────────────


def _on_a_tpu() -> Any:
    """Pipelines ask which TPU is simulated."""
    kind = getattr(jax.sharding, "AbstractDevice", None)
    if kind is None:
        pytest.skip("of later versions of JAX")
    platform = ("tpu",) if "platform" in inspect.signature(kind).parameters else ()
    device = kind("TPU v6e", 1, *platform)
    return jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), (), abstract_device=device))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("computed", [False, True])
def test_pipelines_do_not_race(computed: bool, mode: Any) -> None:
    """Double buffers around a body, as JAX writes them; the number of steps may be an operand."""

    def kernel(steps: Any, x: Any, o: Any) -> None:
        def body(block: Any, out: Any) -> None:
            out[...] = block[...] * 2

        spec = pl.BlockSpec((4, 128), lambda i: (i, 0))
        grid = (steps[0] if computed else 4,)
        pltpu.emit_pipeline(body, grid=grid, in_specs=[spec], out_specs=[spec])(x, o)

    with _on_a_tpu():
        run = jax.jit(
            pl.pallas_call(
                kernel,
                out_shape=X,
                in_specs=[
                    pl.BlockSpec(memory_space=pltpu.SMEM),
                    pl.BlockSpec(memory_space=pl.ANY),
                ],
                out_specs=pl.BlockSpec(memory_space=pl.ANY),
                interpret=detecting(mode),
            )
        )
        np.testing.assert_array_equal(run(jnp.array([4], jnp.int32), X), X * 2)
    assert not interpreter.races.races_found
