"""`-p gridfuse.pytest` in a test run of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

_TESTS = """
import unittest
import jax, jax.numpy as jnp, numpy as np
from jax.experimental import pallas as pl

def double(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] * 2
    return pl.pallas_call(kernel, out_shape=x, grid=(1,), interpret=True)(x)

def callback(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = jax.pure_callback(np.sin, x, x_ref[...])
    return pl.pallas_call(kernel, out_shape=x, interpret=True)(x)

class Test(unittest.TestCase):
    def test_runs(self):
        np.testing.assert_array_equal(double(jnp.ones(4)), 2 * np.ones(4))
    def test_skips(self):
        self.skipTest("too slow in interpret mode")
        raise AssertionError("it did not skip")
    def test_calls_back(self):
        callback(jnp.ones(4, jnp.float32))
"""


def _run(pytester: pytest.Pytester, *options: str) -> tuple[pytest.RunResult, dict]:
    pytester.makepyfile(_TESTS)
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    report = Path(pytester.path) / "report.json"
    result = pytester.runpytest_subprocess(
        "-p", "gridfuse.pytest", "--gridfuse-report", str(report), *options
    )
    tests = json.loads(report.read_text())["tests"]
    return result, {name.rpartition("::")[2]: test for name, test in tests.items()}


def test_reports_each_call(pytester: pytest.Pytester) -> None:
    result, tests = _run(pytester)
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    (call,) = tests["test_runs"]["calls"]
    assert call["outcome"] == "ran"
    assert call["grid_points"] == 1
    assert call["runs"] == 1
    assert tests["test_skips"]["reason"] == "too slow in interpret mode"
    (call,) = tests["test_calls_back"]["calls"]
    assert call["outcome"] == "refused"
    assert "pure_callback" in call["reason"]


def test_falls_back_when_told(pytester: pytest.Pytester) -> None:
    result, tests = _run(pytester, "--gridfuse-fallback", "jax")
    result.assert_outcomes(passed=2, skipped=1)
    (call,) = tests["test_calls_back"]["calls"]
    assert call["outcome"] == "fellback"


def test_runs_what_skips_itself(pytester: pytest.Pytester) -> None:
    result, tests = _run(pytester, "--gridfuse-run-skipped", "too slow")
    assert tests["test_skips"]["outcome"] == "failed"
    assert "did not skip" in tests["test_skips"]["reason"]
    result.assert_outcomes(passed=1, failed=2)


def test_reports_of_workers(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result, tests = _run(pytester, "-n", "2")
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    assert [call["outcome"] for call in tests["test_runs"]["calls"]] == ["ran"]
    assert [call["outcome"] for call in tests["test_calls_back"]["calls"]] == ["refused"]
    calls = json.loads((Path(pytester.path) / "report.json").read_text())["calls"]
    assert calls == {"ran": 1, "fellback": 0, "refused": 1}
    result.stdout.fnmatch_lines(["gridfuse: 1 kernels ran, 0 fell back to JAX, 1 were refused"])
