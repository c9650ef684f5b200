"""From a traced function to bytes: every jaxpr once, every equation as a line of JSON.

What a primitive's parameters become stands in `_params.py`; here are the walk, the variables, and the tables that
are shared (avals, jaxprs, constants). Jaxprs are shared by identity first and by their text second. Source locations
are resolved only on demand: finding the user's frame costs more than everything else about an equation.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax._src import core, dtypes, source_info_util

from gridfuse import _params, _versions, _wire
from gridfuse.errors import Unsupported

_EXPORTER = "0.1.0"
_Literal = _versions.Literal


class Exporter:
    """One program while it is written.

    Args:
      locations: whether each equation says where it stands in the user's source.
      marks_prints: whether prints say how Python formats each value.
    """

    def __init__(self, *, locations: bool = False, marks_prints: bool = False) -> None:
        self.equations = 0
        self.marks_prints = marks_prints
        self._locations = locations
        self._avals: list[str] = []
        self._aval_of_id: dict[int, str] = {}
        self._aval_of_text: dict[str, str] = {}
        self._jaxprs: list[str] = []
        self._jaxpr_of_id: dict[Any, int] = {}
        self._jaxpr_of_text: dict[str, int] = {}
        self._constants: list[bytes] = []
        self._constant_entries: list[str] = []
        self._constant_of_id: dict[int, int] = {}
        self._constant_end = 0
        self._locs: dict[str, int] = {}
        self._literals: dict[Any, str] = {}
        # Ids stay unique only while what they belong to lives.
        self._alive: list[Any] = []

    # ── Tables ─────────────────────────────────────────────────────────────────────────────

    def aval(self, aval: Any) -> str:
        """Index of an aval, as text."""
        known = self._aval_of_id.get(id(aval))
        if known is None:
            described = self._describe(aval)
            known = self._aval_of_text.get(described)
            if known is None:
                known = str(len(self._avals))
                self._avals.append(described)
                self._aval_of_text[described] = known
            self._aval_of_id[id(aval)] = known
            self._alive.append(aval)
        return known

    def _describe(self, aval: Any) -> str:
        inner = getattr(aval, "inner_aval", None)
        if inner is not None:
            if not hasattr(inner, "shape"):
                raise Unsupported(f"a reference to {inner} is not supported")
            space = _memory_space(aval.memory_space, inner)
            name = _wire.dtype_name(inner.dtype)
            return f'{{"k":"ref","s":{_wire.ints(inner.shape)},"d":"{name}","m":{space}}}'
        if not hasattr(aval, "shape"):
            if isinstance(aval, core.AbstractToken):
                return '{"k":"token"}'
            raise Unsupported(f"values of type {aval} are not supported")
        if isinstance(aval.dtype, dtypes.ExtendedDType) and hasattr(aval.dtype, "_impl"):
            name = aval.dtype._impl.name
            return f'{{"k":"key","s":{_wire.ints(aval.shape)},"impl":"{name}"}}'
        weak = ',"w":1' if getattr(aval, "weak_type", False) else ""
        return f'{{"s":{_wire.ints(aval.shape)},"d":"{_wire.dtype_name(aval.dtype)}"{weak}}}'

    def constant(self, value: Any) -> int:
        """Index of an array that belongs to the program."""
        known = self._constant_of_id.get(id(value))
        if known is not None:
            return known
        self._alive.append(value)
        if hasattr(value, "dtype") and isinstance(value.dtype, dtypes.ExtendedDType):
            array = np.asarray(jax.random.key_data(value))
        else:
            array = np.asarray(value)
            if array.dtype == np.float64 and not _versions.has_64_bits():
                array = array.astype(np.float32)
            elif array.dtype == np.int64 and not _versions.has_64_bits():
                array = array.astype(np.int32)
        data = _wire.constant_bytes(array)
        index = len(self._constants)
        self._constants.append(data)
        self._constant_entries.append(
            f'{{"dtype":"{_wire.dtype_name(array.dtype)}","shape":{_wire.ints(array.shape)},'
            f'"offset":{self._constant_end},"bytes":{len(data)}}}'
        )
        self._constant_end += _wire.aligned(len(data))
        self._constant_of_id[id(value)] = index
        return index

    # ── Jaxprs ─────────────────────────────────────────────────────────────────────────────

    def jaxpr(self, jaxpr: Any) -> int:
        """Index of a jaxpr. Constants of a closed one are bound to it, variables for others' lead its inputs."""
        body, consts = _versions.closed(jaxpr)
        key = (id(body), *map(id, consts)) if consts else id(body)
        known = self._jaxpr_of_id.get(key)
        if known is None:
            self._alive.append(jaxpr)
            written = self._write(body, consts)
            known = self._jaxpr_of_text.get(written)
            if known is None:
                known = self.add(written)
            self._jaxpr_of_id[key] = known
        return known

    def add(self, written: str) -> int:
        index = len(self._jaxprs)
        self._jaxprs.append(written)
        self._jaxpr_of_text[written] = index
        return index

    def _write(self, body: Any, consts: Sequence[Any]) -> str:
        env: dict[Any, str] = {}
        bound = body.constvars[: len(consts)]
        bindings = []
        for variable, value in zip(bound, consts, strict=True):
            env[variable] = number = str(len(env))
            bindings.append(f"[{number},{self.constant(value)}]")
        inputs = []
        for variable in (*body.constvars[len(consts) :], *body.invars):
            env[variable] = number = str(len(env))
            inputs.append(f"[{number},{self.aval(variable.aval)}]")
        equations = self._equations(body.eqns, env)
        scope = Scope(self, env)
        outputs = [scope.atom(atom) for atom in body.outvars]
        name = getattr(getattr(body, "debug_info", None), "func_name", None)
        head = f'"name":{_wire.text(name)},' if self._locations and isinstance(name, str) else ""
        tail = f',"consts":[{",".join(bindings)}]' if bindings else ""
        return (
            f'{{{head}"in":[{",".join(inputs)}],"out":[{",".join(outputs)}],'
            f'"eqns":[{",".join(equations)}]{tail}}}'
        )

    def _equations(self, eqns: Sequence[Any], env: dict[Any, str]) -> list[str]:
        written = []
        scope = Scope(self, env)
        atom, aval_of, rules = scope.atom, self._aval_of_id, _params.rules
        self.equations += len(eqns)
        for eqn in eqns:
            primitive = eqn.primitive
            rule = rules.get(primitive)
            if rule is None:
                rule = _params.rule_of(primitive)
            try:
                inputs, params = rule.write(scope, eqn)
                if inputs is None:
                    inputs = ",".join(
                        [env[v] if type(v) is not _Literal else atom(v) for v in eqn.invars]
                    )
            except Unsupported as error:
                if error.source is not None:
                    raise
                name = error.primitive or f"{_versions.namespace(primitive)}:{primitive.name}"
                raise Unsupported(
                    f"{name}: {error}", primitive=name, source=location(eqn.source_info)
                ) from None
            outputs = []
            for variable in eqn.outvars:
                if type(variable).__name__ == "DropVar":
                    outputs.append("null")
                    continue
                env[variable] = number = str(len(env))
                described = aval_of.get(id(variable.aval)) or self.aval(variable.aval)
                outputs.append(f"[{number},{described}]")
            place = f',"loc":{self._location(eqn)}' if self._locations else ""
            written.append(f'{rule.head}"i":[{inputs}],"o":[{",".join(outputs)}]{params}{place}}}')
        return written

    def _location(self, eqn: Any) -> int:
        place = location(eqn.source_info) or "unknown:0:?"
        return self._locs.setdefault(place, len(self._locs))

    # ── The file ───────────────────────────────────────────────────────────────────────────

    def finish(
        self,
        main: int,
        *,
        name: str | None = None,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> bytes:
        """The bytes of the program whose function is jaxpr `main`."""
        fields = [
            f'"format":"{_wire.FORMAT}","jax":"{jax.__version__}","exporter":"{_EXPORTER}"',
            f'"x64":{"true" if _versions.has_64_bits() else "false"},"main":{main}',
        ]
        if name is not None:
            fields.append(f'"name":{_wire.text(name)}')
        for key, names in (("inputs", inputs), ("outputs", outputs)):
            if names is not None:
                fields.append(f'"{key}":{_wire.text(list(names))}')
        fields.append(f'"avals":[{",".join(self._avals)}]')
        fields.append(f'"jaxprs":[{",".join(self._jaxprs)}]')
        fields.append(f'"consts":[{",".join(self._constant_entries)}]')
        if self._locs:
            fields.append(f'"locs":{_wire.text(list(self._locs))}')
        return _wire.container("{" + ",".join(fields) + "}", self._constants)


class Scope:
    """What the parameters of an equation may refer to: the variables of its jaxpr, and the shared tables."""

    __slots__ = ("env", "exporter")

    def __init__(self, exporter: Exporter, env: dict[Any, str]) -> None:
        self.exporter = exporter
        self.env = env

    def atom(self, atom: Any) -> str:
        """A variable, or a literal: of an equation, or a bare Python number out of a tree's structure."""
        if type(atom) is not _Literal:
            known = self.env.get(atom) if isinstance(atom, core.Var) else None
            if known is not None:
                return known
            return self._bare(atom)
        value, aval = atom.val, _versions.shaped(atom.aval)
        if getattr(value, "ndim", 0) or aval.shape:
            return f'{{"litc":{self.exporter.constant(value)}}}'
        item = value.item() if hasattr(value, "item") else value
        # -0.0 and 0.0 are equal, and NaN is not equal to itself: floats are told apart by their spelling.
        key = (aval.dtype, repr(item) if type(item) is float else item, type(item))
        known = self.exporter._literals.get(key)
        if known is None:
            known = _wire.literal(item, aval.dtype)
            self.exporter._literals[key] = known
        return known

    def _bare(self, value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return _wire.literal(bool(value), np.dtype(bool))
        if isinstance(value, int | np.integer) and np.ndim(value) == 0:
            return _wire.literal(int(value), np.dtype(np.int32))
        if isinstance(value, float | np.floating):
            return _wire.literal(value, np.dtype(np.float32))
        if isinstance(value, np.ndarray | jax.Array):
            return f'{{"litc":{self.exporter.constant(value)}}}'
        raise Unsupported(f"{value!r} stands where a value is expected")

    def jaxpr(self, jaxpr: Any) -> int:
        return self.exporter.jaxpr(jaxpr)


def _memory_space(space: Any, inner: Any) -> str:
    if "sem" in str(getattr(inner.dtype, "name", "")):
        return '"sem"'
    name = str(getattr(space, "value", space)).rpartition(".")[2]
    known = {"vmem", "smem", "hbm", "any", "cmem", "vmem_shared", "host"}
    if name in known:
        return f'"{name}"'
    return '"sem"' if name == "semaphore_mem" else "null"


def location(source_info: Any) -> str | None:
    """`file:line:function` of the innermost frame that is the user's; else of the innermost outside of the core."""
    traceback = source_info.traceback
    frame = source_info_util.user_frame(_frame_argument(source_info))
    if frame is None and traceback is not None:
        frame = _library_frame(traceback)
    if frame is None:
        return None
    return f"{frame.file_name}:{frame.start_line}:{frame.function_name}"


_TAKES_TRACEBACK = (
    "traceback"
    in inspect.signature(
        getattr(source_info_util.user_frame, "__wrapped__", source_info_util.user_frame)
    ).parameters
)


def _frame_argument(source_info: Any) -> Any:
    return source_info.traceback if _TAKES_TRACEBACK else source_info


def _library_frame(traceback: Any) -> Any:
    """For kernels that JAX ships itself: the first frame below jax/experimental."""
    code, lasti = traceback.raw_frames()
    marker = os.sep + os.path.join("jax", "experimental", "pallas", "ops") + os.sep
    for i, one in enumerate(code):
        if marker in one.co_filename:
            return source_info_util.raw_frame_to_frame(one, lasti[i])
    return None


# ── The front door ─────────────────────────────────────────────────────────────────────────


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
