"""Where programs are listed, and what their files share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl


@dataclasses.dataclass(frozen=True)
class Entry:
    function: Callable
    arguments: tuple
    ulp: int


PROGRAMS: dict[str, Entry] = {}

pallas_call = functools.partial(pl.pallas_call, interpret=True)
BlockSpec = pl.BlockSpec


def program(*arguments, ulp: int = 0):
    """Lists the decorated function with its arguments; results may be `ulp` units in the last place apart."""

    def add(function: Callable) -> Callable:
        PROGRAMS[function.__name__] = Entry(function, arguments, ulp)
        return function

    return add


def f32(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def i32(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def ints(*shape: int, least: int = -50, most: int = 50, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(least, most, shape).astype(np.int32)
