"""Loops and branches, inside kernels and outside."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl

from .registry import f32, floats, i32, ints, pallas_call, program


@program(floats(8))
def loop_of_known_length(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)

        @pl.loop(1, 7, step=2)
        def _(i):
            o_ref[i] = x_ref[i] * 2.0

    return pallas_call(kernel, out_shape=f32(8))(x)


@program(ints(8))
def loop_carries(x):
    def kernel(x_ref, o_ref):
        total = lax.fori_loop(0, 8, lambda i, total: total + x_ref[i] * i, 0)
        o_ref[...] = jnp.full((1,), total)

    return pallas_call(kernel, out_shape=i32(1))(x)


@program(jnp.array([2, 6], jnp.int32), floats(8))
def loop_of_computed_length(n, x):
    def kernel(n_ref, x_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)

        def body(i, _):
            o_ref[i] = x_ref[i] + n_ref[0]
            return ()

        lax.fori_loop(n_ref[0], n_ref[1], body, ())

    return pallas_call(kernel, out_shape=f32(8))(n, x)


@program(jnp.array([1, 2, 3, 4, -1, 5, 6, 7], jnp.int32))
def loop_until_data_says(x):
    def kernel(x_ref, o_ref):
        def goes_on(state):
            return jnp.logical_and(state[0] < 8, x_ref[state[0]] >= 0)

        def body(state):
            return state[0] + 1, state[1] + x_ref[state[0]]

        count, total = lax.while_loop(goes_on, body, (0, 0))
        o_ref[0] = total
        o_ref[1] = count

    return pallas_call(kernel, out_shape=i32(2))(x)


@program(jnp.array([-1, 0, 1, 2, 5], jnp.int32))
def branch_of_three(which):
    def kernel(which_ref, o_ref):
        branches = [lambda i=i: jnp.full((4,), i, jnp.float32) for i in range(3)]

        @pl.loop(0, 5)
        def _(i):
            o_ref[i] = lax.switch(which_ref[i], branches)

    return pallas_call(kernel, out_shape=f32(5, 4))(which)


@program(jnp.array([3.0, 1.0], jnp.float32))
def write_under_a_condition(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)

        @pl.when(x_ref[0] > 0)
        def _():
            o_ref[1] = x_ref[0]

    return pallas_call(kernel, out_shape=f32(2))(x)


@program(floats(4, 8))
def scan_outside(x):
    return lax.scan(lambda c, row: (c + row, c * row), jnp.zeros(8, jnp.float32), x)


@program(jnp.abs(floats(4, 8)))
def batched_loops(x):
    def one(row):
        return lax.while_loop(lambda c: c.sum() < 20, lambda c: c + row + 0.5, row)

    return jax.vmap(one)(x)


@program(floats(8), floats(8), ulp=4)
def tangents(x, t):
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.sin(x_ref[...]) * x_ref[...]

    return jax.jvp(lambda x: pallas_call(kernel, out_shape=f32(8))(x), (x,), (t,))


@program(floats(4))
def kernel_in_a_loop(x):
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] * 0.5 + 1.0

    def body(_, x):
        return pallas_call(kernel, out_shape=f32(4))(x)

    return lax.fori_loop(0, 3, body, x)


@program(floats(8))
def branch_of_this_platform(x):
    return lax.platform_dependent(x, tpu=lambda x: x * 2.0, cpu=lambda x: x + 1.0, default=lambda x: x)
