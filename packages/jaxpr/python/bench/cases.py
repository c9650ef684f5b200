"""What is measured: each case makes a function and its arguments, in the process that runs them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

Case = tuple[Callable[..., Any], tuple[Any, ...]]


def sort(shape: tuple[int, int], operands: int) -> Callable[[], Case]:
    def make() -> Case:
        import jax.numpy as jnp
        import numpy as np
        from tallax import tax

        rng = np.random.default_rng(0)
        words = [rng.integers(0, 2**32, shape, np.uint32) for _ in range(operands)]
        arrays = [jnp.asarray(word.view(np.float32)) for word in words]

        def run(*arrays: Any) -> Any:
            given = arrays[0] if operands == 1 else list(arrays)
            return tax.sort(given, num_keys=1, interpret=True)

        return run, tuple(arrays)

    return make


def elementwise(points: int, *, tpu: bool) -> Callable[[], Case]:
    def make() -> Case:
        import jax
        import jax.numpy as jnp
        from jax.experimental import pallas as pl
        from jax.experimental.pallas import tpu as pltpu

        def kernel(x_ref: Any, y_ref: Any, o_ref: Any) -> None:
            o_ref[...] = jnp.sin((x_ref[...] + y_ref[...]) * 2)

        spec = pl.BlockSpec((1,), lambda i: (i,))

        def run(x: Any, y: Any) -> Any:
            return pl.pallas_call(
                kernel,
                out_shape=jax.ShapeDtypeStruct((points,), jnp.float32),
                grid=(points,),
                in_specs=[spec, spec],
                out_specs=spec,
                interpret=pltpu.InterpretParams() if tpu else True,
            )(x, y)

        x = jnp.arange(points, dtype=jnp.float32) / points
        return run, (x, x + 1)

    return make


def identity(points: int) -> Callable[[], Case]:
    """What the door itself costs: the same arrays, copied."""

    def make() -> Case:
        import jax.numpy as jnp
        from jax.experimental import pallas as pl

        def kernel(x_ref: Any, y_ref: Any, o_ref: Any) -> None:
            o_ref[...] = x_ref[...]

        def run(x: Any, y: Any) -> Any:
            return pl.pallas_call(kernel, out_shape=x, interpret=True)(x, y)

        x = jnp.arange(points, dtype=jnp.float32)
        return run, (x, x + 1)

    return make


def flash_attention(length: int) -> Callable[[], Case]:
    def make() -> Case:
        sys.path.insert(0, str(HERE.parent / "tests"))
        import jax.numpy as jnp
        import numpy as np
        from kernels import attention

        rng = np.random.default_rng(0)
        return attention, tuple(
            jnp.asarray(rng.standard_normal((length, 64)), jnp.float32) for _ in range(3)
        )

    return make


@dataclasses.dataclass(frozen=True)
class Work:
    """A case.

    Attributes:
      hopeless: JAX does not end in a time that a benchmark has; what is known of it.
      late: how long it takes, as an order: what takes longest comes last, and may be left out.
    """

    make: Callable[[], Case]
    hopeless: str | None = None
    late: int = 0


CASES: dict[str, Work] = {
    "sort (8, 128)": Work(sort((8, 128), 1), late=1),
    "sort (8, 128), two operands": Work(sort((8, 128), 2), "556 s with JAX 0.8.0", late=2),
    "sort (16, 256)": Work(sort((16, 256), 1), late=3),
    "sort (8, 8192)": Work(sort((8, 8192), 1), "210 s with JAX 0.8.0", late=2),
    "sort (16, 131072)": Work(sort((16, 131072), 1), "more equations than (8, 8192) has", late=2),
    "grid of 512": Work(elementwise(512, tpu=False)),
    "grid of 512, TPU": Work(elementwise(512, tpu=True)),
    "grid of 16,384": Work(elementwise(16_384, tpu=False)),
    "grid of 16,384, TPU": Work(elementwise(16_384, tpu=True), "80 s, from 10 s for 2,048"),
    "grid of 2,097,152": Work(
        elementwise(2_097_152, tpu=False), "36 min, as it grows by the square"
    ),
    "grid of 2,097,152, TPU": Work(elementwise(2_097_152, tpu=True), "3 h, from 10 s for 2,048"),
    "identity of 2,097,152": Work(identity(2_097_152)),
    "flash attention 512 × 64": Work(flash_attention(512)),
}
