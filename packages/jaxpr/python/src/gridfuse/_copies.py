"""Whether it matters when copies happen.

The engine copies when a copy is started. In TPU interpret mode a copy happens as late as it may, when it is waited for:
what is read too early is not there yet, and what nobody waits for never comes. The two agree for a kernel in which
nothing touches the destination of a copy, or changes its source, between its start and its wait, and every copy is
waited for in the order of its semaphore.

That is proven here by walking the kernel with its integers: loops whose trips are known are walked trip by trip, branches
whose index is known are taken, and equal expressions have equal names, so that a wait finds the start of which it repeats
the operands. What cannot be proven is refused, with the line of the copy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gridfuse import _versions
from gridfuse._lines import location
from gridfuse._pallas_params import _flat, _unflatten, _unwrap
from gridfuse._scalars import _EXACT
from gridfuse.errors import Unsupported

_MOST_EQUATIONS = 300_000
_STARTS = frozenset(["dma_start"])
_CALL_KEYS = ("jaxpr", "call_jaxpr", "fun_jaxpr")

# What is known of a value: a whole number, or a name that equal expressions share.
Known = tuple[str, Any]


@dataclasses.dataclass(frozen=True)
class _View:
    ref: Known
    transforms: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class _Pending:
    source: _View
    destination: _View
    semaphore: _View


class _Unproven(Exception):
    def __init__(self, eqn: Any, why: str) -> None:
        super().__init__(why)
        self.eqn = eqn
        self.why = why


def check_copies(params: dict[str, Any]) -> None:
    """Raises Unsupported where it could matter when a copy of the kernel happens."""
    if not _starts_copies(params["jaxpr"]):
        return
    try:
        try:
            _Walk(params).one_point(None)
        except _Unproven:
            _Walk(params).all_points()
    except _Unproven as error:
        name = error.eqn.primitive.name
        raise Unsupported(
            f'InterpretParams(dma_execution_mode="on_wait"): {error.why}; '
            'dma_execution_mode="eager" runs it',
            primitive=f"{_versions.namespace(error.eqn.primitive)}:{name}",
            source=location(error.eqn.source_info),
        ) from None


def _starts_copies(jaxpr: Any) -> bool:
    body, _ = _versions.closed(jaxpr)
    return any(
        eqn.primitive.name in _STARTS
        or any(_starts_copies(inner) for inner in _inner_jaxprs(eqn.params))
        for eqn in body.eqns
    )


def _inner_jaxprs(params: dict[str, Any]) -> list[Any]:
    values = [
        one
        for value in params.values()
        for one in (value if isinstance(value, tuple | list) else (value,))
    ]
    return [one for one in values if hasattr(one, "eqns") or hasattr(one, "jaxpr")]


class _Walk:
    """One walk over a kernel: what is named, and which copies are on their way."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params
        self._mapping = params["grid_mapping"]
        self._names: dict[Any, Known] = {}
        self._numbers = itertools.count()
        self._versions: dict[Known, int] = {}
        self._epoch = 0
        self._left = _MOST_EQUATIONS
        self._point: Sequence[int] | None = None
        self.pending: list[_Pending] = []
        self._last_start: Any = None
        self._refs = self._kernel_refs()

    def _kernel_refs(self) -> list[Known]:
        body, _ = _versions.closed(self._params["jaxpr"])
        refs = [self._fresh() for _ in body.invars]
        # An input and an output that are one memory.
        first = self._mapping.num_index_operands + self._mapping.num_inputs
        for at, out in self._params["input_output_aliases"]:
            refs[at] = refs[first + out]
        return refs

    # ── Points ─────────────────────────────────────────────────────────────────────────────

    def one_point(self, point: Sequence[int] | None) -> None:
        """Every point alone: copies end with it."""
        self._point = point
        self.walk(self._params["jaxpr"], self._refs)
        self._nothing_left()

    def all_points(self) -> None:
        """One after the other: copies may reach from one to the next."""
        grid = self._mapping.grid
        if not all(isinstance(size, int) for size in grid):
            raise _Unproven(self._any_start(), "a copy is not surely waited for")
        own = [d for d in range(len(grid)) if d not in self._mapping.vmapped_dims]
        for point in itertools.product(*(range(size) for size in grid)):
            self._point = [point[d] for d in own]
            self.walk(self._params["jaxpr"], self._refs)
        self._nothing_left()

    def _nothing_left(self) -> None:
        if self.pending:
            raise _Unproven(self._last_start, "a copy is not surely waited for")

    def _any_start(self) -> Any:
        def find(jaxpr: Any) -> Any:
            for eqn in _versions.closed(jaxpr)[0].eqns:
                if eqn.primitive.name in _STARTS:
                    return eqn
                for inner in _inner_jaxprs(eqn.params):
                    found = find(inner)
                    if found is not None:
                        return found
            return None

        return find(self._params["jaxpr"])

    # ── Names ──────────────────────────────────────────────────────────────────────────────

    def _fresh(self) -> Known:
        return ("n", next(self._numbers))

    def _named(self, key: Any) -> Known:
        try:
            known = self._names.get(key)
        except TypeError:
            return self._fresh()
        if known is None:
            known = self._names[key] = self._fresh()
        return known

    def _value(self, atom: Any, env: dict[Any, Known]) -> Known:
        if isinstance(atom, int | np.integer):
            return ("k", int(atom))
        if isinstance(atom, _versions.Literal):
            return self._constant(atom.val)
        known = env.get(atom)
        return self._fresh() if known is None else known

    def _constant(self, value: Any) -> Known:
        array = np.asarray(value)
        if array.ndim == 0 and array.dtype.kind in "iub":
            return ("k", int(array))
        return self._named(("const", id(value)))

    def _view(self, ref: Any, transforms: Any, env: dict[Any, Known], eqn: Any) -> _View:
        inner, outer = _unwrap(ref)
        chain = []
        for transform in (*outer, *_flat(transforms)):
            kind = type(transform).__name__
            if kind == "NDIndexer":
                chain.append(tuple(self._index(one, env) for one in transform.indices))
            elif kind == "SelectTransform":
                raise _Unproven(eqn, "a copy of a reference that is chosen by a value")
            else:
                chain.append((kind, repr(transform)))
        return _View(self._value(inner, env), tuple(chain))

    def _index(self, index: Any, env: dict[Any, Known]) -> Any:
        if type(index).__name__ == "Slice":
            size = index.size if isinstance(index.size, int) else self._value(index.size, env)
            return ("s", self._value(index.start, env), size, index.stride)
        return ("i", self._value(index, env), 1, 1)

    # ── Accesses ───────────────────────────────────────────────────────────────────────────

    def _touch(self, view: _View, *, writes: bool, eqn: Any) -> None:
        for one in self.pending:
            if _overlap(view, one.destination):
                raise _Unproven(eqn, "memory is used while a copy to it may be under way")
            if writes and _overlap(view, one.source):
                raise _Unproven(eqn, "memory is written while a copy of it may be under way")
        if writes:
            self._versions[view.ref] = self._versions.get(view.ref, 0) + 1

    def _start(self, eqn: Any, env: dict[Any, Known]) -> None:
        copy = self._copy(eqn, env)
        self._touch(copy.source, writes=False, eqn=eqn)
        self._touch(copy.destination, writes=True, eqn=eqn)
        self.pending.append(copy)
        self._last_start = eqn

    def _wait(self, eqn: Any, env: dict[Any, Known]) -> None:
        wanted = self._copy(eqn, env)
        first = next((p for p in self.pending if p.semaphore == wanted.semaphore), None)
        others = [p for p in self.pending if p is not first]
        unclear = any(
            _overlap(p.semaphore, wanted.semaphore)
            for p in others
            if p.semaphore != wanted.semaphore
        )
        if first is None or unclear or not _same_amount(first, wanted):
            raise _Unproven(eqn, "which copy is waited for is not known")
        self.pending.remove(first)

    def _copy(self, eqn: Any, env: dict[Any, Known]) -> _Pending:
        parts = list(_unflatten(eqn.params["tree"], eqn.invars))
        if len(parts) == 9:
            refs = list(zip(parts[0:6:2], parts[1:6:2], strict=True))
        else:
            refs = [(part, ()) for part in parts[:3]]
        return _Pending(*[self._view(ref, transforms, env, eqn) for ref, transforms in refs])

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
                raise _Unproven(
                    self._any_start(), "the kernel has too many steps to follow its copies"
                )
            results = self._step(eqn, env)
            env.update(zip(eqn.outvars, results, strict=True))
        return [self._value(atom, env) for atom in body.outvars]

    def _step(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        name = eqn.primitive.name
        handler = _HANDLERS.get(name)
        if handler is not None:
            return handler(self, eqn, env)
        given = [self._value(atom, env) for atom in eqn.invars]
        if name in ("program_id", "axis_index"):
            axis = eqn.params.get("axis")
            if self._point is not None and axis is not None:
                return [("k", int(self._point[axis]))]
            return [self._named((name, str(eqn.params)))]
        inner = _inner_jaxprs(eqn.params)
        if inner:
            key = next((key for key in _CALL_KEYS if key in eqn.params), None)
            if key is not None and len(inner) == 1:
                with contextlib.suppress(ValueError):
                    return self.walk(eqn.params[key], given)
            raise _Unproven(eqn, f"copies inside of {name} are not followed")
        for atom, known in zip(eqn.invars, given, strict=True):
            if hasattr(getattr(atom, "aval", None), "inner_aval") and not name.startswith(
                "semaphore"
            ):
                self._touch(_View(known, ()), writes=True, eqn=eqn)
        if eqn.effects:
            return [self._fresh() for _ in eqn.outvars]
        return self._pure(eqn, name, given)

    def _pure(self, eqn: Any, name: str, given: list[Known]) -> list[Known]:
        aval = eqn.outvars[0].aval if eqn.outvars else None
        if aval is not None and len(eqn.outvars) == 1 and getattr(aval, "shape", None) == ():
            folded = _folded(name, eqn.params, given, aval.dtype)
            if folded is not None:
                return [("k", folded)]
        params = tuple((key, repr(value)) for key, value in eqn.params.items())
        return [self._named((name, params, *given, i)) for i in range(len(eqn.outvars))]

    def _get(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        ref, *leaves = eqn.invars
        view = self._view(ref, _unflatten(eqn.params["tree"], leaves), env, eqn)
        self._touch(view, writes=False, eqn=eqn)
        return [self._named(("get", view, self._versions.get(view.ref, 0), self._epoch))]

    def _swap(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        ref, _, *leaves = eqn.invars
        view = self._view(ref, _unflatten(eqn.params["tree"], leaves), env, eqn)
        self._touch(view, writes=True, eqn=eqn)
        return [self._fresh() for _ in eqn.outvars]

    def _masked(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        ref, transforms, *_ = _unflatten(eqn.params["args_tree"], eqn.invars)
        view = self._view(ref, transforms, env, eqn)
        self._touch(view, writes="load" not in eqn.primitive.name, eqn=eqn)
        return [self._fresh() for _ in eqn.outvars]

    def _counted(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        """How far a semaphore has counted depends on what has arrived."""
        if self.pending:
            raise _Unproven(eqn, "a semaphore is asked while copies are under way")
        return [self._fresh() for _ in eqn.outvars]

    def _started(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        self._start(eqn, env)
        return []

    def _waited(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        self._wait(eqn, env)
        return []

    def _scoped(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        given = [self._value(atom, env) for atom in eqn.invars]
        own = [self._fresh() for _ in eqn.params["jaxpr"].invars]
        results = self.walk(eqn.params["jaxpr"], [*given, *own])
        for p in self.pending:
            if p.source.ref in own or p.destination.ref in own or p.semaphore.ref in own:
                raise _Unproven(eqn, "a copy outlives its memory")
        return results

    # ── Loops and branches ─────────────────────────────────────────────────────────────────

    def _scan(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        p = eqn.params
        consts, carries = _versions.scan_groups(p)
        given = [self._value(atom, env) for atom in eqn.invars]
        rows = len(given) - consts - carries
        size = _equations(p["jaxpr"])

        def trip(carry: list[Known]) -> list[Known]:
            items = [self._fresh() for _ in range(rows)]
            return self.walk(p["jaxpr"], [*given[:consts], *carry, *items])[:carries]

        carry = given[consts : consts + carries]
        if _starts_or_waits(p["jaxpr"]) and int(p["length"]) * size <= self._left:
            for _ in range(int(p["length"])):
                carry = trip(carry)
        else:
            self._repeated(eqn, lambda: trip([self._fresh() for _ in range(carries)]))
            carry = [self._fresh() for _ in range(carries)]
        return [*carry, *[self._fresh() for _ in range(len(eqn.outvars) - carries)]]

    def _while(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        p = eqn.params
        given = [self._value(atom, env) for atom in eqn.invars]
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
            unknown = [self._fresh() for _ in carry]
            self.walk(p["cond_jaxpr"], [*tested, *unknown])
            self.walk(p["body_jaxpr"], [*used, *unknown])

        self._repeated(eqn, trip)
        return [self._fresh() for _ in eqn.outvars]

    def _repeated(self, eqn: Any, trip: Callable[[], Any]) -> None:
        """A loop of unknown length: each trip leaves the copies as it found them."""
        self._epoch += 1
        before = list(self.pending)
        trip()
        if self.pending != before:
            raise _Unproven(
                self._last_start or eqn, "a copy reaches beyond a trip of a loop of unknown length"
            )
        self._epoch += 1

    def _cond(self, eqn: Any, env: dict[Any, Known]) -> list[Known]:
        which, *given = [self._value(atom, env) for atom in eqn.invars]
        branches = eqn.params["branches"]
        if which[0] == "k":
            return self.walk(branches[min(max(which[1], 0), len(branches) - 1)], given)
        before, ends = list(self.pending), []
        results: list[list[Known]] = []
        for branch in branches:
            self.pending = list(before)
            results.append(self.walk(branch, given))
            ends.append(self.pending)
        self._epoch += 1
        if any(end != ends[0] for end in ends):
            raise _Unproven(
                self._last_start or eqn, "a copy is started or waited for under a condition"
            )
        return (
            [self._named(("cond", which, *column)) for column in zip(*results, strict=True)]
            if results[0]
            else []
        )


_HANDLERS: dict[str, Callable[[_Walk, Any, dict[Any, Known]], list[Known]]] = {
    "get": _Walk._get,
    "swap": _Walk._swap,
    "addupdate": _Walk._swap,
    "masked_load": _Walk._masked,
    "masked_swap": _Walk._masked,
    "load": _Walk._masked,
    "store": _Walk._masked,
    "dma_start": _Walk._started,
    "dma_wait": _Walk._waited,
    "semaphore_read": _Walk._counted,
    "run_scoped": _Walk._scoped,
    "scan": _Walk._scan,
    "while": _Walk._while,
    "cond": _Walk._cond,
}


def _starts_or_waits(jaxpr: Any) -> bool:
    body, _ = _versions.closed(jaxpr)
    return any(
        eqn.primitive.name in ("dma_start", "dma_wait")
        or any(_starts_or_waits(inner) for inner in _inner_jaxprs(eqn.params))
        for eqn in body.eqns
    )


def _equations(jaxpr: Any) -> int:
    body, _ = _versions.closed(jaxpr)
    return sum(1 + sum(_equations(one) for one in _inner_jaxprs(eqn.params)) for eqn in body.eqns)


def _overlap(one: _View, other: _View) -> bool:
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


def _same_amount(started: _Pending, waited: _Pending) -> bool:
    """A wait names the copy that it waits for; only how much it moves counts, and where to."""
    return started.destination == waited.destination


def _folded(name: str, params: dict[str, Any], given: list[Known], dtype: Any) -> int | None:
    if not all(kind == "k" for kind, _ in given) or np.dtype(dtype).kind not in "iub":
        return None
    if name == "convert_element_type":
        return int(np.asarray(given[0][1]).astype(dtype))
    compute = _EXACT.get(name)
    if compute is None or not given:
        return None
    values = [value for _, value in given]
    if name in ("div", "rem") and values[1] == 0:
        return None
    if name == "not" and np.dtype(dtype).kind == "b":
        return int(not values[0])
    with contextlib.suppress(ValueError, OverflowError):
        exact = np.asarray(compute(*values))
        if exact.ndim == 0 and math.isfinite(exact):
            return int(exact.astype(dtype))
    return None


__all__ = ["check_copies"]
