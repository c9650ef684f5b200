"""What TPU interpret mode's parameters ask for: copies that are done late, indices that lie outside."""

from __future__ import annotations

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
from jax.experimental.pallas import tpu as pltpu

Body = Callable[..., None]
ANY = pl.BlockSpec(memory_space=pl.ANY)
X = jnp.arange(8 * 128, dtype=jnp.float32).reshape(8, 128)


def _copies(body: Body, **modes: Any) -> Any:
    """A kernel of two arrays outside of the chip's memory, one buffer in it and two semaphores."""

    def run(x: jax.Array) -> jax.Array:
        return pl.pallas_call(
            body,
            out_shape=x,
            in_specs=[ANY],
            out_specs=ANY,
            scratch_shapes=[pltpu.VMEM((2, 2, 128), jnp.float32), pltpu.SemaphoreType.DMA((2,))],
            interpret=pltpu.InterpretParams(**modes),
        )(x)

    return run


def doubled(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    """While one half of the buffer is used, the other half is filled."""

    def fetch(i: Any) -> Any:
        slot = jax.lax.rem(i, 2)
        return pltpu.make_async_copy(x_ref.at[pl.ds(2 * i, 2)], buffer.at[slot], sem.at[slot])

    fetch(0).start()

    @pl.loop(0, 4)
    def _(i: Any) -> None:
        @pl.when(i + 1 < 4)
        def _() -> None:
            fetch(i + 1).start()

        fetch(i).wait()
        slot = jax.lax.rem(i, 2)
        buffer[slot] = buffer[slot] * 2
        pltpu.sync_copy(buffer.at[slot], o_ref.at[pl.ds(2 * i, 2)])


def read_too_early(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    copy = pltpu.make_async_copy(x_ref.at[:2], buffer.at[0], sem.at[0])
    copy.start()
    buffer[1] = buffer[0] * 2
    copy.wait()
    pltpu.sync_copy(buffer.at[1], o_ref.at[:2])


def never_waited_for(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    pltpu.make_async_copy(x_ref, o_ref, sem.at[0]).start()


def source_overwritten(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    pltpu.sync_copy(x_ref.at[:2], buffer.at[0])
    copy = pltpu.make_async_copy(buffer.at[0], o_ref.at[:2], sem.at[0])
    copy.start()
    buffer[0] = buffer[0] * 2
    copy.wait()


def one_of_two(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    """After one wait, either of the two may be there."""
    first = pltpu.make_async_copy(x_ref.at[:2], buffer.at[0], sem.at[0])
    second = pltpu.make_async_copy(x_ref.at[2:4], buffer.at[1], sem.at[0])
    first.start()
    second.start()
    first.wait()
    pltpu.sync_copy(buffer.at[0], o_ref.at[:2])
    second.wait()


def more_than_comes(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    pltpu.make_async_copy(x_ref.at[:2], o_ref.at[:2], sem.at[0]).start()
    pltpu.make_async_copy(x_ref, o_ref, sem.at[0]).wait()


def all_waited_for(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    """Copies of one semaphore, some within windows of windows; one wait counts as much as several of them bring."""
    low, high = (x_ref.at[:4], o_ref.at[:4]), (x_ref.at[4:], o_ref.at[4:])
    pltpu.make_async_copy(low[0].at[2:], low[1].at[2:], sem.at[0]).start()
    pltpu.make_async_copy(low[0].at[:2], low[1].at[:2], sem.at[0]).start()
    pltpu.make_async_copy(high[0].at[1:3], high[1].at[1:3], sem.at[0]).start()
    pltpu.make_async_copy(*high, sem.at[0]).wait()
    pltpu.make_async_copy(low[0].at[:2], low[1].at[:2], sem.at[0]).wait()
    for row in (4, 7):
        pltpu.sync_copy(x_ref.at[row], o_ref.at[row])


@pytest.mark.parametrize("mode", ["eager", "on_wait"])
def test_double_buffers(mode: Any) -> None:
    run = jax.jit(_copies(doubled, dma_execution_mode=mode))
    with gridfuse.pallas.enable():
        np.testing.assert_array_equal(run(X), X * 2)


@pytest.mark.parametrize("mode", ["eager", "on_wait"])
def test_waits_count_bytes(mode: Any) -> None:
    run = _copies(all_waited_for, dma_execution_mode=mode)
    np.testing.assert_array_equal(run(X), X)
    with gridfuse.pallas.enable():
        np.testing.assert_array_equal(run(X), X)


LATE = [read_too_early, never_waited_for, source_overwritten, one_of_two, more_than_comes]


@pytest.mark.parametrize("body", LATE)
def test_when_a_copy_happens_matters(body: Body, gridfused: None) -> None:
    """Copies are done when they start: where that is not the same, the kernel is refused with its line."""
    with pytest.raises(gridfuse.Unsupported, match="dma_execution_mode") as caught:
        _copies(body)(X)
    assert "test_interpret_params.py" in str(caught.value)
    assert body.__name__ in str(caught.value)
    _copies(body, dma_execution_mode="eager")(X)


def test_copies_that_a_flag_in_memory_starts(gridfused: None) -> None:
    """What a prefetched operand holds is known from the first point on, though the kernel writes it."""

    def kernel(flag: Any, x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
        i = pl.program_id(0)

        def fetch(i: Any) -> Any:
            slot = jax.lax.rem(i, 2)
            return pltpu.make_async_copy(x_ref.at[pl.ds(2 * i, 2)], buffer.at[slot], sem.at[slot])

        @pl.when(flag[0] == 1)
        def _() -> None:
            fetch(i).start()

        flag[0] = 0

        @pl.when(i + 1 < 4)
        def _() -> None:
            fetch(i + 1).start()

        fetch(i).wait()
        o_ref[...] = buffer[jax.lax.rem(i, 2)]

    def run(flag: int) -> np.ndarray:
        call = pl.pallas_call(
            kernel,
            out_shape=X,
            grid_spec=pltpu.PrefetchScalarGridSpec(
                num_scalar_prefetch=1,
                grid=(4,),
                in_specs=[ANY],
                out_specs=pl.BlockSpec((2, 128), lambda i, flag: (i, 0)),
                scratch_shapes=[pltpu.VMEM((2, 2, 128), X.dtype), pltpu.SemaphoreType.DMA((2,))],
            ),
            interpret=pltpu.InterpretParams(),
        )
        return np.asarray(jax.jit(call)(jnp.array([flag], jnp.int32), X))

    np.testing.assert_array_equal(run(1), X)
    with pytest.raises(Exception, match="which copy is waited for is not known"):
        run(0)


def _some_rows(x: jax.Array, place: list[int]) -> np.ndarray:
    """Rows place[0]… of x, place[2] of them, to rows place[1]… of nothing."""

    def kernel(place: Any, x_ref: Any, _: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
        first, to, size = (place[i] for i in range(3))
        pltpu.async_copy(x_ref.at[pl.ds(first, size)], buffer.at[pl.ds(0, size)], sem).wait()
        pltpu.async_copy(buffer.at[pl.ds(0, size)], o_ref.at[pl.ds(to, size)], sem).wait()

    call = pl.pallas_call(
        kernel,
        out_shape=x,
        in_specs=[pl.BlockSpec(memory_space=pltpu.SMEM), ANY, ANY],
        out_specs=ANY,
        input_output_aliases={2: 0},
        scratch_shapes=[pltpu.VMEM((6, 128), x.dtype), pltpu.SemaphoreType.DMA],
        interpret=pltpu.InterpretParams(),
    )
    return np.asarray(jax.jit(call)(jnp.array(place, jnp.int32), x, jnp.zeros_like(x)))


@pytest.mark.parametrize("place", [[0, 0, 6], [2, 3, 5], [7, 0, 1], [4, 4, 0], [5, 1, 3]])
def test_copies_of_computed_sizes(place: list[int]) -> None:
    first, to, size = place
    expected = np.zeros_like(X)
    expected[to : to + size] = X[first : first + size]
    np.testing.assert_array_equal(_some_rows(X, place), expected)
    with gridfuse.pallas.enable():
        np.testing.assert_array_equal(_some_rows(X, place), expected)


@pytest.mark.parametrize("place", [[4, 0, 5], [0, 6, 3], [0, 0, 7], [-1, 0, 2]])
def test_copies_of_computed_sizes_that_reach_beyond(place: list[int], gridfused: None) -> None:
    with pytest.raises(Exception, match=r"Out-of-bounds (.|\n)*test_interpret_params.py"):
        _some_rows(X, place)


def _rows(x: jax.Array, at: jax.Array, *, reads: Any = "raise", writes: bool = False) -> jax.Array:
    """Row at[i] of x at point i, or x[i] written there."""

    def kernel(at_ref: Any, x_ref: Any, o_ref: Any) -> None:
        i = pl.program_id(0)
        if writes:
            o_ref[at_ref[i]] = x_ref[i]
        else:
            o_ref[i] = x_ref[at_ref[i]]

    whole = pl.BlockSpec(x.shape, lambda i, at: (0, 0))
    return pl.pallas_call(
        kernel,
        out_shape=x,
        grid_spec=pltpu.PrefetchScalarGridSpec(
            num_scalar_prefetch=1, grid=at.shape, in_specs=[whole], out_specs=whole
        ),
        interpret=pltpu.InterpretParams(out_of_bounds_reads=reads),
    )(at, x)


ORDER = jnp.array([3, 1, 0, 2, 7, 6, 5, 4], jnp.int32)
OUTSIDE = ORDER.at[5].set(9)


@pytest.mark.parametrize("writes", [False, True])
def test_computed_indices(gridfused: None, writes: bool) -> None:
    run = jax.jit(lambda x, at: _rows(x, at, writes=writes))
    expected = np.zeros_like(X)
    if writes:
        expected[np.asarray(ORDER)] = X
    else:
        expected = np.asarray(X)[np.asarray(ORDER)]
    np.testing.assert_array_equal(run(X, ORDER), expected)
    what = "write" if writes else "read"
    with pytest.raises(Exception, match=rf"Out-of-bounds {what} (.|\n)*test_interpret_params.py"):
        np.asarray(run(X, OUTSIDE))


def _gathered(x: jax.Array, block: jax.Array, row: jax.Array, count: Any) -> jax.Array:
    """At point i: a row of block[i], which one row[i] says, as often as `count`."""

    def kernel(block_ref: Any, row_ref: Any, x_ref: Any, o_ref: Any) -> None:
        o_ref[0] = x_ref[row_ref[pl.program_id(0)]]

    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((4, 128), x.dtype),
        grid_spec=pltpu.PrefetchScalarGridSpec(
            num_scalar_prefetch=2,
            grid=(count,),
            in_specs=[pl.BlockSpec((2, 128), lambda i, block, row: (block[i], 0))],
            out_specs=pl.BlockSpec((1, 128), lambda i, block, row: (i, 0)),
        ),
        interpret=pltpu.InterpretParams(),
    )(block, row, x)


@pytest.mark.parametrize("computed", [False, True])
def test_computed_blocks(gridfused: None, computed: bool) -> None:
    """Of a grid whose extent is computed, too: its points are steps of a loop."""

    def run(block: list[int], row: list[int]) -> np.ndarray:
        places = [jnp.array(one, jnp.int32) for one in (block, row)]
        if computed:
            return np.asarray(jax.jit(_gathered)(X, *places, jnp.int32(4)))
        return np.asarray(jax.jit(lambda *given: _gathered(*given, 4))(X, *places))

    np.testing.assert_array_equal(run([3, 0, 0, 2], [1, 0, 1, 1]), np.asarray(X)[[7, 0, 1, 5]])
    with pytest.raises(
        Exception, match=r"Out-of-bounds read at a computed index\n.*test_interpret"
    ):
        run([3, 0, 0, 2], [1, 0, 2, 1])
    with pytest.raises(Exception, match=r"Out-of-bounds block index .*input .*\(2,\)"):
        run([3, 0, 4, 2], [1, 0, 1, 1])
    with pytest.raises(Exception, match="Out-of-bounds read: index 4 of a dimension of 4"):
        np.asarray(_gathered(X, jnp.zeros(4, jnp.int32), jnp.zeros(5, jnp.int32), jnp.int32(5)))


def test_what_lies_outside_raises_where_nobody_wants_the_result(gridfused: None) -> None:
    def run(x: jax.Array, at: jax.Array) -> jax.Array:
        _rows(x, at)
        return x + 1

    np.testing.assert_array_equal(jax.jit(run)(X, ORDER), X + 1)
    with pytest.raises(Exception, match="Out-of-bounds read"):
        jax.block_until_ready(jax.jit(run)(X, OUTSIDE))
        jax.effects_barrier()


def test_what_lies_outside_can_be_read(gridfused: None) -> None:
    given = np.asarray(_rows(X, OUTSIDE, reads="uninitialized"))
    np.testing.assert_array_equal(np.isnan(given).all(axis=1), np.asarray(OUTSIDE) == 9)
    np.testing.assert_array_equal(given[:5], np.asarray(X)[np.asarray(ORDER[:5])])


@pytest.mark.parametrize("reads", ["raise", "uninitialized"])
def test_copies_to_where_nothing_is(reads: Any, gridfused: None) -> None:
    def body(x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
        pltpu.sync_copy(x_ref.at[0], buffer.at[0, 2])

    with pytest.raises(Exception, match="Out-of-bounds write"):
        np.asarray(_copies(body, out_of_bounds_reads=reads)(X))


def test_masks_say_what_counts(gridfused: None) -> None:
    def kernel(at_ref: Any, mask_ref: Any, o_ref: Any) -> None:
        o_ref[...] = jnp.zeros_like(o_ref)
        window = o_ref.at[pl.ds(at_ref[0], 4)]
        pltpu.store(window, jnp.ones((4, 128), jnp.float32), mask=mask_ref[...])

    @jax.jit
    def run(at: jax.Array, mask: jax.Array) -> jax.Array:
        return pl.pallas_call(
            kernel,
            out_shape=jax.ShapeDtypeStruct((8, 128), jnp.float32),
            grid_spec=pltpu.PrefetchScalarGridSpec(num_scalar_prefetch=1),
            interpret=pltpu.InterpretParams(),
        )(at, mask)

    mask = np.zeros((4, 128), bool)
    mask[:2, 3] = True
    np.testing.assert_array_equal(np.argwhere(run(jnp.array([6]), mask)), [[6, 3], [7, 3]])
    with pytest.raises(Exception, match="Out-of-bounds masked swap"):
        np.asarray(run(jnp.array([7]), mask))


def _into_blocks(places: Any, steps: int) -> Any:
    """Writes a block of eight of sixteen at each step, where `places` says."""

    def kernel(x_ref: Any, o_ref: Any) -> None:
        o_ref[...] = x_ref[...]

    def run(x: jax.Array) -> jax.Array:
        return pl.pallas_call(
            kernel,
            out_shape=jax.ShapeDtypeStruct((16, 16), jnp.float32),
            grid=(steps,),
            in_specs=[pl.BlockSpec((8, 8), places)],
            out_specs=pl.BlockSpec((8, 8), places),
            interpret=pltpu.InterpretParams(),
        )(x)

    return run(jnp.arange(256, dtype=jnp.float32).reshape(16, 16))


@pytest.mark.parametrize(
    "places",
    [
        lambda i: (i // 2, i % 2),
        lambda i: (1 - i // 2, i % 2),
        lambda i: (0, i // 2),
    ],
    ids=["in order", "in another order", "twice in a row"],
)
def test_blocks_that_are_visited_once(places: Any, gridfused: None) -> None:
    _into_blocks(places, 4)


@pytest.mark.parametrize(
    "places", [lambda i: (0, i % 2), lambda i: (i % 2, 1)], ids=["columns", "rows"]
)
def test_blocks_that_are_visited_again(places: Any, gridfused: None) -> None:
    with pytest.raises(Exception, match=r"Revisited block .* of output 0 in iteration"):
        _into_blocks(places, 4)


def test_parallel_axes_are_of_known_size(gridfused: None) -> None:
    def kernel(o_ref: Any) -> None:
        o_ref[0] = 42.0

    @jax.jit
    def run(size: jax.Array) -> jax.Array:
        return pl.pallas_call(
            kernel,
            out_shape=jax.ShapeDtypeStruct((1,), jnp.float32),
            grid=(size,),
            out_specs=pl.BlockSpec((1,), lambda _: (0,)),
            interpret=pltpu.InterpretParams(),
            compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
        )()

    with pytest.raises(jax.errors.ConcretizationTypeError):
        run(jnp.int32(3))


@pytest.mark.skipif(
    not hasattr(pltpu.InterpretParams(), "buffer_bounds"), reason="of later versions of JAX"
)
def test_padding_of_buffers_is_no_memory(gridfused: None) -> None:
    """Ten rows are held in two tiles of eight: what is written beyond the tenth is lost."""

    def kernel(x_ref: Any, o_ref: Any, buffer: Any) -> None:
        pltpu.sync_copy(x_ref, buffer.at[pl.ds(jnp.int32(4), 8)])
        o_ref[...] = buffer[pl.ds(jnp.int32(4), 8)]

    @jax.jit
    def run(x: jax.Array) -> jax.Array:
        return pl.pallas_call(
            kernel,
            out_shape=x,
            in_specs=[ANY],
            scratch_shapes=[pltpu.VMEM((10, 128), jnp.float32)],
            interpret=pltpu.InterpretParams(buffer_bounds="padded"),
        )(x)

    device = jax.sharding.AbstractDevice("TPU v6e", 1, "tpu")
    mesh = jax.sharding.AbstractMesh((), (), abstract_device=device)
    with jax.sharding.use_abstract_mesh(mesh):
        given = np.asarray(run(X))
    np.testing.assert_array_equal(given[:6], X[:6])
    assert np.isnan(given[6:]).all()


def doubled_as_often_as_asked(count: Any, x_ref: Any, o_ref: Any, buffer: Any, sem: Any) -> None:
    """Two halves of a buffer in a loop whose length is an operand."""

    def fetch(i: Any) -> Any:
        slot = jax.lax.rem(i, 2)
        return pltpu.make_async_copy(x_ref.at[pl.ds(2 * i, 2)], buffer.at[slot], sem.at[slot])

    trips = count[0]
    fetch(0).start()

    @pl.loop(0, trips)
    def _(i: Any) -> None:
        @pl.when(i + 1 < trips)
        def _() -> None:
            fetch(i + 1).start()

        fetch(i).wait()
        pltpu.sync_copy(buffer.at[jax.lax.rem(i, 2)], o_ref.at[pl.ds(2 * i, 2)])


@pytest.mark.parametrize("space", ["prefetched", "smem", "vmem"])
def test_loops_as_long_as_an_operand_says(space: str, gridfused: None) -> None:
    prefetches = int(space == "prefetched")
    memory = pltpu.SMEM if space == "smem" else pltpu.VMEM
    scalars = [] if prefetches else [pl.BlockSpec(memory_space=memory)]

    @jax.jit
    def run(count: jax.Array, x: jax.Array) -> jax.Array:
        return pl.pallas_call(
            doubled_as_often_as_asked,
            out_shape=x,
            grid_spec=pltpu.PrefetchScalarGridSpec(
                num_scalar_prefetch=prefetches,
                grid=(),
                in_specs=[*scalars, ANY],
                out_specs=ANY,
                scratch_shapes=[
                    pltpu.VMEM((2, 2, 128), jnp.float32),
                    pltpu.SemaphoreType.DMA((2,)),
                ],
            ),
            interpret=pltpu.InterpretParams(),
        )(count, x)

    for count in (4, 2, 1):
        given = np.asarray(run(jnp.array([count], jnp.int32), X))
        np.testing.assert_array_equal(given[: 2 * count], X[: 2 * count])
    with pytest.raises(Exception, match="a copy is not surely waited for"):
        np.asarray(run(jnp.array([0], jnp.int32), X))
