"""Arithmetic where implementations differ: division, shifts, conversions, rounding, order."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from .registry import f32, floats, ints, pallas_call, program

edges = np.array(
    [0.0, -0.0, 1.5, -1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 3e9, -3e9, 255.5, -0.5, 1e-3, 7.0, -7.0],
    np.float32,
)


@program(edges)
def conversions(x):
    wanted = (jnp.int8, jnp.uint8, jnp.int16, jnp.int32, jnp.uint32, jnp.bool_, jnp.bfloat16, jnp.float16)
    return tuple(x.astype(dtype) for dtype in wanted)


@program(edges)
def rounding(x):
    ties = lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO)
    return jnp.round(x), ties, jnp.floor(x), jnp.ceil(x), jnp.sign(x), lax.reduce_precision(x, 5, 3)


@program(edges)
def order(x):
    y = x[::-1]
    return jnp.maximum(x, y), jnp.minimum(x, y), lax.clamp(-1.0, x, 2.0), x < y, x != y, jnp.isfinite(x)


@program(ints(16), ints(16, seed=1))
def integers(a, b):
    nonzero = jnp.where(b == 0, 1, b)
    return (
        a // nonzero,
        a % nonzero,
        lax.div(a, nonzero),
        lax.rem(a, nonzero),
        a * jnp.int32(100000007),
        a**3,
        jnp.abs(a),
        lax.population_count(a),
        lax.clz(a),
        a ^ b,
        ~a,
    )


@program(ints(8), jnp.array([0, 1, 5, 31, 32, 33, 40, 7], jnp.int32))
def shifts(a, by):
    return a << by, lax.shift_right_arithmetic(a, by), lax.shift_right_logical(a, by)


@program(ints(6).astype(np.int8))
def small_integers_wrap(a):
    return a * a, a + jnp.int8(100), -a, (a.astype(jnp.uint8) >> 1)


@program(jnp.abs(floats(16)) + 0.1, ulp=8)
def functions(x):
    return (
        jnp.exp(x), jnp.log(x), jnp.log1p(x), jnp.expm1(x), jnp.sin(x), jnp.cos(x), jnp.tanh(x),
        lax.logistic(x), lax.rsqrt(x), jnp.sqrt(x), lax.erf(x), jnp.exp2(x), lax.cbrt(x), x**3, x**2.5,
    )  # fmt: skip


@program(floats(8, 8), ulp=64)
def softmax(x):
    weights = jnp.exp(x - jnp.max(x, 1, keepdims=True))
    return weights / jnp.sum(weights, 1, keepdims=True)


@program(floats(8).astype(jnp.bfloat16), ulp=1)
def halves(x):
    return x * x + x, jnp.sum(x), x.astype(jnp.float32)


@program(edges[:8])
def bit_patterns(x):
    bits = lax.bitcast_convert_type(x, jnp.int32)
    halves = lax.bitcast_convert_type(x, jnp.uint16)
    return bits, halves, lax.bitcast_convert_type(halves, jnp.float32), lax.nextafter(x, jnp.float32(1))


@program(jnp.array([7.9, -9.0, 3.5, jnp.nan, 1e9], jnp.float32), ints(8, least=-20, most=20))
def four_bits(x, n):
    return x.astype(jnp.int4).astype(jnp.int32), n.astype(jnp.int4).astype(jnp.int32), n.astype(jnp.uint4).astype(jnp.int32)


@program(ints(8, least=-8, most=8), ints(8, least=-8, most=8, seed=1))
def few_bits_wrap(x, y):
    def sums(dtype):
        a, b = x.astype(dtype), y.astype(dtype)
        return (a + b).astype(jnp.int32), (a * b - a).astype(jnp.int32)

    return sums(jnp.int4), sums(jnp.uint4), x.astype(jnp.int2).astype(jnp.int32), y.astype(jnp.uint2).astype(jnp.int32)


tiny_and_huge = np.concatenate(
    [edges, [448, 460, 464, 465, 57344, 61439, 61440, 2**-9, 2**-10, 3 * 2**-11, 2**-16, 2**-17, 0.0157, 0.3, -0.3]]
).astype(np.float32)


@program(tiny_and_huge)
def floats_of_eight_bits(x):
    def through(dtype):
        return x.astype(dtype).reshape(1, -1).astype(jnp.float32)

    return through(jnp.float8_e5m2), through(jnp.float8_e4m3fn)


@program(floats(16), floats(16, seed=1))
def arithmetic_on_floats_of_eight_bits(x, y):
    def results(dtype):
        a, b = x.astype(dtype), y.astype(dtype)
        numbers = (a + b, a - 1, a * b, a / b, jnp.maximum(a, b), -a, jnp.abs(a), a * 300)
        known = (a < b, jnp.argmax(a), jnp.sum(a.astype(jnp.float32)))
        return [n.astype(jnp.float32) for n in numbers], known

    return results(jnp.float8_e5m2), results(jnp.float8_e4m3fn)


@program(floats(8, 16), floats(16, 4, seed=1))
def product_of_floats_of_eight_bits(x, y):
    def kernel(x_ref, y_ref, o_ref):
        o_ref[...] = jnp.dot(x_ref[...], y_ref[...], preferred_element_type=jnp.float32)

    def product(dtype):
        return pallas_call(kernel, out_shape=f32(8, 4))(x.astype(dtype), y.astype(dtype))

    return product(jnp.float8_e5m2), product(jnp.float8_e4m3fn)


@program(np.concatenate([np.linspace(-1, 1, 41), [0.999517, 0.9999999, 1e-30, 1.5, np.nan]]).astype(np.float32), ulp=1)
def inverse_error_function(x):
    return lax.erf_inv(x), lax.erf_inv(x.astype(jnp.bfloat16))
