"""The drop-in: `pallas_call(..., interpret=True)` on gridfuse.

    import gridfuse.pallas
    gridfuse.pallas.enable()              # from here on
    with gridfuse.pallas.enable(): ...    # or for a while

On CPU, JAX lowers a kernel in interpret mode by calling one of two functions that it looks up in their modules. They
are replaced here, so everything above works as it does: eager calls, `jit`, `vmap`, `grad`, loops.
What was lowered while this was enabled stays so wherever JAX caches it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any, Literal

import jax
from jax._src.callback import _IOEffect

from gridfuse import _calls, _client, _versions
from gridfuse._call import KernelCall, bind
from gridfuse._calls import CallRecord, stats
from gridfuse._interpret_params import TpuMode
from gridfuse.errors import GridfuseError, Unsupported

__all__ = ["CallRecord", "Enabled", "disable", "enable", "is_enabled", "stats"]

Fallback = Literal["jax"] | None
Implementation = Callable[..., Any]

_HLO = ("jax._src.pallas.hlo_interpreter", "pallas_call_hlo_interpret")
_TPU = ("jax._src.pallas.mosaic.interpret.interpret_pallas_call", "interpret_pallas_call")
# What a call of TPU interpret mode is said to do besides computing; from 0.10 on elsewhere.
_TPU_EFFECTS = (
    ("jax._src.pallas.mosaic.interpret.interpret_pallas_call", "get_interpret_effects"),
    ("jax._src.pallas.mosaic.interpret.params", "get_interpret_effects"),
)
# 0.8.0 and its neighbours import their TPU modules in a circle unless the front end comes first.
_FRONT_ENDS = ("jax.experimental.pallas", "jax.experimental.pallas.tpu")

_originals: dict[tuple[str, str], Implementation] = {}
_stack: list[Enabled] = []


class Enabled:
    """Gridfuse is enabled until `disable`, or the end of a `with`."""

    def __init__(self, fallback: Fallback) -> None:
        self.fallback = fallback

    def __enter__(self) -> Enabled:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disable()

    def disable(self) -> None:
        """Ends this `enable`; an outer one is in force again."""
        if self in _stack:
            _stack.remove(self)
            _clear_lowered()
        if not _stack:
            _uninstall()


def enable(*, fallback: Fallback = None) -> Enabled:
    """Runs every `pallas_call` in interpret mode on gridfuse.

    Args:
      fallback: "jax" lets JAX run what gridfuse cannot, and counts it (`stats()`). Otherwise that raises
        `Unsupported`, naming the primitive and the line.

    Returns:
      A context manager; without `with`, it stays enabled.
    """
    if fallback not in (None, "jax"):
        raise ValueError(f'fallback is None or "jax", not {fallback!r}')
    _client.start()
    _versions.look_around()
    enabled = Enabled(fallback)
    _stack.append(enabled)
    _install()
    _clear_lowered()
    return enabled


def disable() -> None:
    """Gives interpret mode back to JAX."""
    while _stack:
        _stack[-1].disable()


def is_enabled() -> bool:
    return bool(_stack)


def _clear_lowered() -> None:
    """Forgets what JAX lowered for the other implementation."""
    jax.clear_caches()  # type: ignore[no-untyped-call]


# ── The seam ───────────────────────────────────────────────────────────────────────────────


def _install() -> None:
    for front_end in _FRONT_ENDS:
        _module(front_end)
    _replace(_HLO, _hlo)
    _replace(_TPU, _tpu)
    for place in _TPU_EFFECTS:
        _replace(place, _tpu_effects(place))


def _replace(place: tuple[str, str], ours: Implementation) -> None:
    module = _module(place[0])
    if module is None or not hasattr(module, place[1]) or place in _originals:
        return
    _originals[place] = getattr(module, place[1])
    setattr(module, place[1], ours)


def _uninstall() -> None:
    for (module, name), original in _originals.items():
        setattr(importlib.import_module(module), name, original)
    _originals.clear()


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        # TPU interpret mode needs absl, which JAX does not install by itself.
        return None


def _hlo(*operands: Any, **params: Any) -> Any:
    """In place of `pallas_call_hlo_interpret`."""
    return _take_over(operands, params, "hlo", lambda *given: _originals[_HLO](*given, **params))


def _tpu(*operands: Any, interpret_params: Any, **params: Any) -> Any:
    """In place of `interpret_pallas_call`."""
    original = _originals[_TPU]
    return _take_over(
        operands,
        params,
        interpret_params,
        lambda *given: original(*given, interpret_params=interpret_params, **params),
    )


def _tpu_effects(place: tuple[str, str]) -> Implementation:
    """In place of `get_interpret_effects`: a call may raise, so it happens even where nobody wants its results, but in no
    order that JAX would have to keep, which takes it most of a millisecond each time. Where JAX may run it, it has to.
    """

    def effects() -> Any:
        return {_IOEffect} if _stack and _stack[-1].fallback is None else _originals[place]()

    return effects


def _take_over(
    operands: tuple[Any, ...], params: dict[str, Any], mode: Any, original: Implementation
) -> Any:
    fallback = _stack[-1].fallback if _stack else None
    avals = [jax.typeof(operand) for operand in operands]
    call: KernelCall | None = None
    try:
        call = KernelCall(params, avals)
        if not isinstance(mode, str):
            call.tpu = TpuMode(mode, params, decides_early=fallback == "jax")
            call.mode = call.tpu.mode
        # What cannot run is to be known here, where an exception is one: a trial size where sizes are computed.
        if call.grid_points != 0:
            call.prepare((1,) * call.dynamic)
    except Unsupported as error:
        _note_refusal(call, params, error, fallback)
        if fallback == "jax":
            return original(*operands)
        raise
    except GridfuseError as error:
        _note_refusal(call, params, error, None)
        raise
    if fallback == "jax":
        call.original = original
    _calls.count(call.record)
    return bind(call, operands)


def _note_refusal(
    call: KernelCall | None, params: dict[str, Any], error: GridfuseError, fallback: Fallback
) -> None:
    record = call.record if call is not None else CallRecord("kernel", "refused")
    record.outcome = "fellback" if fallback == "jax" else "refused"
    record.reason = str(error)
    _calls.count(record)
