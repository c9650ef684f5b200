"""Races: what a kernel reads and writes while something else does, and nothing says which is first.

Of each core of the simulated chip is known what it does in order (`_events.py`): reads and writes of memory, copies,
semaphores. All cores are stepped together, waiting where they have to. One event happens
before another where a chain of semaphores leads from it to the other; two accesses of the same memory of which neither
does, and one writes, are a race (Lamport's order, kept as vector clocks; a copy is known to a core from a wait on). Clocks are kept
as JAX's interpreter keeps them, so that the same pairs are ordered.

What is not known (an index that is computed from data) may be a race or not: then the kernel is refused.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from gridfuse._events import Access, Event, Region, Signal, Start, Wait
from gridfuse._lines import location


@dataclasses.dataclass
class _Agent:
    """Somebody who reads and writes: a core, or a copy that one started. `clock` is what it knows to be done of each."""

    name: str
    of: int
    is_copy: bool
    clock: list[int]
    # For copies: since when each core knows that it is done.
    known: dict[int, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Semaphore:
    count: int = 0
    clock: list[int] | None = None
    copies: list[_Agent] = dataclasses.field(default_factory=list)
    tasks: list[Callable[[], None]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Past:
    access: Access
    agent: _Agent
    time: int


class Deadlock(Exception):
    def __init__(self, eqn: Any) -> None:
        super().__init__("nobody signals what is waited for")
        self.eqn = eqn


class Simulation:
    """All cores stepped together.

    Attributes:
      races: what was found, as text.
      doubts: accesses of which it is not known whether they race.
      passes: pairs of cores of which the second uses memory that the first used before, and one writes.
    """

    def __init__(
        self, traces: Sequence[Sequence[Event]], names: Mapping[Any, str], *, eager: bool
    ) -> None:
        self.races: list[str] = []
        self.doubts: list[tuple[Access, Access]] = []
        self.passes: set[tuple[int, int]] = set()
        self._traces, self._names, self._eager = traces, names, eager
        self._cores = [_Agent(f"core {i}", i, False, [0] * len(traces)) for i in range(len(traces))]
        self._semaphores: dict[Any, _Semaphore] = defaultdict(_Semaphore)
        self._past: dict[Any, list[_Past]] = defaultdict(list)
        self._told: set[Any] = set()
        # Pairs of cores that are in order anyway: each with itself.
        self._ordered = {(i, i) for i in range(len(traces))}
        self._waiting_copies: list[_Agent] = []

    def run(self) -> None:
        at = [0] * len(self._traces)
        while any(i < len(trace) for i, trace in zip(at, self._traces, strict=True)):
            moved = False
            for core, trace in enumerate(self._traces):
                while at[core] < len(trace) and self._step(self._cores[core], trace[at[core]]):
                    at[core] += 1
                    moved = True
            if not moved:
                blocked = next(c for c, trace in enumerate(self._traces) if at[c] < len(trace))
                raise Deadlock(getattr(self._traces[blocked][at[blocked]], "eqn", None))

    def finish(self, outputs: Sequence[Any]) -> None:
        """Results are read when all cores are done."""
        everything = [max(agent.clock[c] for agent in self._cores) for c in range(len(self._cores))]
        reader = self._cores[0]
        reader.clock = everything
        for buffer in outputs:
            self._check(Access(buffer, (), False, True, None), reader)

    def _step(self, core: _Agent, event: Event) -> bool:
        """Does one event; False where it has to wait."""
        if isinstance(event, Wait):
            return self._wait(core, event)
        core.clock[core.of] += 1
        if isinstance(event, Access):
            self._check(event, core)
        elif isinstance(event, Signal):
            self._signal(event.semaphore, event.amount, core.clock)
        else:
            self._start(core, event)
        return True

    def _start(self, core: _Agent, event: Start) -> None:
        copy = _Agent(f"a copy of {core.name}", core.of, True, list(core.clock))

        def execute() -> None:
            self._waiting_copies.remove(copy)
            self._check(event.reads, copy)
            self._check(event.writes, copy)
            self._signal(event.semaphore, event.amount, copy.clock, copy)

        self._waiting_copies.append(copy)
        if self._eager:
            execute()
        else:
            self._semaphores[event.semaphore].tasks.append(execute)

    def _signal(self, key: Any, amount: int, clock: list[int], copy: _Agent | None = None) -> None:
        semaphore = self._semaphores[key]
        semaphore.count += amount
        before = semaphore.clock or clock
        semaphore.clock = [max(a, b) for a, b in zip(before, clock, strict=True)]
        if copy is not None:
            semaphore.copies.append(copy)

    def _wait(self, core: _Agent, event: Wait) -> bool:
        semaphore = self._semaphores[event.semaphore]
        # Those that were started last are done first.
        while event.runs_copies and semaphore.count < event.amount and semaphore.tasks:
            semaphore.tasks.pop()()
        if semaphore.count < event.amount:
            return False
        semaphore.count -= event.amount
        clock = semaphore.clock or core.clock
        core.clock = [max(a, b) for a, b in zip(core.clock, clock, strict=True)]
        core.clock[core.of] += 1
        for copy in semaphore.copies:
            copy.known.setdefault(core.of, core.clock[core.of])
        semaphore.copies.clear()
        return True

    # ── Order ──────────────────────────────────────────────────────────────────────────────

    def _check(self, access: Access, agent: _Agent) -> None:
        past = self._past[access.buffer]
        for one in past:
            if not (access.writes or one.access.writes):
                continue
            ordered = _before(one, agent)
            if ordered and (one.agent.of, agent.of) in self._ordered:
                continue
            meets = _meet(access.region, one.access.region)
            if meets is False:
                continue
            if ordered:
                self.passes.add((one.agent.of, agent.of))
                self._ordered.add((one.agent.of, agent.of))
                continue
            if meets is None or not (access.certain and one.access.certain):
                self.doubts.append((access, one.access))
                continue
            self._tell(access, agent, one)
            break
        past.append(_Past(access, agent, 0 if agent.is_copy else agent.clock[agent.of]))
        if len(self._cores) == 1 and len(past) % 64 == 0:
            self._prune(past)

    def _prune(self, past: list[_Past]) -> None:
        """What is known to all who may still do something is before all that will come."""
        agents = [*self._cores, *self._waiting_copies]
        past[:] = [one for one in past if not all(_before(one, agent) for agent in agents)]

    def _tell(self, access: Access, agent: _Agent, other: _Past) -> None:
        places = [_place(one.eqn) for one in (access, other.access)]
        key = (*places, access.writes, other.access.writes)
        if key in self._told:
            return
        self._told.add(key)
        name = self._names.get(access.buffer) or self._names.get(access.buffer[0], "memory")
        lines = [
            f"  {'write' if one.writes else 'read'} of {name}[{_shown(one.region)}] "
            f"from {who.name}, {place}"
            for one, who, place in (
                (access, agent, places[0]),
                (other.access, other.agent, places[1]),
            )
        ]
        self.races.append("\n".join(["RACE DETECTED", *lines, ""]))


def _before(one: _Past, agent: _Agent) -> bool:
    """Whether an access happens before all that an agent does from now on."""
    if one.agent is agent:
        return True
    if not one.agent.is_copy:
        return agent.clock[one.agent.of] >= one.time
    return any(agent.clock[core] >= since for core, since in one.agent.known.items())


def _meet(one: Region, other: Region) -> bool | None:
    """Whether two regions have something in common; None where that is not known."""
    known = True
    for a, b in zip(one, other, strict=False):
        if a is None or b is None:
            known = False
        elif a[1] < b[0] or b[1] < a[0]:
            return False
    return True if known else None


def _shown(region: Region) -> str:
    return ", ".join("?" if one is None else f"{one[0]}:{one[1] + 1}" for one in region) or "…"


def _place(eqn: Any) -> str:
    return "pallas_call" if eqn is None else location(eqn.source_info) or "pallas_call"


def order_of(count: int, passes: Set[tuple[int, int]]) -> list[int] | None:
    """An order of the cores in which each runs after those whose memory it uses; None where there is none."""
    left, order = list(range(count)), []
    while left:
        free = next((c for c in left if not any((other, c) in passes for other in left)), None)
        if free is None:
            return None
        left.remove(free)
        order.append(free)
    return order
