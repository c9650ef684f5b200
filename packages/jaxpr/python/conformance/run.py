"""Runs JAX's own Pallas tests through the drop-in and counts.

    python run.py --jax-source DIR [--json FILE] [--run-skipped REGEX [--as-tpu MODE]] [--off] p60|all|FILE…
    python run.py --folder DIR FILE…

DIR is a source tree of the JAX that is installed (its `tests/pallas`, and one helper module of its `jax`); also taken from
GRIDFUSE_JAX_SOURCE. Nothing of it is part of this repository. With --folder, tests of any other project are run in
the same way.

Every test of a file is counted, and has one verdict: passed, failed, skipped (JAX skips it itself, with its reason),
or not applicable, for a reason that `not_applicable.json` gives (by patterns of names and messages). *Applicable* are the first two. Tests run in processes of
a few hundred; each has a limit, and one that does not end costs only itself. With --journal FILE all that is known is
in that file, and another call goes on where the last one ended. Exits with 1 when an applicable test fails.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# The denominator: the files whose kernels one host can run (reference: JAX 0.9.2). In the second group JAX runs
# nothing on CPU.
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
    "tpu_pallas_pipeline_test.py",
    "tpu_pallas_async_test.py",
    "tpu_pallas_random_test.py",
    "tpu_pallas_state_test.py",
    "tpu_ops_test.py",
    "tpu_splash_attention_kernel_test.py",
    "tpu_gmm_test.py",
    "tpu_ragged_paged_attention_test.py",
]
SHARD = 400

Row = dict[str, Any]


def main() -> int:
    options = _options()
    reasons = json.loads((HERE / "not_applicable.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        journal = Journal(options.journal or Path(scratch) / "journal")
        runner = Runner(options, journal, Path(scratch))
        wanted = [
            test
            for file, selection in _chosen(options.suite)
            for test in _selected(runner.collect(file), selection)
        ]
        if options.again is not None:
            journal.forget(re.compile(options.again))
        runner.run([test for test in wanted if test not in journal.tests])
    rows = [_judge(test, journal.tests[test], reasons) for test in sorted(wanted)]
    print(_table(rows))
    failed = [row for row in rows if row["verdict"] == "failed"]
    for row in failed:
        print(f"FAILED {row['test']}: {_first_line(row['reason'])}")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    if options.summary is not None:
        options.summary.write_text(json.dumps(_summary(rows), indent=1) + "\n")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("suite", nargs="+", help="p60, all, or files of tests/pallas")
    parser.add_argument("--jax-source", default=os.environ.get("GRIDFUSE_JAX_SOURCE"))
    parser.add_argument("--folder", type=Path, help="where the files are, if not in JAX's source")
    parser.add_argument("--json", type=Path, help="write every test with its outcome and reason")
    parser.add_argument("--summary", type=Path, help="write the counts, and what did not pass")
    parser.add_argument("--journal", type=Path, help="what ran already, and is not run again")
    parser.add_argument("--again", metavar="REGEX", help="forget outcomes or names that match")
    parser.add_argument("--run-skipped", metavar="REGEX")
    parser.add_argument(
        "--as-tpu",
        choices=["on_wait", "eager"],
        help="kernels that do not ask for an interpreter run in TPU interpret mode, copies done so",
    )
    parser.add_argument("--off", action="store_true", help="JAX's interpreters, for comparison")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--limit", type=float, default=120, help="seconds of processor time for each test"
    )
    options = parser.parse_args()
    if options.jax_source is None and options.folder is None:
        parser.error("where are the tests? --jax-source, or GRIDFUSE_JAX_SOURCE")
    return options


def _chosen(suite: list[str]) -> Iterator[tuple[str, list[str] | None]]:
    for name in suite:
        if name == "p60":
            yield from json.loads((HERE / "p60.json").read_text()).items()
        elif name == "all":
            yield from ((file, None) for file in FILES)
        else:
            yield name, None


def _selected(tests: list[str], selection: list[str] | None) -> list[str]:
    """Names of methods carry the number of their parameters."""
    if selection is None:
        return tests
    names = "|".join(map(re.escape, selection))
    exact = re.compile(rf"({names})(?:[0-9_].*)?$|::({names})::")
    return [test for test in tests if exact.search(test)]


# ── Running ─────────────────────────────────────────────────────────────────────────────────


class Journal:
    """What is known: the tests of each file, and the last outcome of each test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, list[str]] = {}
        self.tests: dict[str, Row] = {}
        for line in _lines(path):
            self._take(line)

    def add(self, *lines: Row) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for line in lines:
                self._take(line)
                file.write(json.dumps(line) + "\n")

    def forget(self, pattern: re.Pattern[str]) -> None:
        for name, test in list(self.tests.items()):
            if pattern.search(test["outcome"]) or pattern.search(name):
                del self.tests[name]

    def _take(self, line: Row) -> None:
        if "collected" in line:
            self.files[line["file"]] = line["collected"]
        elif "test" in line:
            self.tests[line["test"]] = line


