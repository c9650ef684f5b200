"""What is known of values, memory and copies of a kernel that is walked (`_walk.py`)."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gridfuse import _versions
from gridfuse._lines import location
from gridfuse._scalars import _EXACT

# What is known of a value: a whole number, or a name that equal expressions share.
Known = tuple[str, Any]


@dataclasses.dataclass(frozen=True)
class View:
    ref: Known
    transforms: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Copy:
    """`amount`: bytes that it moves, and that its semaphore counts; None where that is computed."""

    source: View
    destination: View
    semaphore: View
    amount: int | None


class Unproven(Exception):
    """Something is not known that would have to be; `eqn` is the equation to blame.

    Attributes:
      depends: whether the operands of a call may say it.
      source: the user's line; what JAX itself traces for a call has none, and the call's is taken.
    """

    def __init__(self, eqn: Any, why: str, *, depends: bool = False) -> None:
        super().__init__(why)
        self.eqn = eqn
        self.source = None if eqn is None else location(eqn.source_info)
        self.why = why
        self.depends = depends


STARTS = frozenset(["dma_start"])
WAITS = frozenset(["dma_wait"])
SIGNALS = frozenset(["semaphore_signal", "semaphore_wait"])


# Operands beyond this many numbers are data.
_MOST_NUMBERS = 1 << 12


def held_whole(params: Mapping[str, Any]) -> list[int]:
    """Which operands a kernel has at hand from the first point to the last: prefetched ones, and small inputs of whole numbers
    in one block."""
    mapping = params["grid_mapping"]
    prefetched = mapping.num_index_operands
    body, _ = _versions.closed(params["jaxpr"])
    inputs = [
        prefetched + i
        for i, block in enumerate(mapping.block_mappings[: mapping.num_inputs])
        if space_of(body.invars[prefetched + i].aval) not in ("hbm", "any")
        and getattr(block.array_aval.dtype, "kind", None) in ("i", "u")
        and math.prod(block.array_aval.shape) <= _MOST_NUMBERS
        and tuple(block.transformed_block_aval.shape) == tuple(block.array_aval.shape)
    ]
    return [*range(prefetched), *inputs]


def space_of(aval: Any) -> str:
    """Where memory lies: vmem, smem, hbm, any, …"""
    space = getattr(aval, "memory_space", None)
    return str(getattr(space, "value", space)).rpartition(".")[2]


def inner_jaxprs(params: Mapping[str, Any]) -> list[Any]:
    values = [
        one
        for value in params.values()
        for one in (value if isinstance(value, tuple | list) else (value,))
    ]
    return [one for one in values if hasattr(one, "eqns") or hasattr(one, "jaxpr")]


def first_of(jaxpr: Any, names: frozenset[str]) -> Any:
    """The first equation of these primitives, in nested jaxprs too; None where there is none."""
    for eqn in _versions.closed(jaxpr)[0].eqns:
        if eqn.primitive.name in names:
            return eqn
        for inner in inner_jaxprs(eqn.params):
            found = first_of(inner, names)
            if found is not None:
                return found
    return None


def equations(jaxpr: Any) -> int:
    body, _ = _versions.closed(jaxpr)
    return sum(1 + sum(equations(one) for one in inner_jaxprs(eqn.params)) for eqn in body.eqns)


def cell_of(view: View) -> tuple[int, ...] | None:
    """The place of a single element, where it is known."""
    if len(view.transforms) != 1:
        return None
    (indices,) = view.transforms
    if not all(isinstance(one, tuple) and one[0] == "i" and one[1][0] == "k" for one in indices):
        return None
    return tuple(one[1][1] for one in indices)


def folded(name: str, params: dict[str, Any], given: list[Known], dtype: Any) -> int | None:
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
