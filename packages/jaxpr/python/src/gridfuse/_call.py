"""One `pallas_call` on its way to the engine: a primitive whose lowering calls back into Python.

JAX's own `pure_callback` puts its operands on a device first and takes them off again; the callback here is
given NumPy's view of XLA's buffers, and XLA copies the results out of the memory that the engine wrote.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax._src import core
from jax._src.callback import emit_python_callback
from jax._src.interpreters import mlir

from gridfuse import _calls, _client, _habits
from gridfuse._held import in_memory, is_held_otherwise, memory_dtype, out_of_memory
from gridfuse._interpret_params import OutOfBounds, TpuMode
from gridfuse._pallas_params import call_fields, kernel_name
from gridfuse._scope import Scope
from gridfuse._writer import Exporter
from gridfuse.errors import GridfuseError, Unsupported


class _Written:
    """A program that is known by its key; its bytes are made where the engine does not have it."""

    def __init__(self, exporter: Exporter, main: int, name: str, mode: _client.Mode) -> None:
        self.key = exporter.digest(main, name, *mode)
        self._exporter, self._main, self._name = exporter, main, name

    def data(self) -> bytes:
        return self._exporter.finish(self._main, name=self._name)


class KernelCall:
    """A kernel with the shapes of its operands, exported once and loaded for each size of its grid."""

    def __init__(self, params: dict[str, Any], avals: Sequence[Any]) -> None:
        self.params = params
        self.avals = list(avals)
        self.out_avals = tuple(_anywhere(aval) for aval in params["out_avals"])
        self.mode = _client.Mode()
        self.tpu: TpuMode | None = None
        # Of JAX, where it may take over.
        self.original: Callable[..., Any] | None = None
        self._lines: list[str] = []
        mapping = params["grid_mapping"]
        self.name = kernel_name(params)
        self.dynamic = sum(not isinstance(size, int) for size in mapping.grid)
        self.grid_points = None if self.dynamic else int(np.prod(mapping.grid, dtype=np.int64))
        self.record = _calls.CallRecord(self.name, "ran", grid_points=self.grid_points)
        self._results = [(memory_dtype(aval.dtype), aval.shape) for aval in self.out_avals]
        # Where the engine holds arrays otherwise than JAX.
        self._converts_inputs = any(map(is_held_otherwise, avals[self.dynamic :]))
        self._converts_results = any(map(is_held_otherwise, self.out_avals))
        self._exported: dict[tuple[int, ...], _Written] = {}
        self._coming: dict[tuple[int, ...], _client.Coming] = {}
        self._programs: dict[tuple[int, ...], _client.Program] = {}
        self.prints = any("debug" in str(effect).lower() for effect in params["jaxpr"].effects)

    # ── Making it ──────────────────────────────────────────────────────────────────────────

    def export(self, sizes: Sequence[int], *, locations: bool = False) -> _Written:
        """The program of this call alone; computed sizes of the grid are written into it."""
        with _no_collection():
            exporter = Exporter(locations=locations, marks_prints=True)
            scope = Scope(exporter, {})
            given = self.avals[self.dynamic :]
            inputs = [f"[{i},{exporter.aval(aval)}]" for i, aval in enumerate(given)]
            operands = [
                *[scope.atom(int(size)) for size in sizes],
                *[str(i) for i in range(len(given))],
            ]
            outputs = [
                f"[{len(given) + i},{exporter.aval(aval)}]" for i, aval in enumerate(self.out_avals)
            ]
            fields = call_fields(exporter, self.params, len(self.avals), self._order())
            results = ",".join([str(len(given) + i) for i in range(len(outputs))])
            main = exporter.add(
                f'{{"in":[{",".join(inputs)}],"out":[{results}],"eqns":[{{"p":"pallas_call","m":"pl",'
                f'"i":[{",".join(operands)}],"o":[{",".join(outputs)}],"x":{{{fields}}}}}]}}'
            )
            return _Written(exporter, main, self.name, self.mode)

    def _order(self) -> Sequence[int] | None:
        """In which the cores of a mesh run, where there are several."""
        if self.tpu is None or not self.tpu.cores.is_mesh or self.tpu.cores.count < 2:
            return None
        return self.tpu.verdict.order

    def prepare(self, sizes: Sequence[int] = ()) -> None:
        """Sees to it that the engine has the program. A plan that is kept it reads while JAX goes on.

        Raises:
          Unsupported: with the line of the kernel's source that is to blame.
        """
        started = time.perf_counter()
        sizes = tuple(sizes)
        key = self._written(sizes).key
        if _client.is_kept(key):
            with _client.session() as session:
                self._coming[sizes] = session.find_ahead(key)
        else:
            self._load(sizes)
        self.record.compile_ms += (time.perf_counter() - started) * 1e3

    def _program(self, sizes: tuple[int, ...], session: _client.Session) -> _client.Program:
        """The program in the running engine, found or compiled."""
        known = self._programs.get(sizes)
        if known is not None and known.session is session:
            return known
        started = time.perf_counter()
        coming = self._coming.pop(sizes, None)
        program = coming.result() if coming is not None and coming.session is session else None
        program = self._keep(sizes, program) if program is not None else self._load(sizes)
        # It is also part of the first run's time, which begins before.
        self.record.run_ms -= (time.perf_counter() - started) * 1e3
        self.record.compile_ms += (time.perf_counter() - started) * 1e3
        return program

    def _load(self, sizes: tuple[int, ...]) -> _client.Program:
        written = self._written(sizes)
        with _client.session() as session:
            program = session.find(written.key)
            if program is None:
                try:
                    program = session.load(written.key, written.data(), self.mode)
                except GridfuseError as error:
                    raise self._located(session, error, sizes) from None
        return self._keep(sizes, program)

    def _keep(self, sizes: tuple[int, ...], program: _client.Program) -> _client.Program:
        self._programs[sizes] = program
        self.record.origin = program.origin
        if program.origin == "program":
            _habits.note_compiled()
        self.record.parts.update(program.ms)
        return program

    def _written(self, sizes: tuple[int, ...]) -> _Written:
        """The program, written once."""
        known = self._exported.get(sizes)
        if known is None:
            started = time.perf_counter()
            known = self.export(sizes, locations=self.mode.bounds == "report")
            self._exported[sizes] = known
            self.record.parts["export"] = (time.perf_counter() - started) * 1e3
            dump = os.environ.get("GRIDFUSE_DUMP")
            if dump:
                Path(dump, f"{self.name}-{known.key[:12]}.gfjx").write_bytes(known.data())
        return known

    def _located(
        self, session: _client.Session, error: GridfuseError, sizes: Sequence[int]
    ) -> GridfuseError:
        """The same error from the same program with its source lines: only errors pay for finding them."""
        if session.dead:
            return error
        try:
            written = self.export(sizes, locations=True)
            session.load(written.key, written.data(), self.mode)
        except GridfuseError as located:
            return located
        return error

    # ── Running it ─────────────────────────────────────────────────────────────────────────

    def __call__(self, *operands: np.ndarray) -> list[np.ndarray]:
        """What XLA calls."""
        started = time.perf_counter()
        sizes = tuple([int(np.reshape(size, ())) for size in operands[: self.dynamic]])
        inputs = [np.asarray(operand) for operand in operands[self.dynamic :]]
        if 0 in sizes or self.grid_points == 0:
            return self._nothing(inputs)
        if self._converts_inputs:
            inputs = [in_memory(array) for array in inputs]
        if self.tpu is not None and self.tpu.needs_operands:
            self._check_call(sizes, inputs)
        with _client.session() as session:
            program = self._program(sizes, session)
            results = session.run(program, inputs, self._results_of(program))
            if self.prints and session.printed:
                lines, session.printed = session.printed, []
                for line in lines:
                    print(_formatted(line))
        _calls.ran(self.record, (time.perf_counter() - started) * 1e3)
        if self.tpu is not None:
            self.tpu.report()
        if self.mode.bounds == "report":
            self._raise_outside(results.pop(), sizes)
        if not self._converts_results:
            return results
        return [
            out_of_memory(result, aval.dtype)
            for result, aval in zip(results, self.out_avals, strict=True)
        ]

    def _check_call(self, sizes: Sequence[int], inputs: Sequence[np.ndarray]) -> None:
        mapping = self.params["grid_mapping"]
        computed = iter(sizes)
        grid = [size if isinstance(size, int) else next(computed) for size in mapping.grid]
        assert self.tpu is not None
        self.tpu.check_call(grid, inputs)

    def _results_of(self, program: _client.Program) -> list[tuple[np.dtype, tuple[int, ...]]]:
        if self.mode.bounds != "report":
            return self._results
        return [*self._results, (np.dtype(np.int32), (program.outputs[-1] // 4,))]

    def _raise_outside(self, faults: np.ndarray, sizes: Sequence[int]) -> None:
        """Raises OutOfBounds with the line of the first access that was, in the order of the grid."""
        at = np.flatnonzero(faults > 0)
        if len(at) == 0:
            return
        lines = self._locations(sizes)
        index = int(faults[at[0]]) - 1
        place = lines[index] if index < len(lines) else "unknown"
        kinds = self.tpu.watched.get(place, ()) if self.tpu is not None else ()
        what = " or ".join(sorted(kinds)) or "read or write"
        raise OutOfBounds(f"Out-of-bounds {what} at a computed index\n  at {place}")

    def _locations(self, sizes: Sequence[int]) -> list[str]:
        """The source lines of the program, in the order that its equations count them."""
        data = self.export(sizes, locations=True).data()
        (length,) = struct.unpack_from("<I", data, 4)
        lines: list[str] = json.loads(data[8 : 8 + length]).get("locs", [])
        return lines

    def _nothing(self, given: Sequence[np.ndarray]) -> list[np.ndarray]:
        """A grid without steps: outputs are what they alias, or what nobody wrote."""
        aliases = {out: at for at, out in self.params["input_output_aliases"]}
        return [
            given[aliases[i]]
            if i in aliases
            else np.full(aval.shape, unwritten(aval.dtype, self.mode.fill), aval.dtype)
            for i, aval in enumerate(self.out_avals)
        ]


def _anywhere(aval: Any) -> core.ShapedArray:
    """An array wherever it lies: memory spaces are a matter of TPUs."""
    return core.ShapedArray(aval.shape, aval.dtype, weak_type=getattr(aval, "weak_type", False))


_MARKED = re.compile("\x01([^!]*)!([^:]*):([^\x02]*)\x02([^\x03]*)\x03")


def _formatted(line: str) -> str:
    """A line that the engine printed, with its values as NumPy prints them."""

    def value(match: re.Match[str]) -> str:
        name, conversion, spec, written = match.groups()
        numbers = json.loads(written, parse_int=float if "float" in name else int)
        array = np.asarray(numbers, jnp.dtype(name))
        shown: Any = repr(array) if conversion == "r" else str(array) if conversion else array
        return format(shown, spec)

    return _MARKED.sub(value, line)


def unwritten(dtype: Any, fill: str) -> Any:
    """What JAX's interpreters say that memory holds before somebody writes it."""
    dtype = np.dtype(dtype)
    # JAX's plain interpreter keeps semaphores in int16 cells: all of that dtype starts at 0.
    if fill == "zero" or (fill == "hlo" and dtype == np.int16):
        return np.zeros((), dtype)
    if dtype == np.bool_:
        return fill == "tpu"
    if jnp.issubdtype(dtype, jnp.integer):
        info: Any = jnp.iinfo(dtype)  # type: ignore[no-untyped-call]
        return info.max if fill == "tpu" else info.min
    return np.nan


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Writing a program makes many small strings and no garbage: looking for some would take as long again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# ── The primitive ──────────────────────────────────────────────────────────────────────────

