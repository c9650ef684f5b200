"""What `export` writes: a file that names its parts, shares its jaxprs, and refuses what cannot travel."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kernels import CASES, elementwise

import gridfuse
from gridfuse import _client


def program_of(data: bytes) -> dict[str, Any]:
    assert data[:4] == b"GFJX"
    (length,) = struct.unpack_from("<I", data, 4)
    return json.loads(data[8 : 8 + length])


def test_names_inputs_and_outputs() -> None:
    def f(x: jax.Array, state: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": x + state["w"]}

    x = jax.ShapeDtypeStruct((4,), "float32")
    program = program_of(gridfuse.export(f, x, {"w": x}))
    assert program["name"] == "f"
    assert program["inputs"] == ["x", "state.w"]
    assert program["outputs"] == ["out.y"]


def test_shares_jaxprs() -> None:
    @jax.jit
    def twice(x: jax.Array) -> jax.Array:
        return x * 2

    x = jax.ShapeDtypeStruct((4,), "float32")
    program = program_of(gridfuse.export(lambda x: twice(twice(twice(x))), x))
    main = program["jaxprs"][program["main"]]
    assert main["ops"] == [1, 1, 1]
    assert program["ops"][1] == {"p": "call", "m": "core", "x": {"jaxpr": 0}}
    assert len(program["jaxprs"]) == 2


def test_writes_what_equations_do_once() -> None:
    def f(x: jax.Array) -> jax.Array:
        for i in range(10):
            x = (x + i).astype(jnp.int32).astype(jnp.float32)
        return x

    x = jax.ShapeDtypeStruct((4,), "float32")
    program = program_of(gridfuse.export(f, x, locations=False))
    (body,) = program["jaxprs"]
    assert [op["p"] for op in program["ops"]] == ["add", *["convert_element_type"] * 2]
    assert body["ops"] == [0, 1, 2] * 10
    assert body["ni"] == [2, 1, 1] * 10
    assert len(program["atoms"]) == 10
    assert body["i"][:6] == [0, -1, 1, 2, 3, -2]
    assert body["out"] == [30]


def test_results_that_nobody_reads_have_no_type() -> None:
    def f(x: jax.Array) -> jax.Array:
        return jax.lax.top_k(x, 2)[1]

    x = jax.ShapeDtypeStruct((4,), "float32")
    (body,) = program_of(gridfuse.export(f, x))["jaxprs"]
    (eqn,) = jax.make_jaxpr(f)(x).eqns
    assert body["no"] == [2]
    # From 0.10 on JAX does not say so of results of equations that it did not change.
    assert [aval == -1 for aval in body["o"]] == [
        type(variable).__name__ == "DropVar" for variable in eqn.outvars
    ]


def test_spells_literals() -> None:
    def f(x: jax.Array) -> jax.Array:
        return jnp.where(x > jnp.inf, jnp.nan, -0.0 * x)

    text = gridfuse.export(f, jax.ShapeDtypeStruct((4,), "float32")).decode(errors="replace")
    assert '"lit":"inf"' in text
    assert '"lit":"nan"' in text
    assert '"lit":"-0.0"' in text


def test_constants_are_aligned() -> None:
    table = np.arange(6, dtype=np.int8)
    data = gridfuse.export(lambda x: x + table, jax.ShapeDtypeStruct((6,), "int8"))
    program = program_of(data)
    (entry,) = program["consts"]
    start = -(-(8 + struct.unpack_from("<I", data, 4)[0]) // 64) * 64
    at = start + entry["offset"]
    assert data[at : at + entry["bytes"]] == table.tobytes()


def test_locations_are_optional() -> None:
    x = jax.ShapeDtypeStruct((4,), "float32")
    assert "test_export.py" in str(program_of(gridfuse.export(lambda x: x + 1, x))["locs"])
    assert "locs" not in program_of(gridfuse.export(lambda x: x + 1, x, locations=False))


def test_is_the_same_each_time() -> None:
    x = jax.ShapeDtypeStruct((16,), "float32")
    once, again = (gridfuse.export(elementwise, x, x, locations=False) for _ in range(2))
    assert once == again


def test_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "program.gfjx"
    data = gridfuse.export(lambda x: x + 1, jax.ShapeDtypeStruct((4,), "float32"), path=path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", CASES)
def test_every_primitive_is_known(name: str) -> None:
    fn, args = CASES[name]
    with _client.session() as session:
        summary = session.inspect(gridfuse.export(fn, *args))
    assert [use["primitive"] for use in summary["primitives"] if not use["known"]] == []


def test_refuses_host_callbacks() -> None:
    def f(x: jax.Array) -> jax.Array:
        return jax.pure_callback(np.sin, x, x)

    with pytest.raises(gridfuse.Unsupported, match="pure_callback") as caught:
        gridfuse.export(f, jax.ShapeDtypeStruct((4,), "float32"))
    assert "test_export.py" in (caught.value.source or "")


def test_refuses_complex_numbers() -> None:
    with pytest.raises(gridfuse.Unsupported, match="complex64"):
        gridfuse.export(lambda x: x * 1j, jax.ShapeDtypeStruct((4,), "complex64"))


def test_keys_tell_programs_apart() -> None:
    """A kept plan is found by a key that is made before the file is: equal files have equal keys, others have others."""
    from gridfuse._writer import Exporter

    def digest(fn: Callable[..., Any], *avals: Any) -> tuple[str, bytes]:
        exporter = Exporter()
        main = exporter.jaxpr(jax.make_jaxpr(fn)(*avals))
        key = exporter.digest(main, "f")
        return key, exporter.finish(main, name="f")

    x = jax.ShapeDtypeStruct((8, 128), "float32")
    n = jax.ShapeDtypeStruct((8, 128), "int32")
    programs = [
        digest(fn, *given)
        for fn, given in [
            (lambda x: x + 1, [x]),
            (lambda y: y + 1, [x]),
            (lambda x: x + 1, [n]),
            (lambda x: x + 2, [x]),
            (lambda x: x - 1, [x]),
            (lambda x: x.astype(jnp.int32), [x]),
            (lambda x: x.astype(jnp.int8), [x]),
            (lambda x: x[:4], [x]),
            (lambda x: x[4:], [x]),
            (lambda x: jax.jit(lambda y: y * 2)(x), [x]),
            (lambda x: x + np.arange(128, dtype=np.float32), [x]),
            (lambda x: x + np.ones(128, dtype=np.float32), [x]),
            (lambda x: (x + 1, x), [x]),
        ]
    ]
    for key, data in programs:
        for other, written in programs:
            assert (key == other) is (data == written)
