"""The Node process: it may die, results outlive it, and it ends with Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl
from kernels import elementwise

import gridfuse
from gridfuse import _client, _habits
from gridfuse._memory import SharedMemory
from gridfuse._node import find_node


def test_death_is_reported_and_the_next_call_works(gridfused: None) -> None:
    run = jax.jit(elementwise)
    x = jnp.ones(8, jnp.float32)
    wanted = np.asarray(run(x, x))
    with _client.session() as session:
        pid = session.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Exception, match="ended with signal 9"):
        np.asarray(run(x, x))
    np.testing.assert_array_equal(run(x, x), wanted)
    with _client.session() as session:
        assert session.pid != pid


def test_what_an_interrupt_left_unanswered_is_not_taken_for_an_answer(gridfused: None) -> None:
    def kernel(x_ref: Any, o_ref: Any) -> None:
        o_ref[...] = jax.lax.fori_loop(0, 50_000_000, lambda i, x: jnp.sin(x + i), x_ref[...])

    def interrupt(*_: object) -> None:
        raise TimeoutError("the test has waited enough")

    run = jax.jit(elementwise)
    x = jnp.ones(128, jnp.float32)
    wanted = np.asarray(run(x, x))
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(Exception, match="waited enough"):
            jax.block_until_ready(pl.pallas_call(kernel, out_shape=x, interpret=True)(x))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(run(x, x), wanted)


def test_errors_do_not_end_it() -> None:
    with _client.session() as session:
        pid = session.pid
        with pytest.raises(gridfuse.GridfuseError):
            session.load("nonsense", b"not a program", _client.Mode())
        assert session.ask({"op": "hello"})["pid"] == pid


def test_a_second_process_finds_the_plan(tmp_path: object) -> None:
    script = (
        "import jax, jax.numpy as jnp, gridfuse.pallas\n"
        "from gridfuse import _calls, _habits\n"
        "from kernels import softmax\n"
        "gridfuse.pallas.enable()\n"
        "print(_habits.expects_to_compile())\n"
        "_calls.take_recent()\n"
        "softmax(jnp.ones((24, 8), jnp.float32))\n"
        "print(_calls.take_recent()[0].origin)\n"
    )
    environment = {
        **os.environ,
        "GRIDFUSE_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
    }

    def origin() -> str:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split()[-2:])

    # Only where the last process compiled something is the next one expected to.
    assert origin() == "True program"
    assert origin() == "True disk"
    assert origin() == "False disk"


def test_it_ends_with_python() -> None:
    script = (
        "import os, gridfuse._client as c\n"
        "with c.session() as s: print(s.ask({'op': 'hello'})['pid'], flush=True)\n"
        "os._exit(1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} is still there")


@pytest.mark.parametrize("rows", [1, 3, 8, 4095, 4096, 4097, 20000])
def test_arrays_travel_in_the_pipe_or_in_shared_memory(gridfused: None, rows: int) -> None:
    """Whose sizes are no multiples of eight bytes, on both sides of what is small."""

    def kernel(a_ref: Any, b_ref: Any, c_ref: Any, x_ref: Any, y_ref: Any, z_ref: Any) -> None:
        x_ref[...] = ~a_ref[...]
        y_ref[...] = b_ref[...] + jnp.int8(1)
        z_ref[...] = c_ref[...] * 2

    rng = np.random.default_rng(rows)
    a = rng.integers(0, 2, (rows,)).astype(bool)
    b = rng.integers(-9, 9, (rows,), np.int8)
    c = rng.standard_normal((rows, 1)).astype(np.float32)
    given = jax.jit(
        lambda *arrays: pl.pallas_call(
            kernel,
            out_shape=[jax.ShapeDtypeStruct(one.shape, one.dtype) for one in arrays],
            interpret=True,
        )(*arrays)
    )
    for _ in range(2):
        x, y, z = given(a, b, c)
        np.testing.assert_array_equal(x, ~a)
        np.testing.assert_array_equal(y, b + 1)
        np.testing.assert_array_equal(z, c * 2)


def test_a_small_run_of_the_wrong_size_is_an_error(gridfused: None) -> None:
    run = jax.jit(elementwise)
    x = jnp.ones(8, jnp.float32)
    wanted = np.asarray(run(x, x))
    with _client.session() as session:
        frame = session.exchange_frame(bytes([12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7]))
        assert b"a small run takes" in frame or b"there is no program" in frame
    np.testing.assert_array_equal(run(x, x), wanted)


def test_memory_is_used_again() -> None:
    files: list[str] = []
    memory = SharedMemory(lambda _, path: files.append(path))
    first = memory.take(5000)
    place = (first.file, first.offset)
    shown = memory.array(first, np.dtype(np.float32), (1000,))
    del first
    other = memory.take(5000)
    assert (other.file, other.offset) != place
    del shown
    again = memory.take(5000)
    assert (again.file, again.offset) == place
    assert len(files) == 1
    assert not os.path.exists(files[0])


def test_large_arrays_get_a_file_of_their_own() -> None:
    files: list[int] = []
    memory = SharedMemory(lambda number, _: files.append(number))
    block = memory.take((1 << 26) + 1)
    assert block.bytes.nbytes > 1 << 26
    assert files == [0]


def test_it_warms_up_until_a_program_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_habits, "expects_to_compile", lambda: True)
    cores = subprocess.check_output([find_node(), "-p", "os.availableParallelism()"])
    if int(cores) < 2:
        pytest.skip("the only core is JAX's")
    session = _client.Session()
    try:
        until = time.monotonic() + 60
        while (warm := session.ask({"op": "hello"})["warmedUp"]) < 3:
            assert time.monotonic() < until, f"{warm} programs in a minute"
            time.sleep(0.05)
        assert session.find("0" * 64) is None
        warm = session.ask({"op": "hello"})["warmedUp"]
        time.sleep(0.3)
        assert session.ask({"op": "hello"})["warmedUp"] == warm
    finally:
        session.close()
