"""JAX's own kernels (jax/experimental/pallas/ops) through the drop-in, against JAX's interpreter.

    python ops_kernels.py [--only REGEX] [--json FILE]

Those without an `interpret` argument get it from a `pallas_call` that is put into their module. Prints a table; exits with
1 where one disagrees or is refused.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl

import gridfuse.pallas

Case = tuple[Callable[..., Any], tuple[Any, ...]]
OPS = "jax.experimental.pallas.ops."


def random(*shape: int, seed: int = 0, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def interpreted(module: str) -> Any:
    """A module of kernels, all of which run in interpret mode."""
    loaded = importlib.import_module(OPS + module)
    front_end = {name: getattr(pl, name) for name in dir(pl)}
    front_end["pallas_call"] = functools.partial(pl.pallas_call, interpret=True)
    loaded.pl = SimpleNamespace(**front_end)
    return loaded


def matmul() -> Case:
    module = interpreted("tpu.matmul")
    run = functools.partial(module.matmul, block_shape=(128, 128), block_k=128)
    return run, (random(256, 256), random(256, 256, seed=1))


def flash_attention() -> Case:
    module = interpreted("tpu.flash_attention")
    qkv = tuple(random(1, 2, 256, 128, seed=seed) for seed in range(3))
    return functools.partial(module.flash_attention, causal=True), qkv


def flash_attention_gradient() -> Case:
    module = interpreted("tpu.flash_attention")
    qkv = tuple(random(1, 1, 128, 128, seed=seed) for seed in range(3))

    def loss(q: Any, k: Any, v: Any) -> Any:
        return module.flash_attention(q, k, v, causal=True).sum()

    return jax.grad(loss, argnums=(0, 1, 2)), qkv


def gmm() -> Case:
    module = importlib.import_module(OPS + "tpu.megablox.gmm")
    sizes = jnp.array([100, 28, 128], jnp.int32)
    run = functools.partial(module.gmm, tiling=(128, 128, 128), interpret=True)
    return run, (random(256, 128), random(3, 128, 128, seed=1), sizes)


def tgmm() -> Case:
    module = importlib.import_module(OPS + "tpu.megablox.gmm")
    sizes = jnp.array([100, 28, 128], jnp.int32)
    run = functools.partial(module.tgmm, tiling=(128, 128, 128), interpret=True)
    return run, (random(128, 256), random(256, 128, seed=1), sizes)


def splash_attention() -> Case:
    kernels = importlib.import_module(OPS + "tpu.splash_attention.splash_attention_kernel")
    masks = importlib.import_module(OPS + "tpu.splash_attention.splash_attention_mask")
    mask = masks.MultiHeadMask([masks.CausalMask((256, 256)) for _ in range(2)])
    run = kernels.make_splash_mha_single_device(mask, interpret=True)
    return run, tuple(random(2, 256, 128, seed=seed) for seed in range(3))


def paged_attention() -> Case:
    module = interpreted("tpu.paged_attention.paged_attention_kernel")
    pages = [random(1, 8, 16, 128, seed=seed) for seed in range(2)]
    tables = jnp.arange(8, dtype=jnp.int32).reshape(2, 4)
    run = functools.partial(module.paged_attention, pages_per_compute_block=2)
    return run, (random(2, 8, 128, seed=3), *pages, jnp.array([50, 20], jnp.int32), tables)


def threefry() -> Case:
    module = interpreted("tpu.random.threefry")

    def run(key: Any) -> Any:
        return module.plthreefry_random_bits(key, 32, (256, 256))

    return run, (jnp.array([1, 2], jnp.uint32),)


def softmax() -> Case:
    module = importlib.import_module(OPS + "gpu.softmax")
    return functools.partial(module.softmax, interpret=True), (random(8, 300),)


def layer_norm() -> Case:
    module = importlib.import_module(OPS + "gpu.layer_norm")
    run = functools.partial(module.layer_norm, interpret=True)
    return run, (random(2, 16, 256), random(256, seed=1), random(256, seed=2))


def layer_norm_gradient() -> Case:
    run, args = layer_norm()
    return jax.grad(lambda *args: run(*args).sum(), argnums=(0, 1, 2)), args


def rms_norm() -> Case:
    module = importlib.import_module(OPS + "gpu.rms_norm")
    run = functools.partial(module.rms_norm, interpret=True)
    return run, (random(2, 16, 256), random(256, seed=1), random(256, seed=2))


def attention() -> Case:
    module = importlib.import_module(OPS + "gpu.attention")

    def run(q: Any, k: Any, v: Any) -> Any:
        return module.mha(q, k, v, segment_ids=None, causal=True, interpret=True)

    return run, tuple(random(1, 128, 2, 64, seed=seed) for seed in range(3))


def decode_attention() -> Case:
    module = importlib.import_module(OPS + "gpu.decode_attention")
    run = functools.partial(module.mqa, interpret=True)
    return run, (random(1, 4, 64), random(1, 256, 64, seed=1), random(1, 256, 64, seed=2))


CASES: dict[str, Callable[[], Case]] = {
    "matmul": matmul,
    "flash attention": flash_attention,
    "flash attention, gradient": flash_attention_gradient,
    "gmm": gmm,
    "tgmm": tgmm,
    "splash attention": splash_attention,
    "paged attention": paged_attention,
    "threefry": threefry,
    "softmax": softmax,
    "layer norm": layer_norm,
    "layer norm, gradient": layer_norm_gradient,
    "rms norm": rms_norm,
    "attention": attention,
    "decode attention": decode_attention,
}


def compare(make: Callable[[], Case]) -> dict[str, Any]:
    """Runs a case by JAX's interpreter and by gridfuse; what came of it."""
    try:
        fn, args = make()
        started = time.perf_counter()
        wanted = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(jax.jit(fn)(*args))]
        jax_ms = (time.perf_counter() - started) * 1e3
    except Exception as error:
        return {"outcome": "not run by JAX", "why": _first_line(error)}
    try:
        with gridfuse.pallas.enable():
            started = time.perf_counter()
            given = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(jax.jit(fn)(*args))]
            ours_ms = (time.perf_counter() - started) * 1e3
    except Exception as error:
        return {"outcome": "refused", "why": _first_line(error), "jax_ms": jax_ms}
    largest = 0.0
    for one, other in zip(given, wanted, strict=True):
        scale = np.maximum(np.abs(other), np.abs(other).max(initial=1e-30) * 1e-2)
        difference = np.abs(one - other) / scale
        difference[np.isnan(one) & np.isnan(other)] = 0
        largest = max(largest, float(difference.max(initial=0)))
    agrees = largest < 1e-3
    return {
        "outcome": "agrees" if agrees else "disagrees",
        "why": f"relative difference {largest:.1e}",
        "jax_ms": jax_ms,
        "ours_ms": ours_ms,
    }


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"[:200]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = {}
    print("| kernel | outcome | | JAX, first call ms | gridfuse, first call ms |")
    print("| --- | --- | --- | --- | --- |")
    for name, make in CASES.items():
        if re.search(options.only, name):
            row = rows[name] = compare(make)
            times = [f"{row[key]:.0f}" if key in row else "" for key in ("jax_ms", "ours_ms")]
            print(f"| {name} | {row['outcome']} | {row['why']} | {' | '.join(times)} |", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0 if all(row["outcome"] in ("agrees", "not run by JAX") for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