kernel_call_p = core.Primitive("gridfuse_call")
kernel_call_p.multiple_results = True


@kernel_call_p.def_abstract_eval  # type: ignore[untyped-decorator]
def _abstract(*_: Any, call: KernelCall) -> Sequence[Any]:
    return call.out_avals


_EXPORTED = (
    "jax.export writes what runs without Python, and {} runs in gridfuse's process: write the function with "
    'gridfuse.export, or let JAX have its kernels with gridfuse.pallas.disable() or enable(fallback="jax")'
)


def _lowering(ctx: Any, *operands: Any, call: KernelCall) -> Any:
    if ctx.module_context.lowering_parameters.for_export:
        return _lowering_for_export(ctx, operands, call)
    # Keys of random numbers come as their words.
    given = [_anywhere(core.physical_aval(aval)) for aval in ctx.avals_in]
    results, _, _ = emit_python_callback(
        ctx.replace(avals_in=given),
        call,
        None,
        list(operands),
        given,
        ctx.avals_out,
        has_side_effect=call.prints or (call.tpu is not None and call.tpu.is_heard),
    )
    return results


def _lowering_for_export(ctx: Any, operands: Sequence[Any], call: KernelCall) -> Any:
    """JAX's own, where it may run what gridfuse cannot."""
    reason = _EXPORTED.format(call.name)
    if call.original is None:
        _calls.recount(call.record, "refused", reason)
        raise Unsupported(reason, primitive="jax.export")
    _calls.recount(call.record, "fellback", reason)
    return mlir.lower_fun(call.original, multiple_results=True)(ctx, *operands)


mlir.register_lowering(kernel_call_p, _lowering)


def bind(call: KernelCall, operands: Sequence[Any]) -> list[Any]:
    results: list[Any] = kernel_call_p.bind(*operands, call=call)  # type: ignore[no-untyped-call]
    return results


__all__ = ["KernelCall", "bind"]