class Runner:
    def __init__(self, options: argparse.Namespace, journal: Journal, scratch: Path) -> None:
        self._folder: Path = options.folder or Path(options.jax_source, "tests", "pallas")
        self._options = options
        self._journal = journal
        self._scratch = scratch
        self._processes = itertools.count()

    def collect(self, file: str) -> list[str]:
        if file not in self._journal.files:
            if not (self._folder / file).exists():
                print(f"{file}: not in this version of JAX", file=sys.stderr)
                return []
            notes = self._place()
            status = self._start(file, notes, ["--collect-only", "--gridfuse-off"], None).wait()
            # 5: there are no tests in it. A file that cannot be imported is not one without tests.
            if status not in (0, 5):
                sys.exit(f"{file} cannot be collected: see python -m pytest {self._folder / file}")
            collected = [test for line in _lines(notes) for test in line.get("collected", ())]
            self._journal.add({"file": file, "collected": collected})
        return self._journal.files[file]

    def run(self, tests: list[str]) -> None:
        files: dict[str, list[str]] = collections.defaultdict(list)
        for test in tests:
            files[test.partition("::")[0]].append(test)
        shards = [
            (file, names[at : at + SHARD])
            for file, names in files.items()
            for at in range(0, len(names), SHARD)
        ]
        with ThreadPoolExecutor(self._options.jobs) as pool:
            for _ in pool.map(lambda shard: self._run_shard(*shard), shards):
                pass

    def _run_shard(self, file: str, tests: list[str]) -> None:
        left = list(tests)
        while left:
            notes = self._place()
            print(f"{file}: {len(left)} tests …", file=sys.stderr, flush=True)
            process = self._start(file, notes, [], left)
            ended, running, why = self._watch(process, notes)
            if running is not None:
                ended.append({"test": running, "outcome": "failed", "reason": why, "calls": []})
            elif not ended:
                ended = [
                    {"test": test, "outcome": "failed", "reason": why, "calls": []} for test in left
                ]
            self._journal.add(*ended)
            done = {row["test"] for row in ended}
            left = [test for test in left if test not in done]

    def _watch(
        self, process: subprocess.Popen[bytes], notes: Path
    ) -> tuple[list[Row], str | None, str]:
        """Waits for the process, or ends it when a test takes too long: what ended, what did not, and why."""
        limit = self._options.limit
        seen, began, spent = 0, time.monotonic(), 0.0
        why = ""
        while process.poll() is None:
            time.sleep(0.5)
            size = notes.stat().st_size if notes.exists() else 0
            if size != seen:
                seen, began, spent = size, time.monotonic(), _processor_time(process.pid)
                continue
            used = _processor_time(process.pid) - spent
            # What waits for something that never comes uses no processor time.
            if used > limit or time.monotonic() - began > 10 * limit:
                why = f"not finished in {min(used, limit):.0f} s of processor time"
                process.send_signal(signal.SIGKILL)
                process.wait()
        ended: list[Row] = []
        running = None
        for line in _lines(notes):
            running = line.get("began", running)
            if "test" in line:
                ended.append(line)
                running = None
        return ended, running, why or f"the process ended with status {process.returncode}"

    def _start(
        self, file: str, notes: Path, more: list[str], tests: list[str] | None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pytest", "-p", "jax_tests", "-p", "gridfuse.pytest"]
        # -s: some tests capture the standard output themselves.
        command += ["-p", "no:cacheprovider", "-s", "-q", "--no-header", "--tb=no", "-W", "ignore"]
        command += ["--rootdir", ".", *more, file]
        environment = {
            **os.environ,
            "GRIDFUSE_JOURNAL": str(notes),
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        }
        if self._options.jax_source is not None:
            environment["GRIDFUSE_JAX_SOURCE"] = str(Path(self._options.jax_source).resolve())
        if self._options.as_tpu is not None:
            environment["GRIDFUSE_AS_TPU"] = self._options.as_tpu
        if tests is not None:
            chosen = notes.with_suffix(".tests")
            chosen.write_text(json.dumps(tests))
            environment["GRIDFUSE_TESTS"] = str(chosen)
        if self._options.run_skipped is not None:
            command += ["--gridfuse-run-skipped", self._options.run_skipped]
        if self._options.off and "--gridfuse-off" not in more:
            command += ["--gridfuse-off"]
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _place(self) -> Path:
        return self._scratch / f"{next(self._processes)}.notes"


def _lines(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            # The last line of a process that was ended while it wrote.
            continue


def _processor_time(pid: int) -> float:
    """Seconds that a process and its children have used; wall time where the system does not tell."""
    try:
        total = sum(_ticks(one) for one in (pid, *_children(pid)))
        return total / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return time.monotonic()


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


# ── Counting ────────────────────────────────────────────────────────────────────────────────


def _judge(name: str, test: Row, reasons: dict[str, str]) -> Row:
    outcome, reason = test["outcome"], test.get("reason", "")
    verdict = outcome if outcome in ("passed", "failed") else "skipped"
    if verdict != "passed":
        for pattern, why in reasons.items():
            if re.search(pattern, f"{name} {reason}"):
                verdict, reason = "not applicable", why
                break
    row = {"test": name, "verdict": verdict, "reason": reason, "ms": test.get("ms")}
    row["calls"] = [call["outcome"] for call in test.get("calls", [])]
    return row


def _counts(rows: list[Row]) -> dict[str, dict[str, float]]:
    files: dict[str, dict[str, float]] = {}
    for row in rows:
        for name in (row["test"].partition("::")[0], "all"):
            counts = files.setdefault(name, collections.defaultdict(int))
            counts[row["verdict"]] += 1
            counts["tests"] += 1
            counts["seconds"] += (row["ms"] or 0) / 1e3
    return {**{name: files[name] for name in files if name != "all"}, "all": files.get("all", {})}


def _table(rows: list[Row]) -> str:
    lines = [
        "| file | passed / applicable / all | not applicable | skipped by JAX | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for file, counts in _counts(rows).items():
        passed, failed, other, skipped, every = (
            int(counts.get(key, 0))
            for key in ("passed", "failed", "not applicable", "skipped", "tests")
        )
        lines.append(
            f"| {file} | {passed} / {passed + failed} / {every} | {other} | {skipped} "
            f"| {counts.get('seconds', 0):.0f} |"
        )
    return "\n".join(lines)


def _summary(rows: list[Row]) -> dict[str, Any]:
    """Counts by file, and what did not pass by reason."""
    reasons: dict[str, dict[str, Any]] = {
        "failed": {},
        "not applicable": collections.defaultdict(list),
        "skipped": collections.Counter(),
    }
    for row in rows:
        verdict, reason = row["verdict"], _first_line(row["reason"])
        if verdict == "failed":
            reasons[verdict][row["test"]] = _first_lines(row["reason"])
        elif verdict == "not applicable":
            reasons[verdict][reason].append(row["test"])
        elif verdict == "skipped":
            reasons[verdict][reason] += 1
    counts = {
        file: {key: round(value) for key, value in sorted(one.items())}
        for file, one in _counts(rows).items()
    }
    return {"counts": counts, **reasons}


def _first_lines(reason: str) -> str:
    """An assertion's own first line says nothing."""
    lines = [line.strip().rstrip(": ") for line in reason.splitlines() if line.strip()]
    return "; ".join(lines[:3])[:300]


def _first_line(reason: str) -> str:
    return reason.splitlines()[0][:300] if reason else ""


if __name__ == "__main__":
    sys.exit(main())
