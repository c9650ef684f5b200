"""What is known of the integers in a kernel, without running it.

Index maps are evaluated at all grid points at once, with NumPy. In kernel bodies an integer is known as an
interval: grid coordinates and loop counters have one, what is read from memory has none.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jax._src import core

from gridfuse import _versions
from gridfuse._pallas_params import _flat, _unflatten

_Literal = _versions.Literal


class Unknown(Exception):
    """Nothing can be said of a value."""


# ── Values at all grid points ──────────────────────────────────────────────────────────────


def _truncated(x: Any, y: Any) -> Any:
    quotient = np.abs(x) // np.abs(y)
    return np.where((x < 0) != (y < 0), -quotient, quotient)


_EXACT: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _truncated,
    "rem": lambda x, y: np.fmod(x, y),
    "max": np.maximum,
    "min": np.minimum,
    "neg": operator.neg,
    "abs": np.abs,
    "sign": np.sign,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "not": lambda x: ~x,
    "shift_left": operator.lshift,
    "shift_right_arithmetic": operator.rshift,
    "select_n": lambda which, *cases: np.choose(np.asarray(which, np.int64), cases),
    "clamp": lambda low, x, high: np.clip(x, low, high),
    "squeeze": lambda x: x,
    "reshape": lambda x: x,
    "broadcast_in_dim": lambda x: x,
    "multiple_of": lambda x: x,
    "stop_gradient": lambda x: x,
    "copy": lambda x: x,
}


# Told of an index and of the extent that it is for.
Outside = Callable[[np.ndarray, int], None]


def evaluate(jaxpr: Any, values: Sequence[Any], outside: Outside | None = None) -> list[Any]:
    """A jaxpr of scalar integers, each an array over grid points; references are arrays.

    Args:
      outside: told of indices some of which lie outside of what is read; they are moved inside.

    Raises:
      Unknown: it does something else.
    """
    body, consts = _versions.closed(jaxpr)
    env: dict[Any, Any] = dict(zip(body.constvars, consts, strict=False))
    env.update(zip(body.invars, values, strict=True))

    def value(atom: Any) -> Any:
        return np.asarray(atom.val) if isinstance(atom, _Literal) else env[atom]

    for eqn in body.eqns:
        name = eqn.primitive.name
        inner = eqn.params.get("jaxpr")
        if inner is not None and name in ("jit", "pjit", "closed_call"):
            results = evaluate(inner, [value(atom) for atom in eqn.invars], outside)
        elif name == "get":
            results = [_read(eqn, value, outside)]
        elif name == "convert_element_type":
            results = [np.asarray(value(eqn.invars[0])).astype(eqn.params["new_dtype"])]
        elif name in _EXACT:
            results = [_EXACT[name](*[value(atom) for atom in eqn.invars])]
        else:
            raise Unknown(name)
        env.update(zip(eqn.outvars, results, strict=True))
    return [value(atom) for atom in body.outvars]


def _read(eqn: Any, value: Callable[[Any], Any], outside: Outside | None) -> Any:
    ref, *leaves = eqn.invars
    array = np.asarray(value(ref))
    for transform in _flat(_unflatten(eqn.params["tree"], leaves)):
        indices: list[Any] = []
        for index in getattr(transform, "indices", (None,)):
            if index is None or hasattr(index, "stride"):
                raise Unknown("a slice of a prefetched operand")
            position = index if isinstance(index, int) else value(index)
            extent = array.shape[len(indices)]
            inside = np.clip(position, 0, extent - 1)
            if outside is not None and (inside != position).any():
                outside(np.asarray(position), extent)
            indices.append(inside)
        array = array[tuple(indices)]
    return array


# ── Intervals ──────────────────────────────────────────────────────────────────────────────

Interval = tuple[int, int]


def _corners(f: Callable[[int, int], int], x: Interval, y: Interval) -> Interval:
    corners = [f(a, b) for a in x for b in y]
    return min(corners), max(corners)


def _quotient(x: Interval, y: Interval) -> Interval | None:
    if y[0] <= 0 <= y[1]:
        return None
    return _corners(lambda a, b: int(a / b), x, y)


def _remainder(x: Interval, y: Interval) -> Interval | None:
    if y[0] <= 0:
        return None
    most = y[1] - 1
    return (0 if x[0] >= 0 else max(x[0], -most)), (0 if x[1] <= 0 else min(x[1], most))


def _hull(*intervals: Interval | None) -> Interval | None:
    known = [one for one in intervals if one is not None]
    if len(known) != len(intervals) or not known:
        return None
    return min(low for low, _ in known), max(high for _, high in known)


_INTERVALS: dict[str, Callable[..., Interval | None]] = {
    "add": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "sub": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "mul": lambda x, y: _corners(operator.mul, x, y),
    "div": _quotient,
    "rem": _remainder,
    "max": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "min": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    "neg": lambda x: (-x[1], -x[0]),
    "clamp": lambda low, x, high: (
        min(max(x[0], low[0]), high[1]),
        max(min(x[1], high[1]), low[0]),
    ),
    "shift_left": lambda x, y: _corners(operator.lshift, x, y) if 0 <= y[0] <= y[1] < 32 else None,
    "shift_right_arithmetic": lambda x, y: (
        _corners(operator.rshift, x, y) if 0 <= y[0] <= y[1] < 32 else None
    ),
    "sign": lambda x: (int(np.sign(x[0])), int(np.sign(x[1]))),
}
_SAME = frozenset(
    [
        "convert_element_type",
        "squeeze",
        "reshape",
        "broadcast_in_dim",
        "multiple_of",
        "stop_gradient",
        "copy",
        "slice",
        "transpose",
    ]
)
_COMPARISONS = frozenset(["eq", "ne", "lt", "le", "gt", "ge"])

Env = dict[Any, Interval | None]


@dataclasses.dataclass(frozen=True)
class Grid:
    """Extents as `program_id` numbers them, and by name for `axis_index`."""

    sizes: Sequence[int]
    names: Mapping[Any, int]

    def coordinate(self, params: Mapping[str, Any]) -> Interval | None:
        """Of `program_id` or `axis_index`."""
        size = (
            self.sizes[params["axis"]] if "axis" in params else self.names.get(params["axis_name"])
        )
        return None if size is None else (0, max(0, size - 1))


def intervals(
    jaxpr: Any,
    inputs: Sequence[Interval | None],
    grid: Grid,
    visit: Callable[[Any, Env], None],
) -> list[Interval | None]:
    """Walks a kernel body, calls `visit` for each equation with what is known before it; its results' intervals.

    Args:
      visit: is told of every equation, in nested jaxprs too.
    """
    body, consts = _versions.closed(jaxpr)
    env: Env = {}
    for variable, const in zip(body.constvars, consts, strict=False):
        env[variable] = _of_constant(const)
    variables = [*body.constvars[len(consts) :], *body.invars]
    env.update(zip(variables, inputs, strict=True))

    for eqn in body.eqns:
        visit(eqn, env)
        known = [interval_of(atom, env) for atom in eqn.invars]
        results = _step(eqn, known, grid, visit)
        env.update(zip(eqn.outvars, results, strict=True))
    return [interval_of(atom, env) for atom in body.outvars]


def interval_of(atom: Any, env: Env) -> Interval | None:
    """Of a variable, a literal, or a number of Python's; of memory that holds indices nothing is known."""
    if isinstance(atom, int | np.integer):
        return int(atom), int(atom)
    if isinstance(atom, _Literal):
        return _of_constant(atom.val)
    return env.get(atom) if isinstance(atom, core.Var) else None


