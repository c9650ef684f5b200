"""What TPU interpret mode's parameters mean here.

The engine runs the kernel as one program: grid steps in order, copies done when they begin. That is what every
parameter asks for as long as the kernel is free of the faults that it looks for (`_copies.py` sees to copies that are done
late, `_cores.py` to several cores and to races). Where a kernel is known to have one,
the same exception is raised as by JAX; where nothing is known, the parameter is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gridfuse import _copies, _versions
from gridfuse._client import Mode
from gridfuse._cores import Cores, Verdict
from gridfuse._cores import refusal as refused_cores
from gridfuse._known import Unproven, first_of, held_whole, space_of
from gridfuse._lines import location
from gridfuse._pallas_params import _flat, _unflatten, _unwrap
from gridfuse._scalars import Env, Grid, Interval, Unknown, evaluate, interval_of, intervals
from gridfuse.errors import GridfuseError, Unsupported

# Beyond this many points a grid's blocks are not enumerated; nobody revisits by accident at that size.
_MOST_POINTS = 1 << 22
_READS = frozenset(["get"])


class OutOfBounds(GridfuseError, IndexError):
    """An access outside of an array, under `out_of_bounds_reads="raise"`."""


class Revisited(GridfuseError, RuntimeError):
    """An output's block is written again after others were: on a TPU it would start from anything."""


class Raced(GridfuseError, RuntimeError):
    """A race that was found, under `on_race="raise"`."""


