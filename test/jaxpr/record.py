"""Records programs for test/jaxpr: what JAX traces, with inputs and what JAX's own interpreter gives for them.

    python test/jaxpr/record.py [NAME…]

needs JAX and the exporter of packages/jaxpr/python (found beside this file). Every function of programs/*.py that
is decorated with `program` becomes fixtures/NAME.json: the exported bytes, the arguments and the results in base64.
"""

from __future__ import annotations

import base64
import importlib
import json
import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "packages" / "jaxpr" / "python" / "src"))

import jax  # noqa: E402
import numpy as np  # noqa: E402

import gridfuse  # noqa: E402
from programs.registry import PROGRAMS  # noqa: E402

FAMILIES = ("blocks", "refs", "flow", "memory", "arrays", "numbers", "networks")


def portable(program: bytes) -> bytes:
    """The same program with the folders of this machine left out of its source lines."""
    (length,) = struct.unpack_from("<I", program, 4)
    body = json.loads(program[8 : 8 + length])
    constants = program[-(-(8 + length) // 64) * 64 :]
    body["locs"] = [re.sub(r"^.*[/\\](?=[^/\\]*:\d)", "", loc) for loc in body.get("locs", [])]
    text = json.dumps(body, separators=(",", ":")).encode()
    head = b"GFJX" + struct.pack("<I", len(text)) + text
    padding = b"" if not constants else b"\0" * (-len(head) % 64)
    return head + padding + constants


def array(value) -> dict:
    if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    value = np.ascontiguousarray(value)
    data = base64.b64encode(value.tobytes()).decode()
    return {"dtype": str(value.dtype), "shape": list(np.shape(value)), "data": data}


def record(name: str, entry) -> None:
    arguments = [jax.numpy.asarray(a) for a in entry.arguments]
    results = jax.tree_util.tree_leaves(jax.jit(entry.function)(*arguments))
    fixture = {
        "jax": jax.__version__,
        "ulp": entry.ulp,
        "program": base64.b64encode(portable(gridfuse.export(entry.function, *arguments))).decode(),
        "inputs": [array(a) for a in arguments],
        "outputs": [array(r) for r in results],
    }
    path = HERE / "fixtures" / f"{name}.json"
    path.write_text(json.dumps(fixture, indent=1) + "\n")


def main(names: list[str]) -> None:
    for family in FAMILIES:
        importlib.import_module(f"programs.{family}")
    (HERE / "fixtures").mkdir(exist_ok=True)
    for name, entry in PROGRAMS.items():
        if names and name not in names:
            continue
        record(name, entry)
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
