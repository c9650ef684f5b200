"""What the cores of a simulated chip do, one core after the other: reads and writes of memory, copies, semaphores.

Each core is walked by itself (`_walk.py`); around the body, blocks are fetched and written back as the grid goes on.
Memory outside of the cores is one for all of them, the rest each has for itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gridfuse import _versions
from gridfuse._known import SIGNALS, STARTS, Copy, Known, Unproven, View, first_of, space_of
from gridfuse._scalars import Unknown, evaluate
from gridfuse._walk import Walk

# First and last place along each dimension, None where that is not known.
Region = tuple[tuple[int, int] | None, ...]
_SHARED = frozenset(["hbm", "any", "vmem_shared", "host"])


@dataclasses.dataclass(frozen=True)
class Access:
    """`certain`: whether it happens for sure, and where it is said to."""

    buffer: Any
    region: Region
    writes: bool
    certain: bool
    eqn: Any


@dataclasses.dataclass(frozen=True)
class Start:
    reads: Access
    writes: Access
    semaphore: Any
    amount: int


@dataclasses.dataclass(frozen=True)
class Signal:
    semaphore: Any
    amount: int
    eqn: Any


@dataclasses.dataclass(frozen=True)
class Wait:
    semaphore: Any
    amount: int
    eqn: Any
    runs_copies: bool


Event = Access | Start | Signal | Wait


def talks(jaxpr: Any) -> bool:
    """Whether something in a kernel runs beside it."""
    return first_of(jaxpr, STARTS | SIGNALS) is not None


# ── What one core does ─────────────────────────────────────────────────────────────────────


class Recorder(Walk):
    """The events of one core after the other."""

    def __init__(
        self,
        params: Mapping[str, Any],
        grid: Sequence[int],
        operands: Sequence[np.ndarray],
    ) -> None:
        super().__init__(params, grid, operands)
        self.core = 0
        self.events: list[Event] = []
        self.names: dict[Any, str] = {}
        self._certain = True
        self._blocks = _Blocks(self, operands[: self.mapping.num_index_operands])
        self._times: dict[Any, int] = {}
        body, _ = _versions.closed(params["jaxpr"])
        self._shared = {
            ref: self._blocks.array_of(i) if self._is_block(i) else ref
            for i, (ref, variable) in enumerate(zip(self.refs, body.invars, strict=True))
            if space_of(variable.aval) in _SHARED
        }
        names = getattr(getattr(body, "debug_info", None), "arg_names", None) or ()
        for i, name in enumerate(names[: len(self.refs)]):
            self.names[self._shared.get(self.refs[i], self.refs[i])] = str(name)
        self._follows_body = talks(params["jaxpr"]) or bool(self._shared)

    def _is_block(self, i: int) -> bool:
        mapping = self.mapping
        blocks = int(mapping.num_inputs + mapping.num_outputs)
        return 0 <= i - int(mapping.num_index_operands) < blocks

    def array_of(self, i: int) -> Any:
        """The memory of an operand or a result, as events name it."""
        return self._blocks.array_of(i)

    def record(self, core: int, points: Sequence[Sequence[int]]) -> list[Event]:
        """What a core does at these points of the grid."""
        self.core, self.events = core, []
        self._times.clear()
        self.forget()
        for i, point in enumerate(points):
            self.next_point(point)
            self._blocks.fetch(point, points[i - 1] if i > 0 else None)
            if self._follows_body:
                self.walk(self.params["jaxpr"], self.refs)
            self._blocks.write_back(point, points[i + 1] if i + 1 < len(points) else None)
        return self.events

    # ── Memory ─────────────────────────────────────────────────────────────────────────────

    def buffer(self, ref: Known) -> Any:
        """Memory outside of the cores is one for all."""
        shared = self._shared.get(ref)
        return (ref, self.core) if shared is None else shared

    def access(self, buffer: Any, region: Region, *, writes: bool, eqn: Any = None) -> None:
        self.events.append(Access(buffer, region, writes, self._certain, eqn))

    def touched(self, view: View, *, writes: bool, eqn: Any) -> None:
        self.access(self.buffer(view.ref), region_of(view), writes=writes, eqn=eqn)

    def scoped(self, variable: Any, eqn: Any) -> Known:
        """Cores that allocate at the same place in their program share what is outside of them."""
        times = self._times.get(id(variable), 0)
        self._times[id(variable)] = times + 1
        known = self.named(("scoped", id(variable), times))
        if space_of(variable.aval) in _SHARED:
            self._shared[known] = known
        return known

    # ── Copies and semaphores ──────────────────────────────────────────────────────────────

    def _semaphore(self, view: View, core: int, eqn: Any) -> Any:
        places = [
            index[1]
            for chain in view.transforms
            for index in chain
            if isinstance(index, tuple) and index[1] != ("k", 0)
        ]
        if any(kind != "k" for kind, _ in places):
            raise Unproven(eqn, "which semaphore is meant is not known")
        return (view.ref, view.transforms, core)

    def _surely(self, eqn: Any) -> None:
        if not self._certain:
            raise Unproven(eqn, "whether this happens, and how often, is not known")

    def started(self, copy: Copy, eqn: Any) -> None:
        self._surely(eqn)
        source, destination = copy.source, copy.destination
        self.events.append(
            Start(
                Access(self.buffer(source.ref), region_of(source), False, True, eqn),
                Access(self.buffer(destination.ref), region_of(destination), True, True, eqn),
                self._semaphore(copy.semaphore, self.core, eqn),
                _moved(copy, eqn),
            )
        )

    def waited(self, copy: Copy, eqn: Any) -> None:
        self._surely(eqn)
        semaphore = self._semaphore(copy.semaphore, self.core, eqn)
        self.events.append(Wait(semaphore, _moved(copy, eqn), eqn, True))

    def signalled(self, semaphore: View, amount: Known, core: Known | None, eqn: Any) -> None:
        self._surely(eqn)
        if amount[0] != "k" or (core is not None and core[0] != "k"):
            raise Unproven(eqn, "which core is signalled, and how often, is not known")
        # Without a core, JAX's interpreter signals the first.
        target = 0 if core is None else core[1]
        self.events.append(Signal(self._semaphore(semaphore, target, eqn), amount[1], eqn))

    def awaited(self, semaphore: View, amount: Known, eqn: Any) -> None:
        self._surely(eqn)
        if amount[0] != "k":
            raise Unproven(eqn, "for how much is waited is not known")
        mine = self._semaphore(semaphore, self.core, eqn)
        self.events.append(Wait(mine, amount[1], eqn, False))

    # ── Loops and branches ─────────────────────────────────────────────────────────────────

    def follows(self, jaxpr: Any) -> bool:
        return super().follows(jaxpr) or _touches_memory(jaxpr)

    def repeated(self, eqn: Any, trip: Callable[[], Any]) -> None:
        """Two trips stand for all: what one does may meet what another does."""
        certain, self._certain = self._certain, False
        trip()
        self.forget()
        trip()
        self._certain = certain

    def branched(
        self, eqn: Any, branches: Sequence[Callable[[], list[Known]]]
    ) -> list[list[Known]]:
        certain, self._certain = self._certain, False
        results = [branch() for branch in branches]
        self._certain = certain
        return results


class _Blocks:
    """What the grid itself reads and writes around the body: a block is fetched, and written back, when it changes."""

    def __init__(self, recorder: Recorder, prefetched: Sequence[np.ndarray]) -> None:
        self._recorder = recorder
        mapping = recorder.mapping
        self._first, self._inputs = mapping.num_index_operands, mapping.num_inputs
        aliases = dict(recorder.params["input_output_aliases"])
        self._arrays = [
            ("array", self._inputs + aliases[self._first + i] if self._first + i in aliases else i)
            for i in range(self._inputs)
        ] + [("array", self._inputs + i) for i in range(mapping.num_outputs)]
        self._regions: list[Callable[[Sequence[int]], Region] | None] = []
        for block in mapping.block_mappings:
            if space_of(block.transformed_block_aval) in _SHARED:
                self._regions.append(None)
                continue
            recorder.names.setdefault(self._arrays[len(self._regions)], str(block.origin))

            def region(point: Sequence[int], block: Any = block) -> Region:
                try:
                    given = [np.asarray(i) for i in point]
                    places = evaluate(block.index_map_jaxpr, [*given, *prefetched])
                except (Unknown, ValueError):
                    recorder.asked |= mapping.num_index_operands > 0
                    return (None,) * len(block.block_shape)
                return tuple(
                    _extent(int(np.reshape(place, ())), dim)
                    for place, dim in zip(places, block.block_shape, strict=True)
                )

            self._regions.append(region)

    def array_of(self, i: int) -> Any:
        """The memory outside of the cores that holds an operand or a result."""
        return self._arrays[i - self._first]

    def fetch(self, point: Sequence[int], before: Sequence[int] | None) -> None:
        recorder = self._recorder
        for i, region in enumerate(self._regions[: self._inputs]):
            if region is None or (before is not None and region(before) == region(point)):
                continue
            recorder.access(self._arrays[i], region(point), writes=False)
            recorder.access(recorder.buffer(recorder.refs[self._first + i]), (), writes=True)

    def write_back(self, point: Sequence[int], after: Sequence[int] | None) -> None:
        recorder = self._recorder
        for i, region in enumerate(self._regions):
            if i < self._inputs or region is None:
                continue
            if after is not None and region(after) == region(point):
                continue
            recorder.access(recorder.buffer(recorder.refs[self._first + i]), (), writes=False)
            recorder.access(self._arrays[i], region(point), writes=True)


def _extent(place: int, dim: Any) -> tuple[int, int]:
    kind = type(dim).__name__
    size = 1 if kind == "Squeezed" or dim is None else int(getattr(dim, "block_size", dim))
    start = place * (1 if kind in ("Element", "BoundedSlice") else size)
    return start, start + size - 1


def _touches_memory(jaxpr: Any) -> bool:
    return (
        first_of(jaxpr, frozenset(["get", "swap", "addupdate", "masked_load", "masked_swap"]))
        is not None
    )


def region_of(view: View) -> Region:
    """Where a view lies in its memory; dimensions that are left out are meant whole."""
    # Along each dimension of the memory: first place, number, step; and which of them the view still has.
    dims: list[tuple[int, int, int] | None] = []
    kept: list[int] = []
    for n, chain in enumerate(view.transforms):
        if chain and isinstance(chain[0], str):
            break
        if n == 0:
            kept = list(range(len(chain)))
            dims = [(0, 0, 1)] * len(chain)
        left = []
        for d, (kind, start, size, step) in zip(kept, chain, strict=True):
            outer = dims[d]
            if outer is None or kind == "a" or start[0] != "k" or not isinstance(size, int):
                dims[d] = None
            else:
                dims[d] = (outer[0] + start[1] * outer[2], size, outer[2] * step)
            if kind != "i":
                left.append(d)
        kept = left
    return tuple(
        None if one is None else (one[0], one[0] + max(0, one[1] - 1) * one[2]) for one in dims
    )


def _moved(copy: Copy, eqn: Any) -> int:
    """Bytes."""
    if copy.amount is None:
        raise Unproven(eqn, "how much is copied is not known")
    return copy.amount
