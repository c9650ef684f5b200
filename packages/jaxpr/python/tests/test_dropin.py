"""Kernels on gridfuse give what JAX's own interpreter gives, however they are called."""

from __future__ import annotations

from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from kernels import CASES, elementwise, loops, matmul, softmax

import gridfuse
import gridfuse.pallas


def _expected(fn: Any, args: tuple[Any, ...]) -> Any:
    assert not gridfuse.pallas.is_enabled()
    return jax.tree.map(np.asarray, jax.jit(fn)(*args))


def _agree(given: Any, wanted: Any) -> None:
    for one, other in zip(jax.tree.leaves(given), jax.tree.leaves(wanted), strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        np.testing.assert_allclose(
            np.asarray(one, np.float64), np.asarray(other, np.float64), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_jax(name: str) -> None:
    fn, args = CASES[name]
    wanted = _expected(fn, args)
    with gridfuse.pallas.enable():
        before = gridfuse.pallas.stats()["ran"]
        _agree(jax.jit(fn)(*args), wanted)
        assert gridfuse.pallas.stats()["ran"] > before


def test_eager(gridfused: None) -> None:
    x = jnp.arange(8, dtype=jnp.float32)
    np.testing.assert_allclose(elementwise(x, x), np.sin(np.arange(8) * 4.0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [2, 3, 7, 8, 16])
@pytest.mark.parametrize("axis", [0, 1])
def test_sums_of_a_few_have_the_bits_of_xla(size: int, axis: int) -> None:
    shape = (size, 40) if axis == 0 else (40, size)
    x = jnp.asarray(np.random.default_rng(size).uniform(-2, 2, shape).astype(np.float32))

    def kernel(x: Any, total: Any, product: Any) -> None:
        total[...] = x[...].sum(axis)
        product[...] = jnp.prod(x[...], axis)

    result = jax.ShapeDtypeStruct((40,), jnp.float32)
    fn = pl.pallas_call(kernel, out_shape=(result, result), interpret=True)
    wanted = _expected(fn, (x,))
    with gridfuse.pallas.enable():
        for one, other in zip(fn(x), wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_under_vmap() -> None:
    x = jnp.linspace(0, 1, 3 * 20 * 8, dtype=jnp.float32).reshape(3, 20, 8)
    wanted = _expected(jax.vmap(softmax), (x,))
    with gridfuse.pallas.enable():
        _agree(jax.jit(jax.vmap(softmax))(x), wanted)


def test_under_vmap_of_a_loop() -> None:
    x = jnp.linspace(-1, 1, 2 * 6 * 4, dtype=jnp.float32).reshape(2, 6, 4)
    wanted = _expected(jax.vmap(loops), (x,))
    with gridfuse.pallas.enable():
        _agree(jax.jit(jax.vmap(loops))(x), wanted)


def test_under_jvp() -> None:
    x = jnp.linspace(0, 1, 16, dtype=jnp.float32)

    def tangent(x: jax.Array) -> Any:
        return jax.jvp(lambda x: elementwise(x, x), (x,), (jnp.ones_like(x),))

    wanted = _expected(tangent, (x,))
    with gridfuse.pallas.enable():
        _agree(jax.jit(tangent)(x), wanted)


def test_in_a_gradient(gridfused: None) -> None:
    @jax.custom_vjp
    def sines(x: jax.Array) -> jax.Array:
        return elementwise(x, x)

    def forward(x: jax.Array) -> Any:
        return sines(x), x

    def backward(x: jax.Array, g: jax.Array) -> Any:
        return (elementwise(x, x + jnp.pi / 8) * g,)

    sines.defvjp(forward, backward)
    x = jnp.linspace(0, 1, 16, dtype=jnp.float32)
    gradient = jax.jit(jax.grad(lambda x: sines(x).sum()))(x)
    np.testing.assert_allclose(gradient, np.sin(4 * np.asarray(x) + np.pi / 4), rtol=1e-5)


def test_in_a_loop() -> None:
    x = jnp.eye(16, dtype=jnp.float32) * 0.5

    def powers(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 3, lambda _, y: matmul(y, x), x)

    wanted = _expected(powers, (x,))
    with gridfuse.pallas.enable():
        _agree(jax.jit(powers)(x), wanted)


def test_results_stay_what_they_were(gridfused: None) -> None:
    run = jax.jit(elementwise)
    x = jnp.ones(64, jnp.float32)
    first = run(x, x)
    kept = np.array(first)
    for i in range(50):
        run(x * i, x)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("memory", ["nan", "zero"])
def test_tpu_interpret_mode(memory: Any) -> None:
    pytest.importorskip("absl")

    def kernel(x_ref: Any, o_ref: Any) -> None:
        o_ref[:4] = x_ref[:4] + 1

    x = jnp.zeros((8,), jnp.float32)
    run = jax.jit(
        lambda x: pl.pallas_call(
            kernel, out_shape=x, interpret=pltpu.InterpretParams(uninitialized_memory=memory)
        )(x)
    )
    with gridfuse.pallas.enable():
        given = np.asarray(run(x))
    np.testing.assert_array_equal(given[:4], np.ones(4))
    np.testing.assert_array_equal(given[4:], np.full(4, np.nan if memory == "nan" else 0))


def test_prints(gridfused: None, capsys: pytest.CaptureFixture[str]) -> None:
    def kernel(x_ref: Any, o_ref: Any) -> None:
        jax.debug.print("x = {}, {{{last:.1f}}} of {}", x_ref, x_ref.shape[0] * 1, last=x_ref[1])
        o_ref[...] = x_ref[...]

    x = jnp.array([4.2, 2.4], jnp.float32)
    jax.block_until_ready(
        jax.jit(lambda x: pl.pallas_call(kernel, out_shape=x, interpret=True)(x))(x)
    )
    assert capsys.readouterr().out == "x = [4.2 2.4], {2.4} of 2\n"


def test_prints_values_after_a_text_without_holes(
    gridfused: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def kernel(x_ref: Any, o_ref: Any) -> None:
        pl.debug_print("x[0] =", x_ref[0])
        o_ref[...] = x_ref[...]

    x = jnp.array([4.2, 2.4], jnp.float32)
    jax.block_until_ready(pl.pallas_call(kernel, out_shape=x, interpret=True)(x))
    assert capsys.readouterr().out == "x[0] = 4.2\n"


@pytest.mark.parametrize("shape", [(), (4,)])
def test_keys_of_random_numbers(gridfused: None, shape: tuple[int, ...]) -> None:
    def kernel(key_ref: Any, o_ref: Any) -> None:
        key = key_ref[...] if shape == () else key_ref[0]
        o_ref[...] = jax.random.randint(key, (1, 8), 0, 1000)

    keys = jax.random.split(jax.random.key(3), shape) if shape else jax.random.key(3)
    block = pl.BlockSpec((1,), lambda i: (i,)) if shape else pl.BlockSpec()
    given = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((4, 8), jnp.int32),
        grid=(4,),
        in_specs=[block],
        out_specs=pl.BlockSpec((1, 8), lambda i: (i, 0)),
        interpret=True,
    )(keys)
    rows = [jax.random.randint(keys[i] if shape else keys, (8,), 0, 1000) for i in range(4)]
    np.testing.assert_array_equal(given, jnp.stack(rows))


def test_random_numbers_of_another_kind_are_refused_by_name(gridfused: None) -> None:
    def run(make: Any) -> Any:
        def kernel(o_ref: Any) -> None:
            o_ref[...] = jax.random.uniform(make(), (8,))

        out = jax.ShapeDtypeStruct((8,), jnp.float32)
        return pl.pallas_call(kernel, out_shape=out, interpret=True)()

    with pytest.raises(gridfuse.Unsupported, match=r"keys of rbg(.|\n)*test_dropin.py"):
        run(lambda: jax.random.key(0, impl="rbg"))
    jax.config.update("jax_threefry_partitionable", False)
    try:
        with pytest.raises(gridfuse.Unsupported, match="jax_threefry_partitionable"):
            run(lambda: jax.random.key(0))
    finally:
        jax.config.update("jax_threefry_partitionable", True)


def test_numbers_of_the_generator_of_a_tpu(gridfused: None) -> None:
    """Which numbers they are is not said, but that they are different ones."""
    pltpu: Any = pytest.importorskip("jax.experimental.pallas.tpu")

    def kernel(o_ref: Any) -> None:
        pltpu.prng_seed(0)
        o_ref[...] = pltpu.stateful_uniform((8, 128))

    out = jax.ShapeDtypeStruct((8, 128), jnp.float32)
    given = np.asarray(pl.pallas_call(kernel, out_shape=out, interpret=True)())
    assert 0 <= given.min() < 0.1 and 0.9 < given.max() < 1
    assert len(np.unique(given)) > 1000


def test_a_result_that_is_a_key_is_refused_by_name(gridfused: None) -> None:
    def kernel(key_ref: Any, o_ref: Any) -> None:
        o_ref[...] = key_ref[...]

    key = jax.random.key(0)
    with pytest.raises(gridfuse.Unsupported, match="arrays of key<fry>"):
        pl.pallas_call(kernel, out_shape=jax.typeof(key), interpret=True)(key)


def test_references_made_outside(gridfused: None) -> None:
    """What a kernel writes to memory that it closes over is there afterwards (JAX before 0.12 loses it)."""
    new_ref: Any = getattr(jax, "new_ref", None) or jax._src.core.mutable_array  # type: ignore[attr-defined]

    @jax.jit
    def run(x: jax.Array) -> Any:
        sums = new_ref(jnp.ones((8,), jnp.float32))

        def kernel(x_ref: Any, o_ref: Any) -> None:
            sums[...] += x_ref[0]
            o_ref[...] = x_ref[...] * 2 + sums[...]

        row = pl.BlockSpec((1, 8), lambda i: (i, 0))
        y = pl.pallas_call(
            kernel, out_shape=x, grid=(4,), in_specs=[row], out_specs=row, interpret=True
        )(x)
        return y, sums[...]

    x = np.arange(32, dtype=np.float32).reshape(4, 8)
    y, sums = run(x)
    expected = 1 + np.cumsum(x, 0)
    np.testing.assert_array_equal(y, x * 2 + expected)
    np.testing.assert_array_equal(sums, expected[-1])


@pytest.mark.parametrize("dtype", [jnp.float8_e5m2, jnp.float8_e4m3fn])
def test_floats_of_eight_bits(dtype: Any) -> None:
    def run(x: jax.Array, y: jax.Array) -> Any:
        def kernel(x_ref: Any, y_ref: Any, sum_ref: Any, product_ref: Any) -> None:
            sum_ref[...] = x_ref[...] * y_ref[...] - x_ref[...]
            product_ref[...] = jnp.dot(x_ref[...], y_ref[...], preferred_element_type=jnp.float32)

        return pl.pallas_call(
            kernel,
            out_shape=(x, jax.ShapeDtypeStruct(x.shape, jnp.float32)),
            interpret=True,
        )(x, y)

    x, y = (np.random.RandomState(seed).randn(16, 16).astype(dtype) for seed in range(2))
    wanted = _expected(run, (x, y))
    with gridfuse.pallas.enable():
        given = jax.jit(run)(x, y)
    np.testing.assert_array_equal(*[np.asarray(one[0]).view(np.uint8) for one in (given, wanted)])
    np.testing.assert_allclose(given[1], wanted[1], rtol=1e-6)


# ── What cannot run ────────────────────────────────────────────────────────────────────────


def _host_callback(x: jax.Array) -> jax.Array:
    def kernel(x_ref: Any, o_ref: Any) -> None:
        o_ref[...] = jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x_ref[...])

    return pl.pallas_call(kernel, out_shape=x, interpret=True)(x)


def test_refuses_by_name_and_line(gridfused: None) -> None:
    with pytest.raises(gridfuse.Unsupported, match="pure_callback") as caught:
        _host_callback(jnp.ones(4, jnp.float32))
    assert caught.value.primitive == "core:pure_callback"
    assert "test_dropin.py" in str(caught.value)


def test_falls_back_only_when_asked() -> None:
    x = jnp.ones(4, jnp.float32)
    before = gridfuse.pallas.stats()["fellback"]
    with gridfuse.pallas.enable(fallback="jax"):
        np.testing.assert_allclose(_host_callback(x), np.sin(np.ones(4)), rtol=1e-6)
    assert gridfuse.pallas.stats()["fellback"] == before + 1


def test_enabling_is_scoped() -> None:
    x = jnp.ones(8, jnp.float32)
    ran = gridfuse.pallas.stats()["ran"]
    with gridfuse.pallas.enable():
        elementwise(x, x)
    elementwise(x, x)
    assert gridfuse.pallas.stats()["ran"] == ran + 1


def test_jax_export_is_refused_by_name_or_left_to_jax() -> None:
    x = jax.ShapeDtypeStruct((32, 8), jnp.float32)

    def exported() -> Any:
        return jax.export.export(jax.jit(softmax))(x)

    with gridfuse.pallas.enable(), pytest.raises(gridfuse.Unsupported, match=r"gridfuse\.export"):
        exported()
    before = gridfuse.pallas.stats()
    with gridfuse.pallas.enable(fallback="jax"):
        program = exported()
    after = gridfuse.pallas.stats()
    assert (after["ran"], after["fellback"]) == (before["ran"], before["fellback"] + 1)
    ones = jnp.ones((32, 8), jnp.float32)
    np.testing.assert_allclose(program.call(ones), softmax(ones), rtol=1e-6)