class TpuMode:
    """How one kernel runs under one `InterpretParams`.

    Args:
      decides_early: whether what cannot be known before the kernel is called is refused, and not looked at again then.

    Attributes:
      mode: what memory means: unwritten it holds NaN and the greatest integers, or zero; indices that are computed are
        watched where they are not known to be in bounds.
      watched: for the lines where they are, what happens there.

    Raises:
      Unsupported: a parameter asks for what the engine has no answer to.
      ValueError: the kernel does what TPU interpret mode refuses.
      Revisited, OutOfBounds: its blocks do.
    """

    def __init__(
        self, interpret: Any, params: dict[str, Any], *, decides_early: bool = False
    ) -> None:
        self._decides_early = decides_early
        self._raises = interpret.out_of_bounds_reads == "raise"
        self._params = params
        mapping = params["grid_mapping"]
        _refuse(interpret)
        _check_parallel(params)
        self.watched, overhangs = _check_body(params, interpret, raises=self._raises)
        self.mode = Mode(
            fill="zero" if interpret.uninitialized_memory == "zero" else "tpu",
            reads="clamp" if self._raises and not overhangs else "fill",
            writes="drop" if overhangs else "clamp",
            bounds="report" if self.watched else "clamp",
        )
        self._is_late = getattr(
            interpret, "dma_execution_mode", "on_wait"
        ) == "on_wait" and _copies.starts_copies(params)
        self.cores = Cores(interpret, params)
        self.verdict = Verdict((), range(self.cores.count))
        # Of what it was said; nothing where it is said for all calls.
        self._judged_for: Any = None
        blocks_depend = mapping.num_index_operands > 0 or any(
            not isinstance(size, int) for size in mapping.grid
        )
        self._may_depend = False
        self._depends = self._judge_once(mapping.grid)
        self.needs_operands = blocks_depend or self._depends
        if not blocks_depend:
            self.check_blocks(mapping.grid, ())

    # ── Copies and cores ───────────────────────────────────────────────────────────────────

    def _judge_once(self, grid: Sequence[Any]) -> bool:
        """Says what becomes of all calls; whether that depends on their operands."""
        try:
            self._judge(grid, ())
        except Unsupported:
            if self._decides_early or not self._may_depend:
                raise
            return True
        return False

    def _judge(self, grid: Sequence[Any], operands: Sequence[np.ndarray]) -> None:
        if self.cores.matters:
            try:
                self.verdict = self.cores.judge(grid, operands)
            except Unproven as error:
                self._may_depend = error.depends
                what = "detect_races=True" if self.cores.detects else "several cores"
                raise refused_cores(error, f"InterpretParams({what})") from None
        # Where copies race, nothing is promised of what they bring.
        if self._is_late and not self.verdict.races:
            try:
                _copies.check_copies(self._params, grid, operands)
            except Unproven as error:
                self._may_depend = error.depends
                raise _copies.refusal(error) from None

    def check_call(self, grid: Sequence[int], operands: Sequence[np.ndarray]) -> None:
        """What depends on the operands of a call. Raises Unsupported, OutOfBounds, Revisited."""
        if self._depends:
            held = held_whole(self._params)
            given = (tuple(grid), *[np.asarray(operands[i]).tobytes() for i in held])
            if given != self._judged_for:
                order = self.verdict.order
                self._judge(grid, operands)
                if list(self.verdict.order) != list(order):
                    raise Unsupported("several cores that run in an order which operands decide")
                self._judged_for = given
        self.check_blocks(grid, operands[: self._params["grid_mapping"].num_index_operands])

    @property
    def is_heard(self) -> bool:
        """Whether a call may raise, or tell of races, so that it has to happen even where nobody wants its results."""
        return self.needs_operands or self.mode.bounds == "report" or self.cores.detects

    def report(self) -> None:
        """Tells of races as JAX's interpreter does: in words, and where it keeps what it found.

        Raises:
          Raced: where `on_race="raise"`.
        """
        _versions.tell_races(bool(self.verdict.races), self.cores.count)
        if self.verdict.races and self.cores.raises:
            raise Raced(self.verdict.races[0])
        for race in self.verdict.races:
            print(race)

    # ── Blocks ─────────────────────────────────────────────────────────────────────────────

    def check_blocks(self, grid: Sequence[int], prefetched: Sequence[np.ndarray]) -> None:
        """Where the blocks of a call lie. Raises OutOfBounds, Revisited."""
        points = int(np.prod(grid, dtype=np.int64))
        if not 0 < points <= _MOST_POINTS:
            return
        mapping = self._params["grid_mapping"]
        coordinates = [axis.reshape(-1) for axis in np.indices(tuple(grid), np.int64)]
        for i, block in enumerate(mapping.block_mappings):
            try:
                places = self._places(i, block, coordinates, prefetched)
            except Unknown as what:
                # The program moves what an index map reads inside, and tells nobody.
                if self._raises and first_of(block.index_map_jaxpr, _READS) is not None:
                    raise Unsupported(
                        f'out_of_bounds_reads="raise" with {what} in the index map of {block.origin}; '
                        '"uninitialized" runs it'
                    ) from None
                continue
            sizes, starts = [], []
            for place, dim in zip(places, block.block_shape, strict=False):
                kind = type(dim).__name__
                size = 1 if kind == "Squeezed" or dim is None else getattr(dim, "block_size", dim)
                unit = 1 if kind in ("Element", "BoundedSlice") else size
                low = getattr(dim, "padding", (0, 0))[0]
                sizes.append(int(size))
                starts.append(np.broadcast_to(np.asarray(place) * unit - low, (points,)))
            is_output = i >= mapping.num_inputs
            if self._raises or is_output:
                self._check_inside(i, block, starts, coordinates)
            if is_output and starts:
                self._check_revisits(i - mapping.num_inputs, starts, sizes, coordinates)

    def _places(
        self,
        i: int,
        block: Any,
        coordinates: list[np.ndarray],
        prefetched: Sequence[np.ndarray],
    ) -> list[Any]:
        """The index of the block at each point. Raises Unknown, OutOfBounds."""

        def outside(index: np.ndarray, extent: int) -> None:
            points = np.broadcast_to(index, (max(1, len(coordinates[0]) if coordinates else 1),))
            at = int(np.argmax((points < 0) | (points >= extent)))
            what = "output" if i >= self._params["grid_mapping"].num_inputs else "input"
            raise OutOfBounds(
                f"Out-of-bounds read: index {int(points[at])} of a dimension of {extent}, in the index map of "
                f'{what} "{block.origin}" in iteration {_point(coordinates, at)}'
            )

        given = [*coordinates, *prefetched]
        return evaluate(block.index_map_jaxpr, given, outside if self._raises else None)

    def _check_inside(
        self, i: int, block: Any, starts: list[np.ndarray], coordinates: list[np.ndarray]
    ) -> None:
        mapping = self._params["grid_mapping"]
        outside = np.zeros(len(coordinates[0]) if coordinates else 1, bool)
        for start, dim, extent in zip(
            starts, block.block_shape, block.array_aval.shape, strict=False
        ):
            low = getattr(dim, "padding", (0, 0))[0]
            outside |= (start < -low) | ((start >= extent) & (extent > 0))
        if not outside.any():
            return
        at = int(np.argmax(outside))
        what = "output" if i >= mapping.num_inputs else "input"
        index = tuple(int(start[at]) for start in starts)
        raise OutOfBounds(
            f"Out-of-bounds block index at element {index} for {what} "
            f'"{block.origin}" in iteration {_point(coordinates, at)}: '
            f"the {what} has shape {block.array_aval.shape}"
        )

    def _check_revisits(
        self, i: int, starts: list[np.ndarray], sizes: list[int], coordinates: list[np.ndarray]
    ) -> None:
        mapping = self._params["grid_mapping"]
        if any(output == i for _, output in self._params["input_output_aliases"]):
            return
        ids = _numbered(starts)
        # Each run of equal neighbours is one visit; a block may have one.
        begins = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
        visited = ids[begins]
        if (visited[1:] > visited[:-1]).all():
            return
        _, first = np.unique(visited, return_index=True)
        if len(first) == len(begins):
            return
        again = int(begins[np.setdiff1d(np.arange(len(begins)), first)[0]])
        shown = ", ".join(
            f"{int(start)}:{int(start) + size}"
            for start, size in zip([one[again] for one in starts], sizes, strict=True)
        )
        before = int(np.flatnonzero(ids[:again] == ids[again])[0])
        name = mapping.block_mappings[mapping.num_inputs + i].origin
        raise Revisited(
            f"Revisited block [{shown}] of output {i} in iteration {_point(coordinates, again)} "
            f'("{name}"): the block was visited in iteration {_point(coordinates, before)}, '
            "and others were in between"
        )


