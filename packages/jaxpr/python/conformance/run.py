"""Runs JAX's own Pallas tests through the drop-in and counts.

    python run.py --jax-source DIR [--json FILE] [--run-skipped REGEX] [--off] p60|all|FILE…

DIR is a source tree of the JAX that is installed (its `tests/pallas`, and one helper module of its `jax`); also taken from
GRIDFUSE_JAX_SOURCE. Nothing of it is part of this repository.

A test is *applicable* unless JAX itself skips it on CPU or `not_applicable.json` gives a reason. Exits with 1 when
an applicable test fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# The files in which JAX's interpreters run something on CPU (reference: JAX 0.9.2).
FILES = [
    "pallas_test.py",
    "ops_test.py",
    "indexing_test.py",
    "pallas_vmap_test.py",
    "tpu_pallas_test.py",
    "tpu_pallas_interpret_test.py",
    "gpu_ops_test.py",
    "tpu_paged_attention_kernel_test.py",
    "tpu_splash_attention_mask_test.py",
    "pallas_shape_poly_test.py",
    "einshape_test.py",
    "fusion_test.py",
    "fuser_block_spec_test.py",
    "tpu_pallas_interpret_thread_map_test.py",
]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("suite", nargs="+", help="p60, all, or files of tests/pallas")
    parser.add_argument("--jax-source", default=os.environ.get("GRIDFUSE_JAX_SOURCE"))
    parser.add_argument("--json", type=Path, help="write every test with its outcome and reason")
    parser.add_argument("--run-skipped", metavar="REGEX")
    parser.add_argument("--off", action="store_true", help="JAX's interpreters, for comparison")
    parser.add_argument("--time-limit", type=float, default=1800, help="seconds for each file")
    options = parser.parse_args()
    if options.jax_source is None:
        parser.error("where are the tests? --jax-source, or GRIDFUSE_JAX_SOURCE")
    source = Path(options.jax_source).resolve()
    reasons = json.loads((HERE / "not_applicable.json").read_text())

    tests: dict[str, Any] = {}
    for file, selection in _chosen(options.suite):
        tests |= _run(source, file, selection, options)
    rows = [_judge(name, test, reasons) for name, test in sorted(tests.items())]
    print(_table(rows))
    failed = [row for row in rows if row["verdict"] == "failed"]
    for row in failed:
        print(f"FAILED {row['test']}: {row['reason'].splitlines()[0] if row['reason'] else ''}")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    return 1 if failed else 0


def _chosen(suite: list[str]) -> list[tuple[str, list[str] | None]]:
    chosen: list[tuple[str, list[str] | None]] = []
    for name in suite:
        if name == "p60":
            chosen += list(json.loads((HERE / "p60.json").read_text()).items())
        elif name == "all":
            chosen += [(file, None) for file in FILES]
        else:
            chosen.append((name, None))
    return chosen


def _run(
    source: Path, file: str, selection: list[str] | None, options: argparse.Namespace
) -> dict[str, Any]:
    folder = source / "tests" / "pallas"
    if not (folder / file).exists():
        print(f"{file}: not in this version of JAX", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [sys.executable, "-m", "pytest", "-p", "jax_tests", "-p", "gridfuse.pytest"]
        command += ["-p", "no:cacheprovider", "-q", "--no-header", "--tb=no", "-W", "ignore"]
        command += ["--gridfuse-report", str(report), file]
        if selection is not None:
            # Names of methods carry the number of their parameters.
            command += ["-k", " or ".join(selection)]
        if options.run_skipped is not None:
            command += ["--gridfuse-run-skipped", options.run_skipped]
        if options.off:
            command += ["--gridfuse-off"]
        environment = {
            **os.environ,
            "GRIDFUSE_JAX_SOURCE": str(source),
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        }
        print(f"{file} …", file=sys.stderr, flush=True)
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        try:
            process.wait(options.time_limit)
        except subprocess.TimeoutExpired:
            # The plug-in still writes what it has seen.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        if not report.exists():
            print(f"{file}: no report", file=sys.stderr)
            return {}
        tests = json.loads(report.read_text())["tests"]
    if selection is not None:
        exact = re.compile(
            rf"({'|'.join(map(re.escape, selection))})(?:[0-9_].*)?$|::({'|'.join(selection)})::"
        )
        tests = {name: test for name, test in tests.items() if exact.search(name)}
    return tests


def _judge(name: str, test: dict[str, Any], reasons: dict[str, str]) -> dict[str, Any]:
    outcome, reason = test["outcome"], test.get("reason", "")
    verdict = {"passed": "passed", "failed": "failed"}.get(outcome, "skipped")
    if verdict != "passed":
        for pattern, why in reasons.items():
            if re.search(pattern, name):
                verdict, reason = "not applicable", why
                break
    row = {"test": name, "verdict": verdict, "reason": reason, "ms": test.get("ms")}
    row["calls"] = [call["outcome"] for call in test.get("calls", [])]
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    files: dict[str, dict[str, Any]] = {}
    for row in rows:
        counts = files.setdefault(row["test"].partition("::")[0], {"seconds": 0.0})
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
        counts["seconds"] += (row["ms"] or 0) / 1e3
    columns = ["passed", "failed", "not applicable", "skipped"]
    lines = [
        "| file | passed / applicable | not applicable | skipped by JAX | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    total = dict.fromkeys([*columns, "seconds"], 0.0)
    for file, counts in [*files.items(), ("all", total)]:
        if file != "all":
            for key in total:
                total[key] += counts.get(key, 0)
        passed, failed, other, skipped = (int(counts.get(key, 0)) for key in columns)
        lines.append(
            f"| {file} | {passed} / {passed + failed} | {other} | {skipped} | {counts['seconds']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
