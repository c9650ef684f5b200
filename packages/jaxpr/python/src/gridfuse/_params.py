"""What becomes of each primitive's parameters.

A rule gives the text of the operands (None: the equation's own, in order) and of `x`. A primitive without a rule
keeps JAX's names and loses what only concerns compilers (`_NOISE`); an object that is no plain data is refused, so
that nothing is left out in silence.
"""

from __future__ import annotations

import enum
import string
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import jax
import numpy as np
from jax._src import core, tree_util

from gridfuse import _versions, _wire
from gridfuse._wire import dtype_name, ints, text
from gridfuse.errors import Unsupported

Written = tuple[str | None, str]
Params = dict[str, Any]

_NOISE = frozenset(
    [
        "sharding",
        "out_sharding",
        "accuracy",
        "name",
        "donated_invars",
        "keep_unused",
        "inline",
        "layouts",
        "compiler_options_kvs",
        "ctx_mesh",
        "in_shardings",
        "out_shardings",
        "in_layouts",
        "out_layouts",
        "resource_env",
        "unroll",
        "_split_transpose",
        "linear",
        "dimension_semantics",
        "cache_modifier",
        "eviction_policy",
        "is_volatile",
        "input_ranges",
        "indices_are_sorted",
        "unique_indices",
        "update_jaxpr",
        "update_consts",
        "algorithm",
    ]
)

# Host code cannot travel.
_CALLBACKS = frozenset(
    ["pure_callback", "io_callback", "debug_callback", "ffi_call", "tpu_custom_call"]
)
_SILENT = frozenset(["check", "trace_value"])
# Primitives with a jaxpr inside that is simply called, and the name of that parameter in each version.
_CALLS = ("call_jaxpr", "fun_jaxpr", "jaxpr", "call")
_CALLERS = frozenset(
    [
        "jit",
        "pjit",
        "closed_call",
        "call",
        "core_call",
        "remat2",
        "checkpoint",
        "remat_opt",
        "custom_jvp_call",
        "custom_jvp_call_jaxpr",
        "custom_vjp_call",
        "custom_vjp_call_jaxpr",
        "custom_vmap_call",
        "custom_lin",
    ]
)


# Of parameters: what those have in common that are written alike.
Key = Callable[[Params], Any]


def _all_params(params: Params) -> Any:
    return tuple(params.values())


class Rule:
    """How one primitive is written.

    Attributes:
      head: the beginning of its equations.
      text: all of it, where it is the same for all of them.
      write: operands and parameters of one.
      key: which are alike; None: each is written by itself.
    """

    __slots__ = ("head", "key", "text", "write")

    def __init__(
        self,
        name: str,
        module: str,
        write: Callable[[Any, Any], Written],
        key: Key | None = None,
    ) -> None:
        where = "" if module == "lax" else f',"m":"{module}"'
        self.head = f'{{"p":"{name}"{where}'
        self.text = f"{self.head}}}" if write is _nothing else None
        self.write = write
        self.key = key


rules: dict[Any, Rule] = {}
_by_name: dict[tuple[str, str], tuple[Callable[[Any, Any], Written], Key | None]] = {}


def writes(module: str, *names: str, key: Key | None = None) -> Callable[[Any], Any]:
    """Registers a rule for primitives of a family."""

    def register(write: Callable[[Any, Any], Written]) -> Callable[[Any, Any], Written]:
        for name in names:
            _by_name[module, name] = write, key
        return write

    return register


def rule_of(primitive: Any) -> Rule:
    """The rule of a primitive that is met for the first time."""
    # The families register themselves.
    from gridfuse import _pallas_params  # noqa: F401

    module, name = _versions.namespace(primitive), primitive.name
    if name in ("jit", "pjit"):
        rule = Rule("call", "core", _call, itemgetter("jaxpr"))
    elif name in _CALLERS:
        rule = Rule("call", "core", _call)
    elif name in _CALLBACKS:
        rule = Rule(name, module, _refuse_callback)
    elif name in _SILENT:
        rule = Rule(name, module, _nothing)
    else:
        write, key = _by_name.get((module, name), (_generic, None))
        rule = Rule(name.replace("-", "_"), module, write, key)
    rules[primitive] = rule
    return rule