def _of_constant(value: Any) -> Interval | None:
    array = np.asarray(value) if not hasattr(value, "dtype") or np.ndim(value) >= 0 else value
    if array.dtype.kind not in "iub" or array.size == 0:
        return None
    return int(array.min()), int(array.max())


def _step(
    eqn: Any, known: list[Interval | None], grid: Grid, visit: Callable[[Any, Env], None]
) -> list[Interval | None]:
    name, params = eqn.primitive.name, eqn.params
    nothing: list[Interval | None] = [None] * len(eqn.outvars)
    if name in ("program_id", "axis_index"):
        return [grid.coordinate(params)]
    if name == "num_programs":
        return [(grid.sizes[params["axis"]],) * 2]
    if name == "iota":
        return [(0, max(0, params["shape"][params["dimension"]] - 1))]
    if name in _COMPARISONS:
        return [(0, 1)]
    if name in _SAME:
        return [known[0]]
    if name == "select_n":
        return [_hull(*known[1:])]
    if name in _INTERVALS:
        return [None if None in known else _INTERVALS[name](*known)]
    if name == "scan":
        return _loop(eqn, known, grid, visit)
    if name == "while":
        consts = params["cond_nconsts"] + params["body_nconsts"]
        carried: list[Interval | None] = [None] * (len(eqn.invars) - consts)
        given = known[params["cond_nconsts"] : consts]
        intervals(params["cond_jaxpr"], [*known[: params["cond_nconsts"]], *carried], grid, visit)
        intervals(params["body_jaxpr"], [*given, *carried], grid, visit)
        return nothing
    if name == "cond":
        branches = [intervals(one, known[1:], grid, visit) for one in params["branches"]]
        return [_hull(*results) for results in zip(*branches, strict=True)]
    if name == "run_scoped":
        refs = [None] * len(params["jaxpr"].invars)
        return intervals(params["jaxpr"], [*known, *refs], grid, visit)
    for key in ("jaxpr", "call_jaxpr"):
        inner = params.get(key)
        if inner is not None and (hasattr(inner, "eqns") or hasattr(inner, "jaxpr")):
            try:
                return intervals(inner, known, grid, visit)
            except ValueError:
                return nothing
    return nothing


def _loop(
    eqn: Any, known: list[Interval | None], grid: Grid, visit: Callable[[Any, Env], None]
) -> list[Interval | None]:
    """A counted loop: what goes up by a number each time is known, what stays as it is too."""
    params = eqn.params
    consts, carries = _versions.scan_groups(params)
    body, _ = _versions.closed(params["jaxpr"])
    length = int(params["length"])
    inside: list[Interval | None] = list(known[:consts])
    for i in range(carries):
        start = known[consts + i]
        step = _step_of(body, body.invars[consts + i], body.outvars[i])
        if start is None or step is None:
            inside.append(None)
        else:
            last = step * max(0, length - 1)
            inside.append((start[0] + min(0, last), start[1] + max(0, last)))
    inside += [None] * (len(eqn.invars) - consts - carries)
    intervals(params["jaxpr"], inside, grid, visit)
    after: list[Interval | None] = []
    for i in range(carries):
        start, step = known[consts + i], _step_of(body, body.invars[consts + i], body.outvars[i])
        if start is None or step is None:
            after.append(None)
        else:
            after.append((start[0] + step * length, start[1] + step * length))
    return after + [None] * (len(eqn.outvars) - carries)


def _step_of(body: Any, before: Any, after: Any) -> int | None:
    """By how much a carried integer grows in each iteration, where that is a number."""
    if after is before:
        return 0
    for eqn in body.eqns:
        if after in eqn.outvars and eqn.primitive.name == "add":
            one, other = eqn.invars
            if isinstance(other, _Literal) and one is before:
                return int(other.val)
            if isinstance(one, _Literal) and other is before:
                return int(one.val)
    return None
