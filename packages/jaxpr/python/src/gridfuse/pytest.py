"""A pytest plug-in: `pytest -p gridfuse.pytest` runs every kernel in interpret mode on gridfuse.

    --gridfuse-report FILE        what became of each pallas_call of each test, as JSON
    --gridfuse-fallback jax       let JAX run what gridfuse cannot, instead of failing
    --gridfuse-run-skipped REGEX  run tests that skip themselves for a reason that matches
    --gridfuse-off                install the options, but leave the kernels to JAX

Tests that skip themselves do so because an interpreter cannot run them, or is too slow; with a matching REGEX
`skipTest` and `pytest.skip` return and the test goes on, and marks are taken off.
"""

from __future__ import annotations

import json
import re
import time
import unittest
from collections.abc import Generator
from typing import Any

import pytest

from gridfuse import _calls, pallas

_reports = pytest.StashKey["_Reports"]()


class _Reports:
    """What is known of tests that ran in this process, or in the workers that pytest-xdist shares them between."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self._workers: dict[str, int] = {}

    def take(self, worker: dict[str, Any]) -> None:
        self.tests.update(worker["tests"])
        for outcome, count in worker["calls"].items():
            self._workers[outcome] = self._workers.get(outcome, 0) + count

    def calls(self) -> dict[str, int]:
        return {
            outcome: count + self._workers.get(outcome, 0)
            for outcome, count in pallas.stats().items()
        }


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gridfuse", "Pallas kernels on gridfuse")
    group.addoption("--gridfuse-report", metavar="FILE", help="write what ran where, as JSON")
    group.addoption("--gridfuse-fallback", choices=["jax"], help="let JAX run what gridfuse cannot")
    group.addoption(
        "--gridfuse-run-skipped",
        metavar="REGEX",
        help="run tests that skip themselves for a matching reason",
    )
    group.addoption("--gridfuse-off", action="store_true", help="leave the kernels to JAX")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_reports] = _Reports()
    if not config.getoption("--gridfuse-off"):
        pallas.enable(fallback=config.getoption("--gridfuse-fallback"))
    pattern = config.getoption("--gridfuse-run-skipped")
    if pattern is not None:
        _run_skipped(re.compile(pattern))


def reported(item: pytest.Item) -> dict[str, Any]:
    """What the report will say of a test: outcome, reason, milliseconds, kernel calls."""
    return item.config.stash[_reports].tests.get(item.nodeid, {"outcome": "unknown"})


def pytest_unconfigure(config: pytest.Config) -> None:
    pallas.disable()


def _run_skipped(pattern: re.Pattern[str]) -> None:
    original = unittest.TestCase.skipTest

    def skip_test(self: unittest.TestCase, reason: Any) -> None:
        if not pattern.search(str(reason)):
            original(self, reason)

    unittest.TestCase.skipTest = skip_test  # type: ignore[method-assign,assignment]
    skip = pytest.skip

    def skip_unless_wanted(reason: str = "", **options: Any) -> None:
        if not pattern.search(reason):
            skip(reason, **options)

    skip_unless_wanted.Exception = skip.Exception  # type: ignore[attr-defined]
    pytest.skip = skip_unless_wanted  # type: ignore[assignment]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    given = config.getoption("--gridfuse-run-skipped")
    if given is None:
        return
    pattern = re.compile(given)
    for node in {node for item in items for node in item.listchain()}:
        node.own_markers = [
            mark
            for mark in node.own_markers
            if mark.name not in ("skip", "skipif")
            or not pattern.search(str(mark.kwargs.get("reason", "")))
        ]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    _calls.take_recent()
    started = time.perf_counter()
    yield
    entry = item.config.stash[_reports].tests.setdefault(item.nodeid, {"outcome": "unknown"})
    entry["ms"] = round((time.perf_counter() - started) * 1e3, 3)
    entry["calls"] = [record.to_json() for record in _calls.take_recent()]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" and report.passed:
        return
    entry = item.config.stash[_reports].tests.setdefault(item.nodeid, {})
    if entry.get("outcome") == "failed":
        return
    entry["outcome"] = report.outcome
    if report.skipped and isinstance(report.longrepr, tuple):
        entry["reason"] = report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        entry["reason"] = crash.message if crash is not None else str(report.longrepr)[:2000]


def pytest_sessionfinish(session: pytest.Session) -> None:
    reports = session.config.stash[_reports]
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["gridfuse"] = json.dumps({"tests": reports.tests, "calls": pallas.stats()})
        return
    path = session.config.getoption("--gridfuse-report")
    if path is None:
        return
    tests = reports.tests
    totals: dict[str, int] = {}
    for test in tests.values():
        totals[test["outcome"]] = totals.get(test["outcome"], 0) + 1
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"tests": tests, "outcomes": totals, "calls": reports.calls()}, file, indent=1)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker of pytest-xdist leaves behind; one that died leaves nothing."""
    told = getattr(node, "workeroutput", {}).get("gridfuse")
    if told is not None:
        node.config.stash[_reports].take(json.loads(told))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    calls = config.stash[_reports].calls()
    terminalreporter.write_line(
        f"gridfuse: {calls['ran']} kernels ran, {calls['fellback']} fell back to JAX, "
        f"{calls['refused']} were refused"
    )