# ── Plain data ──────────────────────────────────────────────────────────────────────────────


def plain(scope: Any, value: Any) -> str:
    """Any parameter that is plain data, as JSON."""
    if value is None or isinstance(value, bool | str):
        return text(value)
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return _wire._number(value)
    if isinstance(value, enum.Enum):
        return text(value.name.lower())
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return text(dtype_name(np.dtype(value)))
    if isinstance(value, core.Jaxpr) or hasattr(value, "jaxpr"):
        return str(scope.jaxpr(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        pairs = [f"{text(k)}:{plain(scope, getattr(value, k))}" for k in value._fields]
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join([plain(scope, one) for one in value]) + "]"
    if isinstance(value, dict):
        return "{" + ",".join([f"{text(str(k))}:{plain(scope, v)}" for k, v in value.items()]) + "}"
    if isinstance(value, np.ndarray):
        return f'{{"litc":{scope.exporter.constant(value)}}}'
    if hasattr(value, "name") and hasattr(value, "itemsize"):
        return text(dtype_name(value))
    raise Unsupported(f"parameter {value!r} of type {type(value).__name__} is no plain data")


def x(fields: str) -> str:
    return f',"x":{{{fields}}}'


def _generic(scope: Any, eqn: Any) -> Written:
    fields = [
        f"{text(key)}:{plain(scope, value)}"
        for key, value in eqn.params.items()
        if key not in _NOISE
    ]
    return None, x(",".join(fields)) if fields else ""


def _nothing(_scope: Any, _eqn: Any) -> Written:
    return None, ""


def _refuse_callback(_scope: Any, eqn: Any) -> Written:
    target = eqn.params.get("target_name") or eqn.params.get("callback")
    raise Unsupported(f"a call back to the host ({target}) cannot leave Python")


def _call(scope: Any, eqn: Any) -> Written:
    for key in _CALLS:
        inner = eqn.params.get(key)
        if inner is not None and not callable(inner):
            return None, f',"x":{{"jaxpr":{scope.jaxpr(inner)}}}'
    raise Unsupported("there is no jaxpr to call")


@writes("lax", "debug_print")
def _debug_print(scope: Any, eqn: Any) -> Written:
    """Holes in order. For the drop-in each says how Python would format what is in it. Where there is none, values follow."""
    p = eqn.params
    if p.get("static_args"):
        raise Unsupported("a print of values that are no arrays")
    positional, named = tree_util.tree_unflatten(p["in_tree"], eqn.invars)
    written, operands, automatic = "", [], 0
    fmt = p["fmt"]
    if not p.get("has_placeholders", True):
        fmt += " {!s}" * len(positional)
    for text_before, field, spec, conversion in string.Formatter().parse(fmt):
        written += text_before.replace("{", "{{").replace("}", "}}")
        if field is None:
            continue
        if field == "":
            field, automatic = str(automatic), automatic + 1
        if not field.isidentifier() and not field.isdigit():
            raise Unsupported(f"a print of a part of a value: {field}")
        atom = positional[int(field)] if field.isdigit() else named[field]
        operands.append(scope.atom(atom))
        hole = "{}"
        if scope.exporter.marks_prints:
            dtype = getattr(atom.aval, "inner_aval", atom.aval).dtype
            hole = f"\x01{dtype.name}!{conversion or ''}:{spec}\x02{{}}\x03"
        written += hole
    return ",".join(operands), x(f'"fmt":{text(written)}')


def table(module: str, names: str, make: Callable[[Params], str], key: Key = _all_params) -> None:
    """A rule out of parameters alone."""
    writes(module, *names.split(), key=key)(lambda _, eqn: (None, x(make(eqn.params))))


# ── lax ─────────────────────────────────────────────────────────────────────────────────────

_BARE = (
    "add sub mul div rem max min neg abs sign floor ceil exp exp2 expm1 log log1p tanh logistic sin cos tan asin acos "
    "atan atan2 sinh cosh asinh acosh atanh sqrt rsqrt cbrt square pow erf erfc erf_inv is_finite nextafter and or xor "
    "not shift_left shift_right_arithmetic shift_right_logical population_count clz eq ne lt le gt ge select_n clamp "
    "stop_gradient copy copy_p add_any optimization_barrier dynamic_update_slice real imag eq_to le_to lt_to "
    "threefry2x32 lgamma digamma zeros_like"
)
writes("lax", *_BARE.split(), "reshard")(_nothing)
writes("random", "threefry2x32")(_nothing)


def _dtype(key: str) -> Callable[[Params], str]:
    return lambda p: f'"d":"{dtype_name(p[key])}"'


def _dims(key: str, name: str) -> Callable[[Params], str]:
    return lambda p: f'"{name}":{ints(p[key])}'


def _optional_ints(values: Any) -> str:
    return "null" if values is None else ints(values)


table(
    "lax",
    "convert_element_type bitcast_convert_type",
    _dtype("new_dtype"),
    key=itemgetter("new_dtype"),
)
table(
    "lax",
    "iota",
    lambda p: f'"d":"{dtype_name(p["dtype"])}","s":{ints(p["shape"])},"dim":{p["dimension"]}',
)
table(
    "lax",
    "broadcast_in_dim",
    lambda p: f'"s":{ints(p["shape"])},"bd":{ints(p["broadcast_dimensions"])}',
)
table(
    "lax",
    "reshape",
    lambda p: (
        f'"s":{ints(p["new_sizes"])}'
        + ("" if p.get("dimensions") is None else f',"dims":{ints(p["dimensions"])}')
    ),
)
table("lax", "squeeze expand_dims rev", _dims("dimensions", "dims"))
table("lax", "transpose", _dims("permutation", "perm"))
table(
    "lax",
    "slice",
    lambda p: (
        f'"start":{ints(p["start_indices"])},"limit":{ints(p["limit_indices"])},'
        f'"strides":{_optional_ints(p["strides"])}'
    ),
)
table("lax", "dynamic_slice", _dims("slice_sizes", "sizes"))
table(
    "lax",
    "pad",
    lambda p: '"cfg":[' + ",".join([ints(one) for one in p["padding_config"]]) + "]",
)
table("lax", "concatenate", lambda p: f'"dim":{p["dimension"]}')
table("lax", "split", lambda p: f'"sizes":{ints(p["sizes"])},"axis":{p["axis"]}')
table("lax", "tile", _dims("reps", "reps"))
table("lax", "stack unstack", lambda p: f'"axis":{p["axis"]}')
table(
    "lax",
    "reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor",
    _dims("axes", "axes"),
)
table(
    "lax",
    "argmax argmin",
    lambda p: f'"axes":{ints(p["axes"])},"d":"{dtype_name(p["index_dtype"])}"',
)
table(
    "lax",
    "cumsum cummax cummin cumprod cumlogsumexp",
    lambda p: f'"axis":{p["axis"]},"rev":{text(bool(p["reverse"]))}',
)
table(
    "lax",
    "sort",
    lambda p: (
        f'"dim":{p["dimension"]},"stable":{text(bool(p["is_stable"]))},"nkeys":{p["num_keys"]}'
    ),
)
table(
    "lax",
    "top_k",
    lambda p: f'"k":{p["k"]}' + (f',"axis":{p["axis"]}' if p.get("axis") is not None else ""),
)
table("lax", "round", lambda p: f'"method":{int(p["rounding_method"])}')
table("lax", "integer_pow", lambda p: f'"y":{p["y"]}')


def _pair(dims: Any) -> str:
    return "[" + ",".join([ints(one) for one in dims]) + "]"


def _dot(p: Params) -> str:
    contract, batch = p["dimension_numbers"]
    wanted = p.get("preferred_element_type")
    precision = p.get("precision")
    return (
        f'"contract":{_pair(contract)},"batch":{_pair(batch)},'
        f'"precision":{text(None if precision is None else str(precision))},'
        f'"pref":{text(None if wanted is None else dtype_name(wanted))}'
    )


table("lax", "dot_general", _dot)


_GATHER_MODES = {0: "clip", 1: "fill", 2: "promise", 3: "one_hot"}


def _mode(mode: Any) -> str:
    if mode is None:
        return "fill"
    name = getattr(mode, "name", str(mode)).lower()
    if "promise" in name:
        return "promise"
    return name.partition("_or_")[0] if name != "one_hot" else name


def _gather(scope: Any, eqn: Any) -> Written:
    p = eqn.params
    dn = p["dimension_numbers"]
    fill = p.get("fill_value")
    dtype = eqn.invars[0].aval.dtype
    filled = "null" if fill is None else _wire.literal(fill, dtype)
    return None, x(
        f'"dn":{{"offset":{ints(dn.offset_dims)},"collapsed":{ints(dn.collapsed_slice_dims)},'
        f'"start_index_map":{ints(dn.start_index_map)},'
        f'"operand_batch":{ints(dn.operand_batching_dims)},'
        f'"indices_batch":{ints(dn.start_indices_batching_dims)}}},'
        f'"sizes":{ints(p["slice_sizes"])},"mode":"{_mode(p["mode"])}","fill":{filled}'
    )


writes("lax", "gather")(_gather)


def _scatter(p: Params) -> str:
    dn = p["dimension_numbers"]
    return (
        f'"dn":{{"update_window":{ints(dn.update_window_dims)},'
        f'"inserted":{ints(dn.inserted_window_dims)},'
        f'"scatter_to_operand":{ints(dn.scatter_dims_to_operand_dims)},'
        f'"operand_batch":{ints(dn.operand_batching_dims)},'
        f'"indices_batch":{ints(dn.scatter_indices_batching_dims)}}},"mode":"{_mode(p["mode"])}"'
    )


table("lax", "scatter scatter-add scatter-mul scatter-min scatter-max scatter-sub", _scatter)
table("random", "random_seed random_wrap random_unwrap random_fold_in random_clone", lambda _: "")


def _counted(written: Callable[[Params], str]) -> Callable[[Params], str]:
    """Of what depends on how Threefry counts."""

    def write(params: Params) -> str:
        config: Any = jax.config
        if not config.jax_threefry_partitionable:
            raise Unsupported("random numbers with jax_threefry_partitionable=False")
        return written(params)

    return write


table(
    "random",
    "random_bits",
    _counted(lambda p: f'"bit_width":{p["bit_width"]},"shape":{ints(p["shape"])}'),
)
table("random", "random_split", _counted(_dims("shape", "shape")))


def _convolution(scope: Any, eqn: Any) -> Written:
    p = dict(eqn.params)
    dn = p.pop("dimension_numbers")
    specs = f'"lhs":{ints(dn.lhs_spec)},"rhs":{ints(dn.rhs_spec)},"out":{ints(dn.out_spec)}'
    rest = [f"{text(k)}:{_conv_param(scope, v)}" for k, v in p.items() if k not in _NOISE]
    return None, x(",".join([f'"dimension_numbers":{{{specs}}}', *rest]))


def _conv_param(scope: Any, value: Any) -> str:
    try:
        return plain(scope, value)
    except Unsupported:
        return text(str(value))


writes("lax", "conv_general_dilated", "ragged_dot_general")(_convolution)


@writes("lax", "scan")
def _scan(scope: Any, eqn: Any) -> Written:
    p = eqn.params
    consts, carry = _versions.scan_groups(p)
    return None, x(
        f'"jaxpr":{scope.jaxpr(p["jaxpr"])},"nc":{consts},"nk":{carry},'
        f'"length":{int(p["length"])},"reverse":{text(bool(p["reverse"]))}'
    )


@writes("lax", "while")
def _while(scope: Any, eqn: Any) -> Written:
    p = eqn.params
    return None, x(
        f'"cond":{scope.jaxpr(p["cond_jaxpr"])},"cnc":{p["cond_nconsts"]},'
        f'"body":{scope.jaxpr(p["body_jaxpr"])},"bnc":{p["body_nconsts"]}'
    )


@writes("lax", "cond")
def _cond(scope: Any, eqn: Any) -> Written:
    branches = ",".join([str(scope.jaxpr(branch)) for branch in eqn.params["branches"]])
    return None, x(f'"branches":[{branches}]')
