"""A program while it is written: tables that are shared (avals, operations, constants, jaxprs), and the walk.

Equations are written in columns: what an equation does is a number in the table of operations, and what it takes and
gives are numbers in two long rows. A kernel of thousands of equations does a few dozen different things, so nearly all
of the walk is done by `map` and `chain`, a column at a time, without a line of Python for each equation.

Rows stay numbers until somebody wants the file: of a program whose plan is kept, only the key is needed (`digest`).
Jaxprs are shared by identity first and by what they say second.
"""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Sequence
from itertools import chain, count
from operator import attrgetter
from typing import Any

import jax
import numpy as np
from jax._src import core, dtypes

from gridfuse import _params, _versions, _wire
from gridfuse._lines import location
from gridfuse._scope import Scope
from gridfuse.errors import Unsupported

_EXPORTER = "0.2.0"
_primitive_of = attrgetter("primitive")
_operands_of = attrgetter("invars")
_results_of = attrgetter("outvars")
_aval_of = attrgetter("aval")


@dataclasses.dataclass(frozen=True, slots=True)
class _Columns:
    """Equations as rows of numbers, between the text before and after them.

    Of what type results are follows from what equations do: the key does without, and touches no variable.
    """

    before: str
    rows: Sequence[tuple[str, list[Any]]]
    eqns: Sequence[Any]
    results: list[Any]
    after: str

    def key(self) -> bytes:
        rows = [array("i", row).tobytes() for _, row in self.rows]
        head = f"{[len(row) for row in rows]}{self.before}\0{self.after}\0"
        return b"".join([head.encode(), *rows])

    def text(self, exporter: Exporter) -> str:
        rows = [*self.rows, ("o", exporter.results(self.eqns, self.results))]
        written = [f'"{name}":{row}' for name, row in rows]
        return "".join([self.before, ",".join(written), self.after])


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
        # Where the equation stands whose body is being written.
        self._around = "unknown:0:?"
        self._avals: list[str] = []
        self._aval_of_id: dict[int, int] = {id(None): -1}
        self._aval_of_text: dict[str, int] = {}
        self._aval_of_key: dict[Any, int] = {}
        self._ops: list[str] = []
        # For primitives: the one operation of its equations, or which of them are alike.
        self._op_of: dict[Any, int] = {}
        self._like: dict[Any, tuple[_params.Key | None, dict[Any, int], _params.Rule]] = {}
        self._op_of_text: dict[str, int] = {}
        self._jaxprs: list[_Columns | str] = []
        self._jaxpr_of_id: dict[Any, int] = {}
        self._jaxpr_of_key: dict[bytes, int] = {}
        self._constants: list[bytes] = []
        self._constant_entries: list[str] = []
        self._constant_of_id: dict[int, int] = {}
        self._constant_end = 0
        self._locs: dict[str, int] = {}
        self._atoms: dict[str, int] = {}
        # Of whole numbers, without the text in between.
        self._numbers: dict[Any, int] = {}
        self.literals: dict[Any, str] = {}
        # Ids stay unique only while what they belong to lives.
        self._alive: list[Any] = []

    # ── Tables ─────────────────────────────────────────────────────────────────────────────

    def aval(self, aval: Any) -> int:
        """Index of an aval."""
        known = self._aval_of_id.get(id(aval))
        if known is None:
            plain = type(aval) is core.ShapedArray
            key = (aval.shape, aval.dtype, aval.weak_type) if plain else None
            known = self._aval_of_key.get(key) if plain else None
            if known is None:
                described = self._describe(aval)
                known = self._aval_of_text.setdefault(described, len(self._avals))
                if known == len(self._avals):
                    self._avals.append(described)
                if plain:
                    self._aval_of_key[key] = known
            self._aval_of_id[id(aval)] = known
            self._alive.append(aval)
        return known

    def _describe(self, aval: Any) -> str:
        inner = getattr(aval, "inner_aval", None)
        if inner is not None:
            if not hasattr(inner, "shape"):
                raise Unsupported(f"a reference to {inner} is not supported")
            space = _memory_space(aval.memory_space, inner)
            # A key is one word of 64 bits.
            name = "u64" if _impl_of(inner.dtype) is not None else _wire.dtype_name(inner.dtype)
            return f'{{"k":"ref","s":{_wire.ints(inner.shape)},"d":"{name}","m":{space}}}'
        if not hasattr(aval, "shape"):
            if isinstance(aval, core.AbstractToken):
                return '{"k":"token"}'
            raise Unsupported(f"values of type {aval} are not supported")
        impl = _impl_of(aval.dtype)
        if impl is not None:
            return f'{{"k":"key","s":{_wire.ints(aval.shape)},"impl":"{impl}"}}'
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
        known = self._jaxpr_of_id.get(id(jaxpr))
        if known is None:
            body, consts = _versions.closed(jaxpr)
            key = (id(body), *map(id, consts))
            known = self._jaxpr_of_id.get(key)
            if known is None:
                known = self.add(self._write(body, consts))
            self._jaxpr_of_id[key] = self._jaxpr_of_id[id(jaxpr)] = known
            self._alive.append((jaxpr, body, consts))
        return known

    def add(self, written: _Columns | str) -> int:
        """Index of a jaxpr; the same for those that say the same."""
        key = written.encode() if isinstance(written, str) else written.key()
        index = self._jaxpr_of_key.setdefault(key, len(self._jaxprs))
        if index == len(self._jaxprs):
            self._jaxprs.append(written)
        return index

    def _write(self, body: Any, consts: Sequence[Any]) -> _Columns:
        given = [*body.constvars, *body.invars]
        env = dict(zip(map(id, given), count(), strict=False))
        bindings = [f"[{i},{self.constant(value)}]" for i, value in enumerate(consts)]
        inputs = [f"[{i},{self.aval(given[i].aval)}]" for i in range(len(bindings), len(given))]
        fields = [f'"in":[{",".join(inputs)}]']
        if bindings:
            fields.append(f'"consts":[{",".join(bindings)}]')
        name = getattr(getattr(body, "debug_info", None), "func_name", None)
        if self._locations and isinstance(name, str):
            fields.append(f'"name":{_wire.text(name)}')
        rows, results = self._columns(body.eqns, env)
        scope = Scope(self, env)
        out = ",".join([scope.atom(atom) for atom in body.outvars])
        before = "{" + ",".join(fields) + ","
        return _Columns(before, rows, body.eqns, results, f',"out":[{out}]}}')

    def _columns(
        self, eqns: Sequence[Any], env: dict[int, int]
    ) -> tuple[list[tuple[str, list[Any]]], list[Any]]:
        """Equations as rows of numbers; their results are numbered on from the inputs."""
        self.equations += len(eqns)
        taken = list(map(_operands_of, eqns))
        given = list(map(_results_of, eqns))
        results = list(chain.from_iterable(given))
        env.update(zip(map(id, results), count(len(env)), strict=False))
        ops = self._operations(eqns, env, taken)
        rows = [("ops", ops), ("ni", list(map(len, taken)))]
        try:
            rows.append(("i", self._operands(list(chain.from_iterable(taken)), env)))
        except Unsupported as error:
            raise _found(error, eqns, lambda eqn: self._operands(eqn.invars, env)) from None
        if set(map(len, given)) != {1}:
            rows.append(("no", list(map(len, given))))
        if self._locations:
            rows.append(("locs", [self._location(eqn) for eqn in eqns]))
        return rows, results

    def _operands(self, atoms: list[Any], env: dict[int, int]) -> list[Any]:
        """Variables by their numbers, everything else by -1 - its place in the table of atoms."""
        numbers: list[Any] = list(map(env.get, map(id, atoms)))
        if None in numbers:
            scope, known = Scope(self, env), self._numbers
            for i, number in enumerate(numbers):
                if number is not None:
                    continue
                key = _literal_key(atoms[i])
                number = known.get(key)
                if number is None:
                    number = -1 - self._atoms.setdefault(scope.atom(atoms[i]), len(self._atoms))
                    if key is not None:
                        known[key] = number
                        self._alive.append(atoms[i].aval)
                numbers[i] = number
        return numbers

    def results(self, eqns: Sequence[Any], variables: list[Any]) -> list[Any]:
        """The avals of all results of equations."""
        try:
            return self._results(variables)
        except Unsupported as error:
            raise _found(error, eqns, lambda eqn: self._results(eqn.outvars)) from None

    def _results(self, variables: list[Any]) -> list[Any]:
        """Their avals; -1 for what nobody reads."""
        avals = list(map(_aval_of, variables))
        if core.DropVar in set(map(type, variables)):
            avals = [None if type(v) is core.DropVar else v.aval for v in variables]
        ids = list(map(id, avals))
        numbers: list[Any] = list(map(self._aval_of_id.get, ids))
        if None in numbers:
            for aval in dict(zip(ids, avals, strict=True)).values():
                self.aval(aval)
            numbers = list(map(self._aval_of_id.get, ids))
        return numbers

    def _operations(
        self, eqns: Sequence[Any], env: dict[int, int], taken: list[Sequence[Any]]
    ) -> list[Any]:
        """What each equation does; those that say themselves what they take are struck from `taken`."""
        primitives = list(map(_primitive_of, eqns))
        for primitive in dict.fromkeys(primitives):
            if primitive not in self._like:
                rule = _params.rules.get(primitive) or _params.rule_of(primitive)
                self._like[primitive] = rule.key, {}, rule
                if rule.text is not None:
                    self._op_of[primitive] = self._add_op(rule.text)
        ops: list[Any] = list(map(self._op_of.get, primitives))
        if None not in ops:
            return ops
        scope, like = Scope(self, env), self._like
        for i, op in enumerate(ops):
            if op is None:
                key_of, alike, rule = like[primitives[i]]
                if key_of is not None:
                    try:
                        op = alike.get(key_of(eqns[i].params))
                    except TypeError:
                        # Parameters that cannot be compared.
                        key_of = None
                if op is None:
                    op, own = self._op(scope, eqns[i], rule)
                    if own:
                        taken[i] = ()
                    elif key_of is not None:
                        alike[key_of(eqns[i].params)] = op
                        self._alive.append(eqns[i])
                ops[i] = op
        return ops

    def _op(self, scope: Scope, eqn: Any, rule: _params.Rule) -> tuple[int, bool]:
        """Index of what an equation does, and whether that says what it takes."""
        around = self._around
        if self._locations:
            self._around = location(eqn.source_info) or around
        try:
            inputs, params = rule.write(scope, eqn)
        except Unsupported as error:
            raise _placed(error, eqn) from None
        finally:
            self._around = around
        operands = "" if inputs is None else f',"i":[{inputs}]'
        return self._add_op(f"{rule.head}{operands}{params}}}"), inputs is not None

    def _add_op(self, written: str) -> int:
        index = self._op_of_text.setdefault(written, len(self._ops))
        if index == len(self._ops):
            self._ops.append(written)
        return index

    def _location(self, eqn: Any) -> int:
        place = location(eqn.source_info) or self._around
        return self._locs.setdefault(place, len(self._locs))

    # ── The file ───────────────────────────────────────────────────────────────────────────

    def digest(self, main: int, name: str, *more: str) -> str:
        """A digest of all that the results of function `main` depend on, and of `more`."""
        parts = [*more, name, *self._header(main)]
        for table in (self._avals, self._ops, list(self._atoms), self._constant_entries):
            parts += [str(len(table)), *table]
        digest = hashlib.sha256("\0".join(parts).encode())
        for key in self._jaxpr_of_key:
            digest.update(b"%d\0" % len(key))
            digest.update(key)
        for constant in self._constants:
            digest.update(constant)
        return digest.hexdigest()

    def _header(self, main: int) -> list[str]:
        return [
            f'"format":"{_wire.FORMAT}","jax":"{jax.__version__}","exporter":"{_EXPORTER}"',
            f'"x64":{"true" if _versions.has_64_bits() else "false"},"main":{main}',
        ]

    def finish(
        self,
        main: int,
        *,
        name: str | None = None,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> bytes:
        """The bytes of the program whose function is jaxpr `main`."""
        fields = self._header(main)
        if name is not None:
            fields.append(f'"name":{_wire.text(name)}')
        for key, names in (("inputs", inputs), ("outputs", outputs)):
            if names is not None:
                fields.append(f'"{key}":{_wire.text(list(names))}')
        jaxprs = [one if isinstance(one, str) else one.text(self) for one in self._jaxprs]
        tables = {
            "avals": self._avals,
            "ops": self._ops,
            "atoms": self._atoms,
            "jaxprs": jaxprs,
            "consts": self._constant_entries,
        }
        fields += [f'"{key}":[{",".join(entries)}]' for key, entries in tables.items()]
        if self._locs:
            fields.append(f'"locs":{_wire.text(list(self._locs))}')
        return _wire.container("{" + ",".join(fields) + "}", self._constants)


def _literal_key(atom: Any) -> Any:
    """What whole numbers that are written alike have in common; None for other atoms."""
    if type(atom) is not _versions.Literal:
        return None
    value = atom.val
    if getattr(value, "ndim", 1) == 0:
        value = value.item()
    # Zeros of floats differ in sign, and True is 1.
    return (value, id(atom.aval)) if type(value) is int else None


def _found(error: Unsupported, eqns: Sequence[Any], write: Callable[[Any], Any]) -> Unsupported:
    """The equation that has an operand or a result which cannot be written."""
    for eqn in eqns:
        try:
            write(eqn)
        except Unsupported as again:
            return _placed(again, eqn)
    return error


def _placed(error: Unsupported, eqn: Any) -> Unsupported:
    """The same with the equation to blame, where it does not say that already."""
    if error.source is not None:
        return error
    name = error.primitive or f"{_versions.namespace(eqn.primitive)}:{eqn.primitive.name}"
    return Unsupported(f"{name}: {error}", primitive=name, source=location(eqn.source_info))


# The second is the generator of a TPU, whose numbers are different ones elsewhere.
_KEYS = frozenset(["threefry2x32", "_pallas_internal_stateful"])


def _impl_of(dtype: Any) -> str | None:
    """Of keys of random numbers, which numbers they give; None for other dtypes."""
    impl = getattr(dtype, "_impl", None) if isinstance(dtype, dtypes.ExtendedDType) else None
    if impl is None:
        return None
    if impl.name not in _KEYS:
        raise Unsupported(f"keys of {impl.name} are not supported", primitive=f"dtype:{dtype}")
    return str(impl.name)


def _memory_space(space: Any, inner: Any) -> str:
    if "sem" in str(getattr(inner.dtype, "name", "")):
        return '"sem"'
    name = str(getattr(space, "value", space)).rpartition(".")[2]
    known = {"vmem", "smem", "hbm", "any", "cmem", "vmem_shared", "host"}
    if name in known:
        return f'"{name}"'
    return '"sem"' if name == "semaphore_mem" else "null"
