"""A walk over a kernel with its integers: what it would do, as far as that can be known without running it.

Loops whose trips are known are walked trip by trip, branches whose index is known are taken, and equal expressions
have equal names, so that a wait finds the start of which it repeats the operands. Whoever walks says what becomes of
accesses to memory, of copies and of semaphores, of loops of unknown length and of branches that are not known.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gridfuse import _versions
from gridfuse._known import (
    SIGNALS,
    STARTS,
    WAITS,
    Copy,
    Known,
    Unproven,
    View,
    cell_of,
    equations,
    first_of,
    folded,
    held_whole,
    inner_jaxprs,
)
from gridfuse._lines import location
from gridfuse._pallas_params import _flat, _unflatten, _unwrap
from gridfuse._windows import amount_of, window_of

_MOST_EQUATIONS = 300_000
_CALL_KEYS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class Walk:
    """One walk.

    Args:
      grid: its extents, where the mapping's own are computed.
      operands: what is operands, and the inputs, where they are known.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        grid: Sequence[Any] | None = None,
        operands: Sequence[np.ndarray] = (),
    ) -> None:
        self.params = params
        self.mapping = params["grid_mapping"]
        self.grid: Sequence[Any] = self.mapping.grid if grid is None else grid
        self.epoch = 0
        self.point: Sequence[int] | None = None
        self._own = [d for d in range(len(self.grid)) if d not in self.mapping.vmapped_dims]
        self._names: dict[Any, Known] = {}
        self._numbers = itertools.count()
        self._changes: dict[Known, int] = {}
        self._left = _MOST_EQUATIONS
        # What memory holds: whole operands, and single numbers that were stored.
        self._arrays: dict[Known, np.ndarray] = {}
        self._cells: dict[Known, dict[tuple[int, ...], Known]] = {}
        self.refs = self._kernel_refs()
        # What nobody writes holds the same all the time.
        written = _versions.written_inputs(_versions.closed(params["jaxpr"])[0])
        held = held_whole(params)
        self._stable = {self.refs[i] for i in held if i not in written}
        self._changing = {self.refs[i] for i in held if i in written}
        # Whether something was read that only operands could say.
        self.asked = not all(isinstance(size, int | np.integer) for size in self.grid)
        self._is_told = len(operands) > 0
        self._given = {self.refs[i]: np.asarray(operands[i]) for i in held if operands}
        self._arrays.update({ref: self._given[ref] for ref in self._stable & self._given.keys()})

    def _kernel_refs(self) -> list[Known]:
        body, _ = _versions.closed(self.params["jaxpr"])
        refs = [self.fresh() for _ in body.invars]
        # An input and an output that are one memory.
        first = self.mapping.num_index_operands + self.mapping.num_inputs
        for at, out in self.params["input_output_aliases"]:
            refs[at] = refs[first + out]
        return refs

    # ── What a walk is for ─────────────────────────────────────────────────────────────────

    def touched(self, view: View, *, writes: bool, eqn: Any) -> None:
        """Memory is read or written."""

    def started(self, copy: Copy, eqn: Any) -> None:
        """A copy begins."""

    def waited(self, copy: Copy, eqn: Any) -> None:
        """As much is waited for as `copy` would bring."""

    def signalled(self, semaphore: View, amount: Known, core: Known | None, eqn: Any) -> None:
        """A semaphore counts up, here or on another core."""

    def awaited(self, semaphore: View, amount: Known, eqn: Any) -> None:
        """A semaphore is waited for."""

    def counted(self, eqn: Any) -> None:
        """A semaphore is asked how far it has counted."""

    def scope_ended(self, own: Sequence[Known], eqn: Any) -> None:
        """Memory that a scope had is gone."""

    def scoped(self, variable: Any, eqn: Any) -> Known:
        """The name of memory that a scope gets."""
        return self.fresh()

    def repeated(self, eqn: Any, trip: Callable[[], Any]) -> None:
        """A loop of unknown length."""
        trip()

    def branched(
        self, eqn: Any, branches: Sequence[Callable[[], list[Known]]]
    ) -> list[list[Known]]:
        """One of several ways, of which is not known which; what each gives."""
        return [branch() for branch in branches]

    # ── Names ──────────────────────────────────────────────────────────────────────────────

    def fresh(self) -> Known:
        return ("n", next(self._numbers))

    def named(self, key: Any) -> Known:
        try:
            known = self._names.get(key)
        except TypeError:
            return self.fresh()
        if known is None:
            known = self._names[key] = self.fresh()
        return known

    def value(self, atom: Any, env: dict[Any, Known]) -> Known:
        if isinstance(atom, int | np.integer):
            return ("k", int(atom))
        if isinstance(atom, _versions.Literal):
            return self._constant(atom.val)
        known = env.get(atom)
        return self.fresh() if known is None else known

    def _constant(self, value: Any) -> Known:
        array = np.asarray(value)
        if array.ndim == 0 and array.dtype.kind in "iub":
            return ("k", int(array))
        return self.named(("const", id(value)))

    def _view(self, ref: Any, transforms: Any, env: dict[Any, Known], eqn: Any) -> View:
        inner, outer = _unwrap(ref)
        chain: list[Any] = []
        for transform in (*outer, *_flat(transforms)):
            kind = type(transform).__name__
            if kind == "NDIndexer":
                window = tuple(self._index(one, env) for one in transform.indices)
                whole = window_of(chain[-1], window, self.named) if chain else None
                if whole is None:
                    chain.append(window)
                else:
                    chain[-1] = whole
            elif kind == "SelectTransform":
                raise Unproven(eqn, "a copy of a reference that is chosen by a value")
            else:
                chain.append((kind, repr(transform)))
        return View(self.value(inner, env), tuple(chain))

    def _index(self, index: Any, env: dict[Any, Known]) -> Any:
        if type(index).__name__ == "Slice":
            size = index.size if isinstance(index.size, int) else self.value(index.size, env)
            return ("s", self.value(index.start, env), size, index.stride)
        shape = getattr(getattr(index, "aval", index), "shape", ())
        if not shape:
            return ("i", self.value(index, env), 1, 1)
        inner, outer = _unwrap(index)
        places = self.value(inner, env) if not outer else self.fresh()
        return ("a", places, math.prod(shape), 1)

    # ── Memory ─────────────────────────────────────────────────────────────────────────────

    def touch(self, view: View, *, writes: bool, eqn: Any) -> None:
        self.touched(view, writes=writes, eqn=eqn)
        if writes:
            self._changed(view.ref)

    def _changed(self, ref: Known) -> None:
        self._changes[ref] = self._changes.get(ref, 0) + 1
        self._cells.pop(ref, None)

    def _stored(self, view: View, value: Known, kept: dict[tuple[int, ...], Known]) -> None:
        """A number in memory stays known until something else is written to that memory."""
        cell = cell_of(view)
        if cell is not None and value[0] == "k":
            self._cells[view.ref] = {**kept, cell: value}

    def _loaded(self, view: View) -> Known:
        cell = cell_of(view)
        if cell is not None:
            known = self._cells.get(view.ref, {}).get(cell)
            if known is not None:
                return known
            array = self._arrays.get(view.ref)
            if array is not None and array.ndim == len(cell) and array.dtype.kind in "iub":
                inside = tuple(
                    min(max(i, 0), size - 1) for i, size in zip(cell, array.shape, strict=True)
                )
                return ("k", int(array[inside]))
        epoch = 0 if view.ref in self._stable else self.epoch
        self.asked |= not self._is_told and view.ref in self._stable | self._changing
        return self.named(("get", view, self._changes.get(view.ref, 0), epoch))

    def begin(self) -> None:
        """Before the first point, memory that the kernel writes holds what it was given."""
        for ref in self._changing & self._given.keys():
            array = self._given[ref]
            if array.dtype.kind in "iub":
                self._cells[ref] = {at: ("k", int(value)) for at, value in np.ndenumerate(array)}

    def forget(self) -> None:
        """What memory holds may have changed."""
        self.epoch += 1
        self._cells.clear()

    def next_point(self, point: Sequence[int]) -> None:
        """The grid goes on: blocks are others."""
        self.point = point
        self.epoch += 1
        mapping = self.mapping
        first = mapping.num_index_operands
        for ref in self.refs[first : first + mapping.num_inputs + mapping.num_outputs]:
            self._cells.pop(ref, None)

    # ── Equations ──────────────────────────────────────────────────────────────────────────

    def walk(self, jaxpr: Any, inputs: Sequence[Known]) -> list[Known]:
        body, consts = _versions.closed(jaxpr)
        env: dict[Any, Known] = {}
        for variable, const in zip(body.constvars, consts, strict=False):
            env[variable] = self._constant(const)
        variables = [*body.constvars[len(consts) :], *body.invars]
        env.update(zip(variables, inputs, strict=True))
        for eqn in body.eqns:
            self._left -= 1
            if self._left < 0:
                blame = first_of(self.params["jaxpr"], STARTS | SIGNALS) or eqn
                raise Unproven(blame, "the kernel has too many steps to follow its copies")
            try:
                results = self._step(eqn, env)
            except Unproven as error:
                error.source = error.source or location(eqn.source_info)
                raise
            env.update(zip(eqn.outvars, results, strict=True))
        return [self.value(atom, env) for atom in body.outvars]

    def _step(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        name = eqn.primitive.name
        handler = _HANDLERS.get(name)
        if handler is not None:
            return handler(self, eqn, env)
        given = [self.value(atom, env) for atom in eqn.invars]
        if name in ("program_id", "axis_index", "num_programs"):
            return [self._coordinate(name, eqn.params)]
        inner = inner_jaxprs(eqn.params)
        if inner:
            key = next((key for key in _CALL_KEYS if key in eqn.params), None)
            if key is not None and len(inner) == 1:
                with contextlib.suppress(ValueError):
                    return self.walk(eqn.params[key], given)
            raise Unproven(eqn, f"copies inside of {name} are not followed")
        for atom, known in zip(eqn.invars, given, strict=True):
            if hasattr(getattr(atom, "aval", None), "inner_aval") and not name.startswith(
                "semaphore"
            ):
                self.touch(View(known, ()), writes=True, eqn=eqn)
        if eqn.effects:
            return [self.fresh() for _ in eqn.outvars]
        return self._pure(eqn, name, given)

    def _coordinate(self, name: str, params: Mapping[str, Any]) -> Known:
        axis = params.get("axis")
        names = list(self.mapping.grid_names or ())
        if axis is not None:
            d: int | None = self._own[axis]
        else:
            wanted = params.get("axis_name")
            d = names.index(wanted) if wanted in names else None
        if d is not None and name == "num_programs" and isinstance(self.grid[d], int | np.integer):
            return ("k", int(self.grid[d]))
        if d is not None and name != "num_programs" and self.point is not None:
            return ("k", int(self.point[d]))
        return self.named((name, str(params)))

    def _pure(self, eqn: Any, name: str, given: list[Known]) -> list[Known]:
        aval = eqn.outvars[0].aval if eqn.outvars else None
        if aval is not None and len(eqn.outvars) == 1 and getattr(aval, "shape", None) == ():
            number = folded(name, eqn.params, given, aval.dtype)
            if number is not None:
                return [("k", number)]
        params = tuple((key, repr(value)) for key, value in eqn.params.items())
        return [self.named((name, params, *given, i)) for i in range(len(eqn.outvars))]

    def _get(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        ref, *leaves = eqn.invars
        view = self._view(ref, _unflatten(eqn.params["tree"], leaves), env, eqn)
        self.touch(view, writes=False, eqn=eqn)
        return [self._loaded(view)]

    def _swap(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        ref, stored, *leaves = eqn.invars
        view = self._view(ref, _unflatten(eqn.params["tree"], leaves), env, eqn)
        kept = self._cells.get(view.ref, {}) if eqn.primitive.name == "swap" else {}
        self.touch(view, writes=True, eqn=eqn)
        if eqn.primitive.name == "swap":
            self._stored(view, self.value(stored, env), kept)
        return [self.fresh() for _ in eqn.outvars]

    def _masked(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        ref, transforms, *_ = _unflatten(eqn.params["args_tree"], eqn.invars)
        view = self._view(ref, transforms, env, eqn)
        self.touch(view, writes="load" not in eqn.primitive.name, eqn=eqn)
        return [self.fresh() for _ in eqn.outvars]

    # ── Copies and semaphores ──────────────────────────────────────────────────────────────

    def _copy(self, eqn: Any, env: dict[Any, Known]) -> Copy:
        parts = list(_unflatten(eqn.params["tree"], eqn.invars))
        if len(parts) == 9:
            refs = list(zip(parts[0:6:2], parts[1:6:2], strict=True))
        else:
            refs = [(part, ()) for part in parts[:3]]
        views = [self._view(ref, transforms, env, eqn) for ref, transforms in refs]
        return Copy(*views, amount_of(*refs[1]))

    def _starts(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        copy = self._copy(eqn, env)
        self.started(copy, eqn)
        self._changed(copy.destination.ref)
        return []

    def _waits(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        self.waited(self._copy(eqn, env), eqn)
        return []

    def _signals(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        sem, transforms, amount, *rest = _unflatten(eqn.params["args_tree"], eqn.invars)
        core = rest[-1] if len(rest) > 1 else None
        self.signalled(
            self._view(sem, transforms, env, eqn),
            self.value(amount, env),
            None if core is None else self.value(core, env),
            eqn,
        )
        return []

    def _awaits(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        sem, transforms, amount, *_ = _unflatten(eqn.params["args_tree"], eqn.invars)
        self.awaited(self._view(sem, transforms, env, eqn), self.value(amount, env), eqn)
        return []

    def _asks(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        """How far a semaphore has counted depends on what has arrived."""
        self.counted(eqn)
        return [self.fresh() for _ in eqn.outvars]

    def _scoped(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        given = [self.value(atom, env) for atom in eqn.invars]
        own = [self.scoped(variable, eqn) for variable in eqn.params["jaxpr"].invars]
        results = self.walk(eqn.params["jaxpr"], [*given, *own])
        self.scope_ended(own, eqn)
        return results

    # ── Loops and branches ─────────────────────────────────────────────────────────────────

    def _scan(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        p = eqn.params
        consts, carries = _versions.scan_groups(p)
        given = [self.value(atom, env) for atom in eqn.invars]
        rows = len(given) - consts - carries
        size = equations(p["jaxpr"])

        def trip(carry: list[Known]) -> list[Known]:
            items = [self.fresh() for _ in range(rows)]
            return self.walk(p["jaxpr"], [*given[:consts], *carry, *items])[:carries]

        carry = given[consts : consts + carries]
        if self.follows(p["jaxpr"]) and int(p["length"]) * size <= self._left:
            for _ in range(int(p["length"])):
                carry = trip(carry)
        else:
            self._unknown_times(eqn, lambda: trip([self.fresh() for _ in range(carries)]))
            carry = [self.fresh() for _ in range(carries)]
        return [*carry, *[self.fresh() for _ in range(len(eqn.outvars) - carries)]]

    def follows(self, jaxpr: Any) -> bool:
        """Whether it matters what each trip of a loop does."""
        return first_of(jaxpr, STARTS | WAITS | SIGNALS) is not None

    def _while(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        p = eqn.params
        given = [self.value(atom, env) for atom in eqn.invars]
        split = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
        tested, used, carry = given[: split[0]], given[split[0] : split[1]], given[split[1] :]
        while True:
            kind, goes_on = self.walk(p["cond_jaxpr"], [*tested, *carry])[0]
            if kind != "k":
                break
            if not goes_on:
                return carry
            carry = self.walk(p["body_jaxpr"], [*used, *carry])

        def trip() -> None:
            unknown = [self.fresh() for _ in carry]
            self.walk(p["cond_jaxpr"], [*tested, *unknown])
            self.walk(p["body_jaxpr"], [*used, *unknown])

        self._unknown_times(eqn, trip)
        return [self.fresh() for _ in eqn.outvars]

    def _unknown_times(self, eqn: Any, trip: Callable[[], Any]) -> None:
        self.forget()
        self.repeated(eqn, trip)
        self.forget()

    def _cond(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        which, *given = [self.value(atom, env) for atom in eqn.invars]
        branches = eqn.params["branches"]
        if which[0] == "k":
            return self.walk(branches[min(max(which[1], 0), len(branches) - 1)], given)

        before = dict(self._cells)

        def taken(branch: Any) -> Callable[[], list[Known]]:
            def walk() -> list[Known]:
                self._cells = dict(before)
                return self.walk(branch, given)

            return walk

        results = self.branched(eqn, [taken(branch) for branch in branches])
        self.forget()
        return (
            [self.named(("cond", which, *column)) for column in zip(*results, strict=True)]
            if results[0]
            else []
        )


_HANDLERS: dict[str, Callable[[Walk, Any, dict[Any, Known]], list[Known]]] = {
    "get": Walk._get,
    "swap": Walk._swap,
    "addupdate": Walk._swap,
    "masked_load": Walk._masked,
    "masked_swap": Walk._masked,
    "load": Walk._masked,
    "store": Walk._masked,
    "dma_start": Walk._starts,
    "dma_wait": Walk._waits,
    "semaphore_signal": Walk._signals,
    "semaphore_wait": Walk._awaits,
    "semaphore_read": Walk._asks,
    "run_scoped": Walk._scoped,
    "scan": Walk._scan,
    "while": Walk._while,
    "cond": Walk._cond,
}
