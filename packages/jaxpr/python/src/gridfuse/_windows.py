"""Windows of memory, as a walk over a kernel knows them: along each dimension `("i", place, 1, 1)` for one place,
`("s", first, size, step)` for several, `("a", …)` where an array says which."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gridfuse._known import Known
from gridfuse._pallas_params import _flat, _unwrap

Window = tuple[Any, ...]
Named = Callable[[Any], Known]


def window_of(window: Any, part: Any, named: Named) -> Window | None:
    """A window of a window, as one of the whole: equal places are found whichever way leads to them. None where there is no
    such window.

    Args:
      named: gives equal expressions equal names.
    """
    if not all(isinstance(one, tuple) and one[0] in ("i", "s") for one in (*window, *part)):
        return None
    inner = iter(part)
    return tuple(one if one[0] == "i" else _moved(one, next(inner), named) for one in window)


def _moved(window: Any, part: Any, named: Named) -> Any:
    _, base, _, stride = window
    kind, start, size, step = part
    if base[0] == "k" and start[0] == "k":
        start = ("k", base[1] + stride * start[1])
    elif base != ("k", 0) or stride != 1:
        start = named(("place", base, stride, start))
    return (kind, start, size, step * stride if kind == "s" else step)


def amount_of(ref: Any, transforms: Any) -> int | None:
    """Bytes of a view; None where a size is computed."""
    inner, outer = _unwrap(ref)
    shape: Sequence[Any] = inner.aval.shape
    dtype = inner.aval.dtype
    for transform in (*outer, *_flat(transforms)):
        kind = type(transform).__name__
        if kind == "NDIndexer":
            shape = transform.get_indexer_shape()
        elif kind != "SelectTransform":
            shape = getattr(transform, "shape", shape)
            dtype = getattr(transform, "dtype", dtype)
    if not all(isinstance(size, int | np.integer) for size in shape):
        return None
    return math.prod(int(size) for size in shape) * int(getattr(dtype, "itemsize", 1))
