"""Tests of the package. They need the engine: `node packages/jaxpr/python/build.mjs`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import gridfuse.pallas

pytest_plugins = ["pytester"]


@pytest.fixture
def gridfused() -> Iterator[None]:
    """Kernels in interpret mode run on gridfuse, and nothing falls back."""
    with gridfuse.pallas.enable():
        yield
