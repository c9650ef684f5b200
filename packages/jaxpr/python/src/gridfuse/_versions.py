"""Where the versions of JAX differ, in one place.

Closed jaxprs became plain ones with `consts` in 0.11, `scan` names its groups by trees from then on, and the
modules that define primitives have moved now and then.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax._src import core

Primitive = core.Primitive
Literal = core.Literal

# The longest prefix wins. What a primitive's defining module makes of its name: `swap` exists four times.
_NAMESPACES: dict[str, str] = {
    "jax._src.lax": "lax",
    "jax._src.ad_util": "lax",
    "jax._src.debugging": "lax",
    "jax._src.checkify": "lax",
    "jax._src.callback": "core",
    "jax._src.prng": "random",
    "jax._src.random": "random",
    "jax._src.state": "state",
    "jax._src.pallas": "pl",
    "jax._src.pallas.mosaic": "tpu",
    "jax._src.pallas.einshape": "tpu",
    "jax._src.pallas.mosaic.sc_primitives": "sc",
    "jax._src.pallas.mosaic.sc_core": "sc",
    "jax._src.pallas.mosaic_gpu": "gpu",
    "jax._src.pallas.triton": "gpu",
}


def closed(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """The open jaxpr and its constants, whichever of the two kinds it is."""
    inner = getattr(jaxpr, "jaxpr", None)
    body = jaxpr if inner is None else inner
    consts = getattr(jaxpr, "consts", ())
    # From 0.11 on the body of a scope remembers what it closed over while it was traced; its
    # equation has the same as operands.
    return body, () if any(isinstance(one, core.Tracer) for one in consts) else consts


def has_64_bits() -> bool:
    """Whether JAX computes in 64 bits."""
    config: Any = jax.config
    return bool(config.jax_enable_x64)


def shaped(aval: Any) -> Any:
    """An aval of an array, as the checker of types does not know it."""
    return aval


def scan_groups(params: dict[str, Any]) -> tuple[int, int]:
    """How many operands of a scan are constants, and how many are carried."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(consts), len(carry)


def dimension_semantics(params: dict[str, Any]) -> list[str | None] | None:
    """What the caller of a kernel promised of each axis of its grid; before 0.9 by platform."""
    compiler = params.get("compiler_params")
    if isinstance(compiler, Mapping):
        compiler = compiler.get("mosaic_tpu")
    semantics = getattr(compiler, "dimension_semantics", None)
    if semantics is None:
        return None
    return [None if one is None else str(getattr(one, "value", one)) for one in semantics]


def written_inputs(body: Any) -> set[int]:
    """Which of a jaxpr's references it writes; effects name them by place, later by variable."""
    places = {variable: i for i, variable in enumerate([*body.constvars, *body.invars])}
    offset = len(body.constvars)
    found: set[int] = set()
    for effect in body.effects:
        if type(effect).__name__ in ("WriteEffect", "AccumEffect"):
            place = getattr(effect, "input_index", None)
            at = places.get(effect.input) if place is None else place
            if at is not None:
                found.add(at - offset)
    return found


def without_refs(traced: Any) -> Any:
    """The same function with values in place of the references that it makes outside of kernels."""
    if not any("MutableArray" in type(effect).__name__ for effect in closed(traced)[0].effects):
        return traced
    from jax._src.state import discharge

    if "consts" in inspect.signature(discharge.discharge_state).parameters:
        return core.ClosedJaxpr(*discharge.discharge_state(traced.jaxpr, traced.consts))
    return discharge.discharge_state(traced)  # type: ignore[call-arg]


def tell_races(found: bool, cores: int) -> None:
    """Leaves word of races where TPU interpret mode does."""
    module = sys.modules.get("jax._src.pallas.mosaic.interpret.interpret_pallas_call")
    if module is None:
        return
    kept: Any = module.RaceDetectionState
    state = kept(num_cores=cores) if _takes_cores(kept) else kept()
    state.races_found = found
    module.races = state  # type: ignore[attr-defined]


@functools.cache
def _takes_cores(state: Any) -> bool:
    """From 0.12 on what is kept of races is not told how many cores there are."""
    return "num_cores" in inspect.signature(state).parameters


def padded_shape(shape: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    """In tiles of the TPU that a mesh says is simulated; from 0.10 on."""
    from jax._src.pallas.mosaic import tpu_info

    if not shape:
        return shape
    tiles = tpu_info.infer_tiling(core.ShapedArray(shape, dtype)) or shape
    return tuple(
        -(-size // tile) * tile if tile else size for size, tile in zip(shape, tiles, strict=True)
    )


@functools.cache
def _namespace_of_module(module: str) -> str:
    while module:
        if module in _NAMESPACES:
            return _NAMESPACES[module]
        module = module.rpartition(".")[0]
    return "core"


_known: dict[int, tuple[Primitive, str]] = {}
_modules_seen = 0


def look_around() -> None:
    """Finds every primitive that a loaded module of JAX holds; the module nearest to the root owns it."""
    global _modules_seen
    modules = [name for name in list(sys.modules) if name.startswith("jax._src")]
    _modules_seen = len(sys.modules)
    # Front ends import each other's primitives: the deepest path is the one that says most.
    for name in sorted(modules, key=lambda name: (name.count("."), len(name))):
        namespace = _namespace_of_module(name)
        for value in list(vars(sys.modules[name]).values()):
            if isinstance(value, Primitive) and id(value) not in _known:
                _known[id(value)] = (value, namespace)


# Primitives whose first importer is not their home.
_HOMES: dict[str, str] = {
    "jit": "core",
    "get": "state",
    "swap": "state",
    "addupdate": "state",
    "reshard": "lax",
    "emit_pipeline": "tpu",
}


def namespace(primitive: Primitive) -> str:
    """Which family a primitive is of: lax, core, state, pl, tpu, random, sc or gpu."""
    known = _known.get(id(primitive))
    if known is None:
        if len(sys.modules) != _modules_seen:
            look_around()
            known = _known.get(id(primitive))
        if known is None:
            known = (primitive, "core")
            _known[id(primitive)] = known
    home = _HOMES.get(primitive.name)
    if home is not None and known[1] in ("lax", "core", "state", home):
        return home
    return known[1]
