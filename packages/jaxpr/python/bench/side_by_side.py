"""JAX's interpret modes, the drop-in, and a saved plan, side by side in one run.

    python side_by_side.py [--json FILE] [--tallax DIR] [--limit SECONDS] [--only REGEX] [--by jax,gridfuse,plan]

Every figure comes from a fresh process; who goes first takes turns. `--tallax` (or GRIDFUSE_TALLAX) is a checkout of
tallax, whose sorts are left out without one. JAX is stopped at a limit; what is known not to end within it is stopped
early, unless --patience says otherwise.

JAX, first call       trace, lower, compile, run
trace                 JAX's own tracing, which nobody avoids, in gridfuse's process
gridfuse, first call  what JAX waits for gridfuse: export, import, compilation, preparation and the first run
of a kept plan        the same in a second process, which finds the plan in the cache
later calls           median of calls under jit
empty callback        the same arrays through a `pure_callback` that does nothing
saved plan            in Node: load, prepare and first run; median of later runs
"""

from __future__ import annotations

import argparse
import dataclasses
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

Case = tuple[Callable[..., Any], tuple[Any, ...]]


# ── The cases ───────────────────────────────────────────────────────────────────────────────


def sort(shape: tuple[int, int], operands: int) -> Callable[[], Case]:
    def make() -> Case:
        import jax.numpy as jnp
        import numpy as np
        from tallax import tax

        rng = np.random.default_rng(0)
        words = [rng.integers(0, 2**32, shape, np.uint32) for _ in range(operands)]
        arrays = [jnp.asarray(word.view(np.float32)) for word in words]

        def run(*arrays: Any) -> Any:
            given = arrays[0] if operands == 1 else list(arrays)
            return tax.sort(given, num_keys=1, interpret=True)

        return run, tuple(arrays)

    return make


def elementwise(points: int, *, tpu: bool) -> Callable[[], Case]:
    def make() -> Case:
        import jax
        import jax.numpy as jnp
        from jax.experimental import pallas as pl
        from jax.experimental.pallas import tpu as pltpu

        def kernel(x_ref: Any, y_ref: Any, o_ref: Any) -> None:
            o_ref[...] = jnp.sin((x_ref[...] + y_ref[...]) * 2)

        spec = pl.BlockSpec((1,), lambda i: (i,))

        def run(x: Any, y: Any) -> Any:
            return pl.pallas_call(
                kernel,
                out_shape=jax.ShapeDtypeStruct((points,), jnp.float32),
                grid=(points,),
                in_specs=[spec, spec],
                out_specs=spec,
                interpret=pltpu.InterpretParams() if tpu else True,
            )(x, y)

        x = jnp.arange(points, dtype=jnp.float32) / points
        return run, (x, x + 1)

    return make


def identity(points: int) -> Callable[[], Case]:
    """What the door itself costs: the same arrays, copied."""

    def make() -> Case:
        import jax.numpy as jnp
        from jax.experimental import pallas as pl

        def kernel(x_ref: Any, y_ref: Any, o_ref: Any) -> None:
            o_ref[...] = x_ref[...]

        def run(x: Any, y: Any) -> Any:
            return pl.pallas_call(kernel, out_shape=x, interpret=True)(x, y)

        x = jnp.arange(points, dtype=jnp.float32)
        return run, (x, x + 1)

    return make


def flash_attention(length: int) -> Callable[[], Case]:
    def make() -> Case:
        sys.path.insert(0, str(HERE.parent / "tests"))
        import jax.numpy as jnp
        import numpy as np
        from kernels import attention

        rng = np.random.default_rng(0)
        return attention, tuple(
            jnp.asarray(rng.standard_normal((length, 64)), jnp.float32) for _ in range(3)
        )

    return make


@dataclasses.dataclass(frozen=True)
class Work:
    """A case. `hopeless`: JAX does not end in a time that a benchmark has; why, and what is known of it."""

    make: Callable[[], Case]
    hopeless: str | None = None


CASES: dict[str, Work] = {
    "sort (8, 128)": Work(sort((8, 128), 1)),
    "sort (8, 128), two operands": Work(sort((8, 128), 2), "556 s with JAX 0.8.0"),
    "sort (16, 256)": Work(sort((16, 256), 1)),
    "sort (8, 8192)": Work(sort((8, 8192), 1), "210 s with JAX 0.8.0"),
    "sort (16, 131072)": Work(sort((16, 131072), 1), "more equations than (8, 8192) has"),
    "grid of 512": Work(elementwise(512, tpu=False)),
    "grid of 512, TPU": Work(elementwise(512, tpu=True)),
    "grid of 16,384": Work(elementwise(16_384, tpu=False)),
    "grid of 16,384, TPU": Work(elementwise(16_384, tpu=True), "80 s, from 10 s for 2,048"),
    "grid of 2,097,152": Work(
        elementwise(2_097_152, tpu=False), "36 min, as it grows by the square"
    ),
    "grid of 2,097,152, TPU": Work(elementwise(2_097_152, tpu=True), "3 h, from 10 s for 2,048"),
    "identity of 2,097,152": Work(identity(2_097_152)),
    "flash attention 512 × 64": Work(flash_attention(512)),
}


# ── One measurement, in a process of its own ────────────────────────────────────────────────


