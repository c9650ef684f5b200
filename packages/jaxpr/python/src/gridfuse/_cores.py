"""The cores of the chip that TPU interpret mode simulates: which grid points each has, and what comes of running them
one after the other, as the engine does.

That is the same as side by side where every wait finds its signal already sent by a core that ran before, and no
two cores race. Which points a core has is as in JAX's interpreter, which shuffles the axes that are promised to be parallel.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from gridfuse import _versions
from gridfuse._events import Recorder, talks
from gridfuse._known import Unproven
from gridfuse._races import Deadlock, Simulation, order_of
from gridfuse.errors import Unsupported

_MOST_POINTS = 1 << 16


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`races`: as text; `order`: in which the cores can run."""

    races: Sequence[str]
    order: Sequence[int]


class Cores:
    """The cores that one call of a kernel runs on."""

    def __init__(self, interpret: Any, params: Mapping[str, Any]) -> None:
        self._params = params
        mesh = params.get("mesh")
        self.is_mesh = mesh is not None and hasattr(mesh, "shape")
        self.count = (
            math.prod(dict(mesh.shape).values())
            if mesh is not None and self.is_mesh
            else getattr(
                interpret, "num_cores_or_threads", getattr(interpret, "num_cores_per_device", 1)
            )
        )
        self.detects = bool(getattr(interpret, "detect_races", False))
        self.raises = getattr(interpret, "on_race", "warn") == "raise"
        self._eager = getattr(interpret, "dma_execution_mode", "on_wait") == "eager"
        self._talks = talks(params["jaxpr"])
        self._seed = getattr(interpret, "random_seed", None)
        self._shuffled: list[np.ndarray | None] | None = None
        if self.count > 1 and not self.is_mesh and self.detects:
            self._shuffled = self._shuffle()

    @property
    def matters(self) -> bool:
        """Whether anything can go wrong between them, or between a core and its copies."""
        if self.detects:
            return self.count > 1 or self._talks
        return self.is_mesh and self.count > 1 and self._talks

    def judge(self, grid: Sequence[int], operands: Sequence[np.ndarray]) -> Verdict:
        """What becomes of a call.

        Raises:
          Unproven: it depends on something that is not known.
        """
        recorder = self._recorder(grid, operands)
        try:
            return self._verdict(recorder, grid)
        except Unproven as error:
            error.depends |= recorder.asked
            raise

    def _verdict(self, recorder: Recorder, grid: Sequence[int]) -> Verdict:
        points = self.points(grid)
        traces = [recorder.record(core, own) for core, own in enumerate(points)]
        simulation = Simulation(traces, recorder.names, eager=self._eager)
        try:
            simulation.run()
        except Deadlock as stuck:
            raise Unproven(stuck.eqn, "nobody signals what is waited for") from None
        order = order_of(self.count, simulation.passes)
        if order is None:
            raise Unproven(None, "the cores pass data to each other in turns")
        if not self.detects:
            return Verdict((), order)
        mapping = self._params["grid_mapping"]
        first = mapping.num_index_operands + mapping.num_inputs
        simulation.finish([recorder.array_of(first + i) for i in range(mapping.num_outputs)])
        if simulation.doubts and not simulation.races:
            one, _ = simulation.doubts[0]
            raise Unproven(one.eqn, "whether accesses of the same memory meet is not known")
        return Verdict(tuple(simulation.races), order)

    def _recorder(self, grid: Sequence[int], operands: Sequence[np.ndarray]) -> Recorder:
        if not all(isinstance(size, int | np.integer) for size in grid):
            raise Unproven(None, "how large the grid is, is not known", depends=True)
        if math.prod(grid) > _MOST_POINTS:
            raise Unproven(None, "the grid has too many points to follow")
        return Recorder(self._params, grid, operands)

    def points(self, grid: Sequence[int]) -> list[list[tuple[int, ...]]]:
        """Of each core, in the order that it visits them."""
        shuffled = self._shuffled or [None] * len(grid)
        axes = [
            range(size) if order is None else [int(i) for i in order]
            for size, order in zip(grid, shuffled, strict=True)
        ]
        every = list(itertools.product(*axes))
        parallel = math.prod(
            size
            for size, is_parallel in zip(grid, self._parallel(len(grid)), strict=True)
            if is_parallel
        )
        each = -(-parallel // self.count) * (len(every) // max(1, parallel))
        return [every[core * each : (core + 1) * each] for core in range(self.count)]

    def _parallel(self, rank: int) -> list[bool]:
        if self.is_mesh:
            return [True] * rank
        semantics = _versions.dimension_semantics(dict(self._params)) or []
        # Axes that vmap added come first, and nothing is promised of them.
        return ([False] * (rank - len(semantics)) + [one == "parallel" for one in semantics])[:rank]

    def _shuffle(self) -> list[np.ndarray | None]:
        grid = self._params["grid_mapping"].grid
        orders: list[np.ndarray | None] = []
        with jax.ensure_compile_time_eval():
            key = jax.random.key(self._seed or 0)
            for size, is_parallel in zip(grid, self._parallel(len(grid)), strict=True):
                if not is_parallel:
                    orders.append(None)
                    continue
                key, own = jax.random.split(key)
                places = jax.numpy.arange(size, dtype=jax.numpy.int32)
                orders.append(np.asarray(jax.random.permutation(own, places)))
        return orders


def refusal(error: Unproven, what: str) -> Unsupported:
    """The same for the user, with the line to blame."""
    eqn = error.eqn
    if eqn is None:
        return Unsupported(f"{what}: {error.why}")
    return Unsupported(
        f"{what}: {error.why}",
        primitive=f"{_versions.namespace(eqn.primitive)}:{eqn.primitive.name}",
        source=error.source,
    )
