"""The front door: from a function to the bytes of a program (packages/jaxpr/FORMAT.md)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax

from gridfuse import _versions
from gridfuse._writer import Exporter


def export(
    fn: Callable[..., Any],
    *avals: Any,
    path: str | os.PathLike[str] | None = None,
    name: str | None = None,
    locations: bool = True,
    **named_avals: Any,
) -> bytes:
    """Traces a function and writes it down for `importJaxpr` of the TypeScript side.

    Args:
      fn: any traceable function; `pallas_call`s may stand anywhere in it.
      *avals: its arguments: arrays, or `jax.ShapeDtypeStruct`s, in any tree.
      path: a file to write the bytes to as well.
      name: the program's name; default: the function's.
      locations: whether equations say where they stand in the source. Leaving them out is several
        times quicker.

    Returns:
      The bytes of the file (packages/jaxpr/FORMAT.md).

    Raises:
      Unsupported: the program calls back to the host or uses something else that has no meaning
        outside of JAX; names the primitive and the line.

    Example:
      >>> program = gridfuse.export(lambda x: x + 1, jax.ShapeDtypeStruct((8,), "float32"))
      >>> program[:4]
      b'GFJX'
    """
    traced, shape = jax.make_jaxpr(fn, return_shape=True)(*avals, **named_avals)
    traced = _versions.without_refs(traced)
    exporter = Exporter(locations=locations)
    main = exporter.jaxpr(traced)
    data = exporter.finish(
        main,
        name=name or getattr(fn, "__name__", None),
        inputs=_input_names(fn, avals, named_avals),
        outputs=_tree_names(shape, "out"),
    )
    if path is not None:
        with open(path, "wb") as file:
            file.write(data)
    return data


def _input_names(
    fn: Callable[..., Any], avals: tuple[Any, ...], named: dict[str, Any]
) -> list[str]:
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = []
    for i, aval in enumerate(avals):
        names += _tree_names(aval, plain[i] if i < len(plain) else f"in{i}")
    for key in sorted(named):
        names += _tree_names(named[key], key)
    return _unique(names)


def _tree_names(tree: Any, prefix: str) -> list[str]:
    """`x`, or `x.w`, `x.0` … where the tree has more than its root."""
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
    if prefix == "out" and len(paths) == 1 and not paths[0]:
        return ["out0"]
    names = []
    for path in paths:
        steps = [
            str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step))))
            for step in path
        ]
        flat = prefix == "out" and len(steps) == 1 and steps[0].isdigit()
        names.append(f"out{steps[0]}" if flat else ".".join([prefix, *steps]))
    return _unique(names)


def _unique(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(name if count == 0 else f"{name}#{count}")
    return result