def measure(name: str, by: str, export_to: str | None) -> dict[str, Any]:
    import jax
    import numpy as np

    fn, args = CASES[name].make()
    row: dict[str, Any] = {}
    if by == "gridfuse":
        import gridfuse.pallas
        from gridfuse import _calls, _client

        # Node starts while JAX traces; what a program costs is measured in a process that is there.
        started = time.perf_counter()
        gridfuse.pallas.enable()
        with _client.session() as session:
            session.ask({"op": "hello"})
        row["node_ms"] = (time.perf_counter() - started) * 1e3
        _calls.take_recent()
    started = time.perf_counter()
    traced = jax.make_jaxpr(fn)(*args)
    row["trace_ms"] = (time.perf_counter() - started) * 1e3
    if export_to is not None:
        import gridfuse
        from gridfuse._writer import Exporter

        exporter = Exporter()
        started = time.perf_counter()
        data = exporter.finish(exporter.jaxpr(traced))
        row["export_ms"] = (time.perf_counter() - started) * 1e3
        row["equations"] = exporter.equations
        Path(export_to).write_bytes(data)
        return row
    run = jax.jit(fn)
    started = time.perf_counter()
    jax.block_until_ready(run(*args))
    row["cold_ms"] = (time.perf_counter() - started) * 1e3
    if by == "gridfuse":
        calls = _calls.take_recent()
        row["ours_ms"] = sum(call.compile_ms + call.run_ms for call in calls)
        row["origin"] = calls[0].origin
    row["warm_ms"] = _median(lambda: jax.block_until_ready(run(*args)))
    if by == "gridfuse":
        shapes = jax.eval_shape(fn, *args)
        blank = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
        empty = jax.jit(lambda *args: jax.pure_callback(lambda *_: blank, shapes, *args))
        jax.block_until_ready(empty(*args))
        row["empty_ms"] = _median(lambda: jax.block_until_ready(empty(*args)))
    return row


def _median(call: Callable[[], Any]) -> float:
    times: list[float] = []
    began = time.perf_counter()
    while not times or (
        time.perf_counter() - began < (15 if len(times) < 5 else 3) and len(times) < 200
    ):
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
    parser.add_argument("--tallax", default=os.environ.get("GRIDFUSE_TALLAX"))
    parser.add_argument("--limit", type=float, default=90, help="seconds for each process")
    parser.add_argument(
        "--patience", type=float, default=12, help="seconds for what JAX does not end anyway"
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
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for i, name in enumerate(CASES):
            if not re.search(options.only, name):
                continue
            if name.startswith("sort") and options.tallax is None:
                continue
            by = options.by.split(",")
            for who in by if i % 2 == 0 else reversed(by):
                print(f"{name} by {who} …", file=sys.stderr, flush=True)
                row = {"case": name, "by": who, **_by(name, who, options, Path(scratch) / str(i))}
                rows.append(row)
    print(_table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def _by(name: str, who: str, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    scratch.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "GRIDFUSE_CACHE_DIR": str(scratch / "cache"),
        "PYTHONPATH": os.pathsep.join(filter(None, [options.tallax, os.environ.get("PYTHONPATH")])),
    }
    if who == "plan":
        program = scratch / "program.gfjx"
        row = _one(name, "gridfuse", environment, options.limit, ["--export-to", str(program)])
        return row if "error" in row else row | _plan(program, options.limit)
    hopeless = CASES[name].hopeless if who == "jax" else None
    limit = options.limit if hopeless is None else options.patience
    row = _one(name, who, environment, limit, [])
    if hopeless is not None and "error" in row:
        row["error"] += f" ({hopeless})"
    if who == "gridfuse" and "error" not in row:
        again = _one(name, who, environment, options.limit, [])
        row["disk_ms"] = again.get("ours_ms")
        row["disk_origin"] = again.get("origin")
    return row


def _one(
    name: str, who: str, environment: dict[str, str], limit: float, more: list[str]
) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, who, *more]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not finished in {limit:.0f} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["it failed"])[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


def _plan(program: Path, limit: float) -> dict[str, Any]:
    """Import, compile, save and run in Node: `run_plan.ts`, bundled."""
    script = os.environ.get("GRIDFUSE_RUN_PLAN")
    if script is None:
        return {"error": "start it with `npm run bench -- jax`"}
    try:
        done = subprocess.run(
            ["node", "--stack-size=4000", script, str(program)],
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not finished in {limit:.0f} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["it failed"])[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


COLUMNS = (
    ("JAX, first call", "jax", "cold_ms"),
    ("JAX, later calls", "jax", "warm_ms"),
    ("trace", "gridfuse", "trace_ms"),
    ("gridfuse, first call", "gridfuse", "ours_ms"),
    ("of a kept plan", "gridfuse", "disk_ms"),
    ("later calls", "gridfuse", "warm_ms"),
    ("empty callback", "gridfuse", "empty_ms"),
    ("saved plan: start", "plan", "cold_ms"),
    ("runs", "plan", "warm_ms"),
)


def _table(rows: list[dict[str, Any]]) -> str:
    """A line for each case, in milliseconds."""
    by = {(row["case"], row["by"]): row for row in rows}
    lines = [
        f"| ms | {' | '.join(title for title, _, _ in COLUMNS)} |",
        "| --- " + "| ---: " * len(COLUMNS) + "|",
    ]
    for case in dict.fromkeys(row["case"] for row in rows):
        cells = []
        for _, who, key in COLUMNS:
            row = by.get((case, who), {})
            if "error" in row:
                cells.append(row["error"] if key == "cold_ms" or who == "gridfuse" else "")
            else:
                cells.append(_ms(row.get(key)))
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
