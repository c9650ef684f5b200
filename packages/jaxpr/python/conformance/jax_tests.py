"""Makes JAX's own test files importable where only the wheel of JAX is installed, and keeps a journal of them.

A pytest plug-in, used by `run.py`. The tests import `jax._src.pallas.pallas_test_util`, and in later versions
`jax._src.hypothesis_test_util`, which the wheel leaves out: they are taken from the source tree that
GRIDFUSE_JAX_SOURCE names, the same one that the tests are from.

GRIDFUSE_AS_TPU says that tests which want a TPU find one that is interpreted: kernels that do not ask for an interpreter
run in TPU interpret mode, with the value as `dma_execution_mode`, and the device is a TPU v5e by its name.

GRIDFUSE_JOURNAL names a file to which every test adds a line when it begins and one when it ends, so that nothing is lost
with a process that does not end; GRIDFUSE_TESTS one with the ids of the tests to run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_LEFT_OUT = ("jax._src.pallas.pallas_test_util", "jax._src.hypothesis_test_util")


def pytest_configure() -> None:
    source = os.environ.get("GRIDFUSE_JAX_SOURCE")
    if source is None:
        return
    import jax.experimental.pallas  # noqa: F401

    for name in _LEFT_OUT:
        path = Path(source, *name.split(".")).with_suffix(".py")
        if path.exists() and importlib.util.find_spec(name) is None:
            _import_from(path, name)


def _import_from(path: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    package, _, attribute = name.rpartition(".")
    setattr(sys.modules[package], attribute, module)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call() -> Generator[None, Any, None]:
    copies = os.environ.get("GRIDFUSE_AS_TPU")
    if copies is None:
        yield
        return
    from jax._src.pallas.mosaic import tpu_info
    from jax.experimental.pallas import tpu as pltpu

    tpu_info.get_device_kind = lambda: "TPU v5 lite"
    tpu_info.get_num_device_cores = lambda: 1
    with pltpu.force_tpu_interpret_mode(pltpu.InterpretParams(dma_execution_mode=copies)):
        yield


def _note(line: dict[str, Any]) -> None:
    journal = os.environ.get("GRIDFUSE_JOURNAL")
    if journal is not None:
        with open(journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = os.environ.get("GRIDFUSE_TESTS")
    if chosen is None:
        _note({"collected": [item.nodeid for item in items]})
        return
    wanted = set(json.loads(Path(chosen).read_text()))
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = [item for item in items if item.nodeid in wanted]


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    from gridfuse.pytest import reported

    _note({"began": item.nodeid})
    yield
    _note({"test": item.nodeid, **reported(item)})
