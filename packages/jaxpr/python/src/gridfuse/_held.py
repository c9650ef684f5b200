"""Dtypes that the engine holds otherwise than JAX: a few bits in a byte each, floats of eight bits as their bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax._src import core, dtypes

from gridfuse.errors import Unsupported

_FEW_BITS = frozenset(["int2", "uint2", "int4", "uint4"])
_EIGHT_BIT_FLOATS = frozenset(["float8_e5m2", "float8_e4m3fn"])


def memory_dtype(dtype: Any) -> np.dtype[Any]:
    """How the engine holds a dtype. Raises Unsupported for what is none of NumPy's."""
    if isinstance(dtype, dtypes.ExtendedDType):
        raise Unsupported(f"arrays of {dtype} are not supported", primitive=f"dtype:{dtype}")
    name = np.dtype(dtype).name
    if name in _FEW_BITS:
        return np.dtype(f"{name[:-1]}8")
    if name in _EIGHT_BIT_FLOATS:
        return np.dtype(np.uint8)
    held: np.dtype[Any] = np.dtype(dtype)
    return held


def is_held_otherwise(aval: Any) -> bool:
    dtype = core.physical_aval(aval).dtype
    return bool(memory_dtype(dtype) != dtype)


def in_memory(array: np.ndarray) -> np.ndarray:
    wanted = memory_dtype(array.dtype)
    if array.dtype.name in _EIGHT_BIT_FLOATS:
        return array.view(wanted)
    return array if array.dtype == wanted else array.astype(wanted)


def out_of_memory(result: np.ndarray, dtype: Any) -> np.ndarray:
    if result.dtype == dtype:
        return result
    if np.dtype(dtype).name in _EIGHT_BIT_FLOATS:
        return result.view(dtype)
    return result.astype(dtype)
