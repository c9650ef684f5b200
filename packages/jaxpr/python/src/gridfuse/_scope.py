"""What stands in an equation: its operands, be they variables, literals or bare numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax._src import core

from gridfuse import _versions, _wire
from gridfuse.errors import Unsupported

if TYPE_CHECKING:
    from gridfuse._writer import Exporter

_Literal = _versions.Literal


class Scope:
    """What the parameters of an equation may refer to: the variables of its jaxpr, by their ids, and the shared
    tables."""

    __slots__ = ("env", "exporter")

    def __init__(self, exporter: Exporter, env: dict[int, int]) -> None:
        self.exporter = exporter
        self.env = env

    def atom(self, atom: Any) -> str:
        """A variable, or a literal: of an equation, or a bare Python number out of a tree's structure."""
        if type(atom) is not _Literal:
            number = self.env.get(id(atom)) if isinstance(atom, core.Var) else None
            return self._bare(atom) if number is None else str(number)
        value, aval = atom.val, _versions.shaped(atom.aval)
        if getattr(value, "ndim", 0) or aval.shape:
            return f'{{"litc":{self.exporter.constant(value)}}}'
        item = value.item() if hasattr(value, "item") else value
        # -0.0 and 0.0 are equal, and NaN is not equal to itself: floats are told apart by their spelling.
        key = (aval.dtype, repr(item) if type(item) is float else item, type(item))
        known = self.exporter.literals.get(key)
        if known is None:
            known = _wire.literal(item, aval.dtype)
            self.exporter.literals[key] = known
        return known

    def _bare(self, value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return _wire.literal(bool(value), np.dtype(bool))
        if isinstance(value, int | np.integer) and np.ndim(value) == 0:
            return _wire.literal(int(value), np.dtype(np.int32))
        if isinstance(value, float | np.floating):
            return _wire.literal(value, np.dtype(np.float32))
        if isinstance(value, np.ndarray | jax.Array):
            return f'{{"litc":{self.exporter.constant(value)}}}'
        raise Unsupported(f"{value!r} stands where a value is expected")

    def jaxpr(self, jaxpr: Any) -> int:
        return self.exporter.jaxpr(jaxpr)
