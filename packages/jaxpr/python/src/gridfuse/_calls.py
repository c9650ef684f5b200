"""What became of each kernel call: kept for `stats()` and for the report of the pytest plug-in."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any, Literal

Outcome = Literal["ran", "fellback", "refused"]


@dataclasses.dataclass
class CallRecord:
    """One `pallas_call` that JAX lowered while gridfuse was enabled.

    Attributes:
      kernel: its name.
      outcome: `ran` on gridfuse, `fellback` to JAX, or `refused` with an exception.
      reason: why it did not run.
      grid_points: steps of the grid; None where its extent is computed.
      compile_ms: export, import, compilation and preparation; or reading it from the cache.
      parts: what of that each took: `export` in Python, and in the engine `import`, `compile` and `prepare`, or `read` and
        `prepare`, which may have been done while JAX did something else.
      run_ms: all its runs together.
      runs: how many there were.
      origin: where the compiled program came from: `program`, `memory` or `disk`.
    """

    kernel: str
    outcome: Outcome
    reason: str | None = None
    grid_points: int | None = None
    compile_ms: float = 0.0
    parts: dict[str, float] = dataclasses.field(default_factory=dict)
    run_ms: float = 0.0
    runs: int = 0
    origin: str | None = None

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


_lock = threading.Lock()
_counts: dict[str, int] = {"ran": 0, "fellback": 0, "refused": 0}
_recent: dict[int, CallRecord] = {}
_recording = False


def count(record: CallRecord) -> CallRecord:
    with _lock:
        _counts[record.outcome] += 1
        if _recording:
            _recent[id(record)] = record
    return record


def recount(record: CallRecord, outcome: Outcome, reason: str) -> None:
    """A call that was counted becomes something else after all."""
    with _lock:
        _counts[record.outcome] -= 1
        _counts[outcome] += 1
        record.outcome, record.reason = outcome, reason


def ran(record: CallRecord, ms: float) -> None:
    with _lock:
        record.runs += 1
        record.run_ms += ms
        if _recording:
            _recent[id(record)] = record


def stats() -> dict[str, int]:
    """How many calls ran on gridfuse, fell back to JAX, or were refused since Python began."""
    with _lock:
        return dict(_counts)


def take_recent() -> list[CallRecord]:
    """The calls since the last time somebody asked; recording begins with the first time."""
    global _recording
    with _lock:
        _recording = True
        recent = list(_recent.values())
        _recent.clear()
    return recent