def _numbered(starts: Sequence[np.ndarray]) -> np.ndarray:
    """A number for each place, in the order of places."""
    ids = np.zeros(len(starts[0]), np.int64)
    room = 1
    for start in starts:
        low, extent = int(start.min()), int(start.max() - start.min()) + 1
        room *= extent
        if room >= 1 << 62:
            return np.unique(np.stack(starts, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
        ids = ids * extent + (start - low)
    return ids


def _point(coordinates: list[np.ndarray], at: int) -> tuple[int, ...]:
    return tuple(int(axis[at]) for axis in coordinates)


# ── What is refused ────────────────────────────────────────────────────────────────────────


def _refuse(interpret: Any) -> None:
    if getattr(interpret, "skip_floating_point_ops", False):
        raise Unsupported("InterpretParams(skip_floating_point_ops=True) is not supported")
    if getattr(interpret, "grid_point_recorder", None) is not None:
        raise Unsupported("InterpretParams(grid_point_recorder=…) is not supported")


def _check_parallel(params: dict[str, Any]) -> None:
    semantics = _versions.dimension_semantics(params)
    if semantics is None:
        return
    grid = params["grid_mapping"].grid
    parallel = [one == "parallel" for one in semantics]
    if parallel != sorted(parallel, reverse=True):
        raise ValueError("Dimensions with parallel semantics must form a prefix of the grid.")
    skipped = len(grid) - len(parallel)
    for is_parallel, size in zip(parallel, grid[skipped:], strict=False):
        if is_parallel and not isinstance(size, int):
            import jax

            raise jax.errors.ConcretizationTypeError(
                jax.numpy.int32(0), "The size of a parallel grid dimension has to be known."
            )


# ── The body ───────────────────────────────────────────────────────────────────────────────


def _check_body(
    params: dict[str, Any], interpret: Any, *, raises: bool
) -> tuple[dict[str | None, set[str]], bool]:
    """Where some index is not known to be in bounds, and what it is for; whether some access reaches into padding.
    Raises where an index is known not to be in bounds."""
    watched: dict[str | None, set[str]] = {}
    overhang: list[Any] = []
    padded = getattr(interpret, "buffer_bounds", "logical") == "padded"
    mapping = params["grid_mapping"]
    own = [d for d in range(len(mapping.grid)) if d not in mapping.vmapped_dims]
    # A computed extent is unknown, and so are its coordinates: no index may depend on them.
    sizes = [mapping.grid[d] if isinstance(mapping.grid[d], int) else 1 << 31 for d in own]
    names = mapping.grid_names or ()
    grid = Grid(sizes, {name: size for name, size in zip(names, mapping.grid, strict=False)})

    around: str | None = None

    def visit(eqn: Any, env: Env) -> None:
        nonlocal around
        name = eqn.primitive.name
        if name == "run_scoped":
            around = location(eqn.source_info)
            if happens(env):
                scope = eqn.params["jaxpr"]
                certain.extend([*scope.constvars, *scope.invars][:1])
        if name in ("get", "swap", "addupdate"):
            ref, *rest = eqn.invars
            leaves = rest if name == "get" else rest[1:]
            _refuse_hbm(ref, f"{name}_p")
            kind = "read" if name == "get" else "write"
            check_view(ref, _unflatten(eqn.params["tree"], leaves), kind, eqn, env)
        elif name in ("masked_load", "masked_swap"):
            ref, transforms, *_ = _unflatten(eqn.params["args_tree"], eqn.invars)
            _refuse_hbm(ref, "load_p" if name == "masked_load" else "swap_p")
            if name == "masked_swap":
                check_view(ref, transforms, "masked swap", eqn, env)
        elif name == "dma_start":
            parts = list(_unflatten(eqn.params["tree"], eqn.invars))
            pairs = (
                list(zip(parts[0:4:2], parts[1:4:2], strict=True))
                if len(parts) == 9
                else [(part, ()) for part in parts[:2]]
            )
            for (ref, transforms), kind in zip(pairs, ("read", "write"), strict=True):
                check_view(ref, transforms, kind, eqn, env)
        elif name == "run_scoped" and not getattr(
            interpret, "allow_hbm_allocation_in_run_scoped", False
        ):
            for variable in eqn.params["jaxpr"].invars:
                if space_of(variable.aval) in ("hbm", "any"):
                    raise ValueError("Cannot allocate HBM in `run_scoped`.")

    def check_view(ref: Any, transforms: Any, kind: str, eqn: Any, env: Env) -> None:
        inner, outer = _unwrap(ref)
        room = _room(inner.aval) if padded else inner.aval.shape
        # What a mask leaves out does not happen.
        raised = (raises or kind == "write") and kind != "masked swap" and happens(env)
        for transform in (*outer, *_flat(transforms)):
            if type(transform).__name__ != "NDIndexer":
                continue
            own = room if transform.shape == getattr(inner.aval, "shape", None) else transform.shape
            for index, extent, end in zip(transform.indices, transform.shape, own, strict=True):
                if _fault(index, int(extent), env) is None:
                    continue
                found = _fault(index, int(end), env)
                if found is None:
                    overhang.append(eqn)
                if found is None or (padded and not found and not raises and kind != "write"):
                    # Reads and masked stores in the padding do the same as those beyond.
                    continue
                place = location(eqn.source_info) or around
                if found and raised:
                    raise OutOfBounds(f"Out-of-bounds {kind}: {found}\n  at {place}")
                watched.setdefault(place, set()).add(kind)

    def happens(env: Env) -> bool:
        """Whether an equation happens for sure: what stands under a condition may not."""
        return any(variable in env for variable in certain)

    body = params["jaxpr"]
    inputs = _versions.closed(body)[0].invars
    certain = [*inputs[:1]]
    refs: list[Interval | None] = [None] * len(inputs)
    intervals(body, refs, grid, visit)
    if overhang and watched:
        raise Unsupported(
            'InterpretParams(buffer_bounds="padded") is not supported where some accesses reach into the padding '
            "and others at computed indices might reach beyond",
            source=location(overhang[0].source_info),
        )
    return watched, bool(overhang)


def _fault(index: Any, extent: int, env: Env) -> str | None:
    """None for an index that is known to be in bounds, what is wrong with one that is known not to be, else nothing."""
    if type(index).__name__ == "Slice":
        start, size = index.start, index.size
        if not isinstance(size, int):
            return ""
        reach = (size - 1) * int(index.stride) + 1 if size else 0
    else:
        start, reach = index, 1
    known = interval_of(start, env)
    if known is not None and known[0] >= 0 and known[1] + reach <= extent:
        return None
    if known is not None and (known[0] + reach > extent or known[1] < 0):
        return f"index {known[0]} of a window of {reach} in a dimension of {extent}"
    return ""


def _room(aval: Any) -> tuple[int, ...]:
    """The shape of the memory that an array is kept in."""
    space = space_of(aval)
    if space == "smem" or "sem" in space:
        return tuple(aval.shape)
    return _versions.padded_shape(aval.shape, aval.dtype)


def _refuse_hbm(ref: Any, primitive: str) -> None:
    inner, _ = _unwrap(ref)
    if space_of(getattr(inner, "aval", None)) in ("hbm", "any"):
        raise ValueError(
            f"{primitive}: Buffers with a memory space of HBM or ANY cannot be referenced directly. "
            "Instead, use `pltpu.sync_copy` or `pltpu.async_copy`."
        )
