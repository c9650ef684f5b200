"""Parameters of what touches memory: views of refs, copies, semaphores, scopes, and `pallas_call` itself.

JAX flattens a view into an equation's operands and keeps its structure in a tree: what stands in the structure
(the static starts and sizes of slices) is not among the operands. Putting the variables back into the
tree gives the view as it was written, without running anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax._src import core, tree_util

from gridfuse import _versions
from gridfuse._params import Written, plain, writes, x
from gridfuse._wire import dtype_name, ints, text
from gridfuse.errors import Unsupported


def _unflatten(tree: Any, leaves: Sequence[Any]) -> Any:
    """Trees are PyTreeDefs, from 0.11 on some are FlatTrees."""
    if isinstance(tree, tree_util.PyTreeDef):
        return tree_util.tree_unflatten(tree, leaves)
    return tree.unflatten(list(leaves))


# ── Views ───────────────────────────────────────────────────────────────────────────────────


def view(scope: Any, ref: Any, transforms: Any) -> str:
    """A ref seen through a chain of transforms."""
    chain: list[str] = []
    inner, outer = _unwrap(ref)
    for transform in (*outer, *_flat(transforms)):
        chain.append(_transform(scope, transform))
    return f'{{"ref":{scope.atom(inner)},"t":[{",".join(chain)}]}}'


def _unwrap(ref: Any) -> tuple[Any, tuple[Any, ...]]:
    transforms: tuple[Any, ...] = ()
    while hasattr(ref, "transforms") and hasattr(ref, "ref"):
        transforms = (*_flat(ref.transforms), *transforms)
        ref = ref.ref
    return ref, transforms


def _flat(transforms: Any) -> tuple[Any, ...]:
    if transforms is None:
        return ()
    if isinstance(transforms, tuple | list):
        return tuple(one for group in transforms for one in _flat(group))
    return (transforms,)


def _transform(scope: Any, transform: Any) -> str:
    kind = type(transform).__name__
    if kind == "NDIndexer":
        return _indexer(scope, transform)
    if kind in ("BitcastTransform", "RefBitcaster"):
        return f'{{"k":"bitcast","d":"{dtype_name(transform.dtype)}"}}'
    if kind in ("ReshapeTransform", "RefReshaper"):
        return f'{{"k":"reshape","s":{ints(transform.shape)}}}'
    if kind in ("TransposeTransform", "RefTransposer"):
        return f'{{"k":"transpose","perm":{ints(transform.permutation)}}}'
    if kind == "SelectTransform":
        refs = [view(scope, one, ()) for one in transform.refs]
        return f'{{"k":"select","a":{scope.atom(transform.idx)},"refs":[{",".join(refs)}]}}'
    raise Unsupported(f"references seen through {kind} are not supported")


def _indexer(scope: Any, indexer: Any) -> str:
    entries = []
    for index in indexer.indices:
        if type(index).__name__ == "Slice":
            size, count = index.size, ""
            if not isinstance(size, int):
                count = f',"n":{scope.atom(size)}'
                size = indexer.shape[len(entries)]
            entries.append(
                f'{{"k":"s","start":{scope.atom(index.start)},"size":{size},"stride":{index.stride}{count}}}'
            )
        else:
            inner, outer = _unwrap(index)
            kind = "arr" if getattr(getattr(index, "aval", index), "shape", ()) else "i"
            if hasattr(getattr(inner, "aval", None), "inner_aval"):
                # What a reference holds when the view is used.
                entries.append(f'{{"k":"arr","in":{view(scope, inner, outer)}}}')
            else:
                entries.append(f'{{"k":"{kind}","a":{scope.atom(index)}}}')
    shape = getattr(indexer, "int_indexer_shape", ())
    return f'{{"k":"idx","shape":{ints(indexer.shape)},"ish":{ints(shape)},"ix":[{",".join(entries)}]}}'


@writes("state", "get")
def _get(scope: Any, eqn: Any) -> Written:
    ref, *leaves = eqn.invars
    return "", x(f'"view":{view(scope, ref, _unflatten(eqn.params["tree"], leaves))}')


@writes("state", "swap", "addupdate")
def _swap(scope: Any, eqn: Any) -> Written:
    ref, value, *leaves = eqn.invars
    seen = view(scope, ref, _unflatten(eqn.params["tree"], leaves))
    return "", x(f'"view":{seen},"val":{scope.atom(value)}')


def _given(scope: Any, **atoms: Any) -> str:
    return "".join([f',"{k}":{scope.atom(v)}' for k, v in atoms.items() if v is not None])


@writes("pl", "masked_load", "load")
def _load(scope: Any, eqn: Any) -> Written:
    ref, transforms, mask, other = _unflatten(eqn.params["args_tree"], eqn.invars)
    return "", x(f'"view":{view(scope, ref, transforms)}{_given(scope, mask=mask, other=other)}')


@writes("pl", "masked_swap", "swap")
def _store(scope: Any, eqn: Any) -> Written:
    ref, transforms, value, mask = _unflatten(eqn.params["args_tree"], eqn.invars)
    return "", x(f'"view":{view(scope, ref, transforms)}{_given(scope, val=value, mask=mask)}')


def _atomic_update(scope: Any, eqn: Any) -> Written:
    ref, transforms, value, mask = _unflatten(eqn.params["args_tree"], eqn.invars)
    op = eqn.params["atomic_type"].value
    given = _given(scope, val=value, mask=mask)
    return "", x(f'"view":{view(scope, ref, transforms)}{given},"op":"{op}"')


def _atomic_compare(scope: Any, eqn: Any) -> Written:
    ref, compared, value = eqn.invars
    return "", x(f'"view":{view(scope, ref, ())}{_given(scope, cmp=compared, val=value)}')


# From 0.9 on they are Triton's.
for _module in ("pl", "gpu"):
    writes(_module, "atomic_rmw")(_atomic_update)
    writes(_module, "atomic_cas")(_atomic_compare)


# ── Copies and semaphores ───────────────────────────────────────────────────────────────────


def _device(scope: Any, device: Any) -> str:
    if device is None:
        return ""
    leaves = [scope.atom(leaf) for leaf in tree_util.tree_leaves(device)]
    return f',"device_id":[{",".join(leaves)}]' if leaves else ""


@writes("tpu", "dma_start", "dma_wait")
def _copy(scope: Any, eqn: Any) -> Written:
    p = eqn.params
    parts = list(_unflatten(p["tree"], eqn.invars))
    if len(parts) == 9:
        refs = list(zip(parts[0:8:2], parts[1:8:2], strict=True))
    else:
        refs = [(part, ()) for part in parts[:4]]
    names = ("src", "dst", "sem", "src_sem")
    views = [
        f'"{name}":{view(scope, ref, transforms)}'
        for name, (ref, transforms) in zip(names, refs, strict=True)
        if ref is not None
    ]
    extra = f',"add":{text(bool(p.get("add", False)))}'
    if p.get("is_wait_send"):
        extra += ',"is_wait_send":true'
    return "", x(",".join(views) + extra + _device(scope, parts[-1]))


@writes("pl", "semaphore_signal")
def _signal(scope: Any, eqn: Any) -> Written:
    sem, transforms, value, device, core_index = _unflatten(eqn.params["args_tree"], eqn.invars)
    given = _given(scope, value=value, core=core_index)
    return "", x(f'"sem":{view(scope, sem, transforms)}{given}{_device(scope, device)}')


@writes("pl", "semaphore_wait")
def _wait(scope: Any, eqn: Any) -> Written:
    sem, transforms, value, *rest = _unflatten(eqn.params["args_tree"], eqn.invars)
    decrement = rest[0] if rest else True
    plainly = bool(getattr(decrement, "val", decrement))
    fields = f'"sem":{view(scope, sem, transforms)}{_given(scope, value=value)}'
    return "", x(f'{fields},"dec":{text(plainly)}')


@writes("pl", "semaphore_read")
def _read(scope: Any, eqn: Any) -> Written:
    sem, transforms = _unflatten(eqn.params["args_tree"], eqn.invars)
    return "", x(f'"sem":{view(scope, sem, transforms)}')


# ── Scopes ──────────────────────────────────────────────────────────────────────────────────


@writes("pl", "run_scoped")
def _run_scoped(scope: Any, eqn: Any) -> Written:
    if eqn.params.get("collective_axes"):
        raise Unsupported("memory shared between cores is not supported")
    return None, x(f'"jaxpr":{scope.jaxpr(eqn.params["jaxpr"])},"nconsts":{len(eqn.invars)}')


@writes("state", "run_state")
def _run_state(scope: Any, eqn: Any) -> Written:
    p = eqn.params
    init = p.get("is_initialized") or (True,) * len(eqn.outvars)
    return None, x(f'"jaxpr":{scope.jaxpr(p["jaxpr"])},"init":{text([bool(one) for one in init])}')


@writes("pl", "core_map")
def _core_map(scope: Any, eqn: Any) -> Written:
    p = eqn.params
    mesh = [[str(name), int(size)] for name, size in dict(p["mesh"].shape).items()]
    return None, x(
        f'"jaxpr":{scope.jaxpr(p["jaxpr"])},"nconsts":{len(eqn.invars)},"mesh":{text(mesh)}'
    )


@writes("core", "new_ref", "empty_ref", "freeze", "free_ref", "ref")
def _ref(scope: Any, eqn: Any) -> Written:
    # The program's key does without the types of results, and here nothing else says what they are.
    made = [scope.exporter.aval(one.aval) for one in eqn.outvars if hasattr(one.aval, "inner_aval")]
    return None, x(f'"made":{made}') if made else ""


@writes("pl", "jaxpr_call")
def _jaxpr_call(_scope: Any, _eqn: Any) -> Written:
    raise Unsupported("kernels called from kernels are not supported")


# ── Small ones ──────────────────────────────────────────────────────────────────────────────


@writes("tpu", "bitcast")
def _bitcast(_scope: Any, eqn: Any) -> Written:
    return None, x(f'"d":"{dtype_name(eqn.params["ty"])}"')


@writes("pl", "reciprocal")
def _reciprocal(_scope: Any, eqn: Any) -> Written:
    return None, x(f'"approx":{text(bool(eqn.params["approx"]))}')


@writes("pl", "with_memory_space_constraint")
def _constraint(_scope: Any, _eqn: Any) -> Written:
    return None, ""


# ── pallas_call ─────────────────────────────────────────────────────────────────────────────


@writes("pl", "pallas_call")
def _pallas_call(scope: Any, eqn: Any) -> Written:
    return None, x(call_fields(scope.exporter, eqn.params, len(eqn.invars)))


def call_fields(
    exporter: Any, params: dict[str, Any], operands: int, order: Sequence[int] | None = None
) -> str:
    """The `x` of a kernel call with `operands` operands, in or out of an equation.

    Args:
      order: in which the points of the grid are walked, where each is a core of its own.
    """
    mapping = params["grid_mapping"]
    if params.get("kernel_arg_transforms"):
        raise Unsupported("kernels with transformed arguments are not supported")
    grid = [size if isinstance(size, int) else None for size in mapping.grid]
    dynamic = sum(size is None for size in grid)
    closed_over = operands - dynamic - mapping.num_index_operands - mapping.num_inputs
    blocks = [_block(exporter, block) for block in mapping.block_mappings]
    scratch = [str(exporter.aval(aval)) for aval in mapping.scratch_avals]
    names = None
    if mapping.grid_names is not None:
        names = [None if name is None else str(name) for name in mapping.grid_names]
    fields = [
        f'"name":{text(kernel_name(params))}',
        f'"kernel":{exporter.jaxpr(params["jaxpr"])}',
        f'"grid":{text(grid)}',
        f'"grid_names":{text(names)}',
        f'"vmapped":{ints(mapping.vmapped_dims)}',
        f'"nclosed":{closed_over},"ndyn":{dynamic},"nindex":{mapping.num_index_operands}',
        f'"nin":{mapping.num_inputs},"nout":{mapping.num_outputs},"nscratch":{len(scratch)}',
        f'"blocks":[{",".join(blocks)}]',
        f'"scratch":[{",".join(scratch)}]',
        f'"aliases":{text([list(pair) for pair in params["input_output_aliases"]])}',
    ]
    shared = _written_through_inputs(params)
    if shared:
        fields.append(f'"shared":{text(shared)}')
    if order is not None:
        fields.append(f'"order":{ints(order)}')
    semantics = _versions.dimension_semantics(params)
    if semantics is not None:
        fields.append(f'"cp":{{"dimension_semantics":{text(semantics)}}}')
    return ",".join(fields)


def _written_through_inputs(params: dict[str, Any]) -> list[list[int]]:
    """Aliased pairs that the kernel writes through the input alone: so come references that it closes over."""
    mapping = params["grid_mapping"]
    body, _ = _versions.closed(params["jaxpr"])
    written = _versions.written_inputs(body)
    first = mapping.num_index_operands + mapping.num_inputs
    return [
        [source, output]
        for source, output in params["input_output_aliases"]
        if source in written and first + output not in written
    ]


def kernel_name(params: dict[str, Any]) -> str:
    """What the kernel is called: by its caller, else by its function."""
    info = getattr(params["jaxpr"], "debug_info", None)
    return str(params.get("name") or getattr(info, "func_name", None) or "kernel")


def _block(exporter: Any, block: Any) -> str:
    if getattr(block, "transforms", ()):
        raise Unsupported("blocks with transforms are not supported")
    body, _ = _versions.closed(block.index_map_jaxpr)
    dims = ",".join([_block_dim(dim) for dim in block.block_shape])
    aval = block.transformed_block_aval
    index_map = exporter.jaxpr(block.index_map_jaxpr)
    if any(isinstance(out, core.Literal) and np.shape(out.val) for out in body.outvars):
        raise Unsupported("a block index that is no scalar")
    return (
        f'{{"origin":{text(str(block.origin))},"shape":[{dims}],"array":{exporter.aval(block.array_aval)},'
        f'"ref":{exporter.aval(aval)},"index_map":{index_map}}}'
    )


def _block_dim(dim: Any) -> str:
    kind = type(dim).__name__
    if kind == "Squeezed" or dim is None:
        return '{"k":"sq"}'
    if isinstance(dim, int):
        return f'{{"k":"blk","n":{dim}}}'
    size = int(dim.block_size)
    if kind == "Blocked":
        return f'{{"k":"blk","n":{size}}}'
    if kind == "Element":
        lo, hi = dim.padding
        return f'{{"k":"el","n":{size},"pad":[{int(lo)},{int(hi)}]}}'
    if kind == "BoundedSlice":
        return f'{{"k":"bs","n":{size}}}'
    if kind == "Indirect":
        return f'{{"k":"ind","n":{size}}}'
    raise Unsupported(f"blocks with a dimension of kind {kind} are not supported")


__all__ = ["call_fields", "kernel_name", "plain", "view"]
