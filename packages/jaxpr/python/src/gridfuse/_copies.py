"""Whether it matters when copies happen.

The engine copies when a copy is started. In TPU interpret mode a copy happens as late as it may, when it is waited for:
what is read too early is not there yet, and what nobody waits for never comes. The two agree for a kernel in which
nothing touches the destination of a copy, or changes its source, between its start and its wait. What a wait says of
source and destination does not matter: it counts bytes. Where several copies share a semaphore, any of them may be the
first to come, so none is there before all are waited for.

That is proven here by walking the kernel (`_walk.py`). What cannot be proven is refused, with the line of the copy.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gridfuse import _versions
from gridfuse._known import STARTS, Copy, Known, Unproven, View, first_of
from gridfuse._walk import Walk
from gridfuse.errors import Unsupported


def starts_copies(params: dict[str, Any]) -> bool:
    return first_of(params["jaxpr"], STARTS) is not None


def check_copies(
    params: dict[str, Any],
    grid: Sequence[Any] | None = None,
    operands: Sequence[np.ndarray] = (),
) -> None:
    """Raises Unproven where it could matter when a copy of the kernel happens.

    Args:
      grid: its extents, where they are computed.
      operands: what is operands, and the inputs, where they are known.
    """
    try:
        _Proof(params, grid, operands).one_point()
    except Unproven:
        proof = _Proof(params, grid, operands)
        try:
            proof.all_points()
        except Unproven as error:
            error.depends |= proof.asked
            raise


def refusal(error: Unproven) -> Unsupported:
    """The same for the user, with the line to blame."""
    name = error.eqn.primitive.name
    return Unsupported(
        f'InterpretParams(dma_execution_mode="on_wait"): {error.why}; '
        'dma_execution_mode="eager" runs it',
        primitive=f"{_versions.namespace(error.eqn.primitive)}:{name}",
        source=error.source,
    )


class _Proof(Walk):
    """Which copies are on their way."""

    def __init__(
        self, params: dict[str, Any], grid: Sequence[Any] | None, operands: Sequence[np.ndarray]
    ) -> None:
        super().__init__(params, grid, operands)
        self.pending: list[Copy] = []
        # Bytes by semaphore that were waited for, while other copies of it were under way.
        self._credit: dict[View, int] = {}
        self._last_start: Any = first_of(params["jaxpr"], STARTS)

    # ── Points ─────────────────────────────────────────────────────────────────────────────

    def one_point(self) -> None:
        """Every point alone: copies end with it."""
        self.walk(self.params["jaxpr"], self.refs)
        self._nothing_left()

    def all_points(self) -> None:
        """One after the other: copies may reach from one to the next."""
        if not all(isinstance(size, int | np.integer) for size in self.grid):
            raise Unproven(self._last_start, "a copy is not surely waited for")
        self.begin()
        for point in itertools.product(*(range(size) for size in self.grid)):
            self.next_point(point)
            self.walk(self.params["jaxpr"], self.refs)
        self._nothing_left()

    def _nothing_left(self) -> None:
        if self.pending:
            raise Unproven(self._last_start, "a copy is not surely waited for")

    @property
    def _state(self) -> tuple[list[Copy], dict[View, int]]:
        return list(self.pending), dict(self._credit)

    # ── What the kernel does ───────────────────────────────────────────────────────────────

    def touched(self, view: View, *, writes: bool, eqn: Any) -> None:
        for one in self.pending:
            if _overlap(view, one.destination):
                raise Unproven(eqn, "memory is used while a copy to it may be under way")
            if writes and _overlap(view, one.source):
                raise Unproven(eqn, "memory is written while a copy of it may be under way")

    def started(self, copy: Copy, eqn: Any) -> None:
        self.touched(copy.source, writes=False, eqn=eqn)
        self.touched(copy.destination, writes=True, eqn=eqn)
        self.pending.append(copy)
        self._last_start = eqn

    def waited(self, copy: Copy, eqn: Any) -> None:
        semaphore = copy.semaphore
        mine = [p for p in self.pending if p.semaphore == semaphore]
        others = [p for p in self.pending if p.semaphore != semaphore]
        if not mine or any(_overlap(p.semaphore, semaphore) for p in others):
            raise Unproven(eqn, "which copy is waited for is not known")
        if len(mine) == 1 and mine[0].destination == copy.destination:
            self.pending = others
            return
        amounts = [p.amount for p in (copy, *mine)]
        if None in amounts:
            raise Unproven(eqn, "how much is waited for is not known")
        waited, *under_way = [amount for amount in amounts if amount is not None]
        waited += self._credit.pop(semaphore, 0)
        if waited > sum(under_way):
            raise Unproven(eqn, "more is waited for than copies bring")
        if waited == sum(under_way):
            self.pending = others
        else:
            self._credit[semaphore] = waited

    def counted(self, eqn: Any) -> None:
        if self.pending:
            raise Unproven(eqn, "a semaphore is asked while copies are under way")

    def scope_ended(self, own: Sequence[Known], eqn: Any) -> None:
        for p in self.pending:
            if p.source.ref in own or p.destination.ref in own or p.semaphore.ref in own:
                raise Unproven(eqn, "a copy outlives its memory")

    def repeated(self, eqn: Any, trip: Callable[[], Any]) -> None:
        """Each trip leaves the copies as it found them."""
        before = self._state
        trip()
        if self._state != before:
            raise Unproven(
                self._last_start or eqn, "a copy reaches beyond a trip of a loop of unknown length"
            )

    def branched(
        self, eqn: Any, branches: Sequence[Callable[[], list[Known]]]
    ) -> list[list[Known]]:
        before, ends = self._state, []
        results: list[list[Known]] = []
        for branch in branches:
            self.pending, self._credit = list(before[0]), dict(before[1])
            results.append(branch())
            ends.append(self._state)
        if any(end != ends[0] for end in ends):
            raise Unproven(
                self._last_start or eqn, "a copy is started or waited for under a condition"
            )
        return results


def _overlap(one: View, other: View) -> bool:
    if one.ref != other.ref:
        return False
    if not one.transforms or not other.transforms:
        return True
    for a, b in zip(one.transforms[0], other.transforms[0], strict=False):
        if not (isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) == 4):
            return True
        if (
            a[1][0] != "k"
            or b[1][0] != "k"
            or not isinstance(a[2], int)
            or not isinstance(b[2], int)
        ):
            continue
        ends = [start[1] + (size - 1) * stride + 1 for _, start, size, stride in (a, b)]
        if a[1][1] >= ends[1] or b[1][1] >= ends[0]:
            return False
    return True


__all__ = ["check_copies", "refusal", "starts_copies"]
