"""JAX's interpret modes, the drop-in, and a saved plan, side by side in one run.

    python side_by_side.py [--json FILE] [--into PAGE] [--tallax DIR] [--only REGEX] [--by jax,gridfuse,plan]
        [--limit SECONDS] [--patience SECONDS] [--budget SECONDS]

Every figure comes from a fresh process; who goes first takes turns. What is known is printed and written to FILE after
each of them. `--tallax` (or GRIDFUSE_TALLAX) is a checkout of tallax, whose sorts are left out without one. JAX is
stopped after --limit seconds, and where it is known not to end after --patience, which its row says; once the whole run
has taken --budget seconds, JAX's rows are left out.

JAX, first call       trace, lower, compile, run
trace                 JAX's own tracing, which nobody avoids, in gridfuse's process
gridfuse, first call  what JAX waits for gridfuse: export, import, compilation, preparation and the first run, in an engine
                      that has just started
in a warm engine      import, compilation and preparation once more, under another name
of a kept plan        the first call in a second process, which finds the plan in the cache
later calls           median of calls under jit
empty callback        the same arrays through a `pure_callback` that does nothing
saved plan            in Node: load, prepare and first run; median of later runs
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from cases import CASES  # noqa: E402
from tables import ms, table_of  # noqa: E402

# ── One measurement, in a process of its own ────────────────────────────────────────────────


def measure(name: str, by: str, export_to: str | None) -> dict[str, Any]:
    """With `export_to`, the program goes there, and everything is measured; else a first call is all."""
    fn, args = CASES[name].make()
    return _by_jax(fn, args) if by == "jax" else _by_gridfuse(fn, args, export_to)


def _by_jax(fn: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    import jax

    row: dict[str, Any] = {}
    _timed(row, "trace_ms", lambda: jax.make_jaxpr(fn)(*args))
    run = jax.jit(fn)
    _timed(row, "cold_ms", lambda: jax.block_until_ready(run(*args)))
    row["warm_ms"] = _median(lambda: jax.block_until_ready(run(*args)))
    return row


def _by_gridfuse(
    fn: Callable[..., Any], args: tuple[Any, ...], export_to: str | None
) -> dict[str, Any]:
    import jax
    import numpy as np

    import gridfuse.pallas
    from gridfuse import _calls, _client
    from gridfuse._writer import Exporter

    row: dict[str, Any] = {}

    def start() -> None:
        gridfuse.pallas.enable()
        with _client.session() as session:
            session.ask({"op": "hello"})

    # Node starts while JAX traces; what a program costs is measured in a process that is there.
    _timed(row, "node_ms", start)
    _calls.take_recent()
    traced = _timed(row, "trace_ms", lambda: jax.make_jaxpr(fn)(*args))
    run = jax.jit(fn)
    _timed(row, "cold_ms", lambda: jax.block_until_ready(run(*args)))
    calls = _calls.take_recent()
    row["ours_ms"] = sum(call.compile_ms + call.run_ms for call in calls)
    row["first_run_ms"] = sum(call.run_ms for call in calls)
    row["origin"] = calls[0].origin
    for call in calls:
        for part, took in call.parts.items():
            row[f"{part}_ms"] = row.get(f"{part}_ms", 0) + took
    if export_to is None:
        return row
    row["warm_ms"] = _median(lambda: jax.block_until_ready(run(*args)))
    shapes = jax.eval_shape(fn, *args)
    blank = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
    empty = jax.jit(lambda *args: jax.pure_callback(lambda *_: blank, shapes, *args))
    jax.block_until_ready(empty(*args))
    row["empty_ms"] = _median(lambda: jax.block_until_ready(empty(*args)))
    exporter = Exporter()
    data = exporter.finish(exporter.jaxpr(traced))
    row["equations"] = exporter.equations
    Path(export_to).write_bytes(data)
    row["again_ms"] = _again(data)
    return row


def _again(data: bytes) -> float:
    """Import, compilation and preparation in an engine that has compiled for four seconds: V8 has its best code."""
    from gridfuse import _client

    times = []
    until = time.perf_counter() + 4
    with _client.session() as session:
        while not times or (len(times) < 25 and time.perf_counter() < until):
            program = session.load(f"again-{len(times)}", data, _client.Mode(), keep=False)
            times.append(sum(program.ms.values()))
    return min(times)


def _timed(row: dict[str, Any], key: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    row[key] = (time.perf_counter() - started) * 1e3
    return result


def _median(call: Callable[[], Any]) -> float:
    times: list[float] = []
    until = time.perf_counter() + 0.8
    while not times or (time.perf_counter() < until and len(times) < 200):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


# ── The run ─────────────────────────────────────────────────────────────────────────────────


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--into", type=Path, help="a page whose table, between marks, is replaced")
    parser.add_argument("--tallax", default=os.environ.get("GRIDFUSE_TALLAX"))
    parser.add_argument("--limit", type=float, default=75, help="seconds for each process")
    parser.add_argument(
        "--patience", type=float, default=4, help="seconds for what JAX does not end anyway"
    )
    parser.add_argument(
        "--budget", type=float, default=270, help="seconds after which JAX's rows are left out"
    )
    parser.add_argument("--only", default="", help="cases whose names match")
    parser.add_argument("--by", default="jax,gridfuse,plan")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--export-to", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(*options.one, options.export_to)))
        return 0

    if options.tallax is None:
        print("no checkout of tallax (--tallax): its sorts are left out", file=sys.stderr)
    names = [
        name
        for name in sorted(CASES, key=lambda name: CASES[name].late)
        if re.search(options.only, name) and (options.tallax or not name.startswith("sort"))
    ]
    with tempfile.TemporaryDirectory() as scratch:
        rows = Run(options, Path(scratch)).rows(names)
    table = table_of(rows)
    print(table)
    if options.into is not None:
        page = options.into.read_text(encoding="utf-8")
        before, _, rest = page.partition(_MARKS[0])
        after = rest.partition(_MARKS[1])[2]
        if not after:
            print(f"{options.into} has no {_MARKS[0]} … {_MARKS[1]}", file=sys.stderr)
            return 1
        told = f"{before}{_MARKS[0]}\n\n{table}\n\n{_MARKS[1]}{after}"
        options.into.write_text(told, encoding="utf-8")
    return 0


_MARKS = ("<!-- side by side -->", "<!-- end of side by side -->")


class Run:
    """The rows so far, on the terminal and in the file."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self._options = options
        self._scratch = scratch
        self._rows: list[dict[str, Any]] = []
        self._until = time.monotonic() + options.budget

    def rows(self, names: list[str]) -> list[dict[str, Any]]:
        wanted = self._options.by.split(",")
        for i, name in enumerate(names):
            folder = self._scratch / str(i)
            folder.mkdir()
            # The plan is made of what gridfuse exported.
            both = [who for who in wanted if who != "plan"]
            order = both if i % 2 == 0 else both[::-1]
            try:
                for who in [*order, *["plan"] * ("plan" in wanted)]:
                    self._add({"case": name, "by": who, **self._row(name, who, folder)})
            except KeyboardInterrupt:
                break
        return self._rows

    def _add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        told = [f"{key} {ms(value)}" for key, value in row.items() if isinstance(value, float)]
        about = row.get("error") or ", ".join(told)
        print(f"{row['case']} by {row['by']}: {about}", file=sys.stderr, flush=True)
        if self._options.json is not None:
            self._options.json.write_text(json.dumps(self._rows, indent=1))

    def _row(self, name: str, who: str, folder: Path) -> dict[str, Any]:
        program = folder / "program.gfjx"
        if who == "plan":
            if not program.exists():
                return {"error": "there is no program: gridfuse exports it"}
            return _plan(program, self._options.limit)
        if who == "jax":
            return self._by_jax(name, folder)
        row = self._one(name, who, folder, self._options.limit, ["--export-to", str(program)])
        if "error" not in row:
            again = self._one(name, who, folder, self._options.limit, [])
            row["disk_ms"] = again.get("ours_ms")
            row["disk_export_ms"] = again.get("export_ms")
            row["disk_run_ms"] = again.get("first_run_ms")
            row["disk_origin"] = again.get("origin")
        return row

    def _by_jax(self, name: str, folder: Path) -> dict[str, Any]:
        left = self._until - time.monotonic()
        if left <= 0:
            return {"error": f"left out: the run has had its {self._options.budget:.0f} s"}
        hopeless = CASES[name].hopeless
        limit = self._options.limit if hopeless is None else self._options.patience
        row = self._one(name, "jax", folder, limit, [])
        row["limit_s"] = limit
        if hopeless is not None and "error" in row:
            row["error"] += f" ({hopeless})"
        return row

    def _one(
        self, name: str, who: str, folder: Path, limit: float, more: list[str]
    ) -> dict[str, Any]:
        tallax = self._options.tallax
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "GRIDFUSE_CACHE_DIR": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join(filter(None, [tallax, os.environ.get("PYTHONPATH")])),
        }
        command = [sys.executable, __file__, "--one", name, who, *more]
        return _last_line(command, limit, environment)


def _last_line(
    command: list[str], limit: float, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """What a process says in the end, or what became of it."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not finished in {limit:.0f} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["it failed"])[-1][:300]}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _plan(program: Path, limit: float) -> dict[str, Any]:
    """Import, compile, save and run in Node: `jax-plan.ts`, bundled."""
    script = os.environ.get("GRIDFUSE_RUN_PLAN")
    if script is None:
        return {"error": "start it with `npm run bench -- jax`"}
    return _last_line(["node", "--stack-size=4000", script, str(program)], limit)


if __name__ == "__main__":
    sys.exit(main())
