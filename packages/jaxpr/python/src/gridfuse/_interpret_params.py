"""What TPU interpret mode's parameters mean here.

The engine runs the kernel as one program: grid steps in order, copies done when they begin. That is what every
parameter asks for as long as the kernel is free of what the parameters look for. Which of them the
engine cannot answer is said by name.
"""

from __future__ import annotations

from typing import Any

from gridfuse.errors import Unsupported

_COPIES = frozenset(["dma_start", "dma_wait", "semaphore_signal", "semaphore_wait"])


def fill_of(interpret: Any, params: dict[str, Any]) -> str:
    """How memory that nobody wrote looks under `interpret`, an `InterpretParams`.

    Raises:
      Unsupported: a parameter asks for what the engine has no answer to.
    """
    if getattr(interpret, "skip_floating_point_ops", False):
        raise Unsupported("InterpretParams(skip_floating_point_ops=True) is not supported")
    if getattr(interpret, "grid_point_recorder", None) is not None:
        raise Unsupported("InterpretParams(grid_point_recorder=…) is not supported")
    if getattr(interpret, "detect_races", False):
        if _copies(params["jaxpr"]):
            raise Unsupported(
                "InterpretParams(detect_races=True) is not supported for kernels that copy or signal"
            )
        _no_races()
    memory = getattr(interpret, "uninitialized_memory", "nan")
    return "zero" if memory == "zero" else "tpu"


def _no_races() -> None:
    """Steps that run one after the other on one core without copies do not race; JAX keeps its verdict here."""
    from jax._src.pallas.mosaic.interpret import interpret_pallas_call as module

    races = getattr(module, "races", None)
    if races is not None and hasattr(races, "races_found"):
        races.races_found = False


def _copies(jaxpr: Any) -> bool:
    """Whether something in a kernel runs beside it."""
    body = getattr(jaxpr, "jaxpr", jaxpr)
    for eqn in body.eqns:
        if eqn.primitive.name in _COPIES:
            return True
        for value in eqn.params.values():
            inner = value if isinstance(value, tuple | list) else (value,)
            if any(_copies(one) for one in inner if hasattr(one, "eqns") or hasattr(one, "jaxpr")):
                return True
    return False
