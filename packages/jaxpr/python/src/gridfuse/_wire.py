"""The leaves of the wire format (packages/jaxpr/FORMAT.md): dtypes, literals, avals, the container.

Everything is written as JSON text at once. A program of tens of thousands of equations would spend most
of its time in building dictionaries only to serialise them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from gridfuse.errors import Unsupported

MAGIC = b"GFJX"
ALIGNMENT = 64
FORMAT = "pallas-ir/1"

_NAMES: dict[str, str] = {
    "bool": "b1",
    "int2": "i2",
    "uint2": "u2",
    "int4": "i4",
    "uint4": "u4",
    "int8": "i8",
    "uint8": "u8",
    "int16": "i16",
    "uint16": "u16",
    "int32": "i32",
    "uint32": "u32",
    "int64": "i64",
    "uint64": "u64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
    "float8_e4m3fn": "f8e4m3fn",
    "float8_e5m2": "f8e5m2",
    "dma_sem": "sem.dma",
    "sem": "sem.regular",
    "semaphore": "sem.regular",
    "barrier_sem": "sem.barrier",
    "barrier_semaphore": "sem.barrier",
}

_dtypes: dict[Any, str] = {}


def dtype_name(dtype: Any) -> str:
    """`f32`, `sem.dma`… as FORMAT.md spells them.

    Raises:
      Unsupported: there is no such dtype in the format (complex numbers, exotic eight-bit floats).
    """
    known = _dtypes.get(dtype)
    if known is not None:
        return known
    name = getattr(dtype, "name", None) or np.dtype(dtype).name
    wire = _NAMES.get(name)
    if wire is None:
        raise Unsupported(f"arrays of {name} are not supported", primitive=f"dtype:{name}")
    _dtypes[dtype] = wire
    return wire


def ints(values: Sequence[Any]) -> str:
    """A list of whole numbers. Symbolic sizes are none: a program is exported for sizes that are known."""
    try:
        return "[" + ",".join([str(int(value)) for value in values]) + "]"
    except Exception as error:
        raise Unsupported(f"sizes {tuple(values)} are not all known numbers") from error


text = json.dumps


def literal(value: Any, dtype: Any) -> str:
    """A scalar that stands in an equation."""
    return f'{{"lit":{_number(value)},"d":"{dtype_name(dtype)}"}}'


def _number(value: Any) -> str:
    item = value.item() if hasattr(value, "item") else value
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        # JAX's own subclasses of int spell themselves differently.
        exact = int(item)
        return str(exact) if -(1 << 53) <= exact <= 1 << 53 else f'"{exact}"'
    if isinstance(item, complex):
        raise Unsupported("complex numbers are not supported", primitive="dtype:complex64")
    number = float(item)
    if number != number:
        return '"nan"'
    if number in (float("inf"), float("-inf")):
        return '"inf"' if number > 0 else '"-inf"'
    if number == 0 and str(number)[0] == "-":
        return '"-0.0"'
    return repr(number)


def constant_bytes(value: np.ndarray) -> bytes:
    """Row-major, little-endian; integers of two and four bits one an element."""
    array = np.ascontiguousarray(value)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()


def container(program: str, constants: Sequence[bytes]) -> bytes:
    """The file: magic, length, JSON, and the constants, each at a multiple of 64 from the first."""
    encoded = program.encode()
    parts = [MAGIC, struct.pack("<I", len(encoded)), encoded]
    if constants:
        parts.append(_padding(8 + len(encoded)))
        for constant in constants:
            parts += (constant, _padding(len(constant)))
    return b"".join(parts)


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _padding(size: int) -> bytes:
    return b"\0" * (aligned(size) - size)
