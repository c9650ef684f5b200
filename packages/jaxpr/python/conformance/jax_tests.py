"""Makes JAX's own test files importable where only the wheel of JAX is installed.

A pytest plug-in, used by `run.py`. The tests import `jax._src.pallas.pallas_test_util`, which the wheel leaves out: it
is taken from the source tree that GRIDFUSE_JAX_SOURCE names, the same one that the tests are from.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

_NAME = "jax._src.pallas.pallas_test_util"


def pytest_configure() -> None:
    source = os.environ.get("GRIDFUSE_JAX_SOURCE")
    if source is None or importlib.util.find_spec(_NAME) is not None:
        return
    path = Path(source, *_NAME.split(".")).with_suffix(".py")
    if not path.exists():
        return
    import jax.experimental.pallas  # noqa: F401

    spec = importlib.util.spec_from_file_location(_NAME, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
