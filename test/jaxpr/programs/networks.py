"""Sorting networks, all of whose exchanges are written out: the longest programs here, and alike in most of their lines."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl

from .registry import floats, ints, pallas_call, program

ROWS = 8  # of a tile
keys = np.where(floats(64, 128) > 2.2, np.nan, floats(64, 128)).astype(np.float32)


def bit(index, place):
    """Whether that bit of an index is set, as an integer."""
    return jnp.bitwise_and(index >> place, 1)


@jax.jit
def ordered(x):
    """Integers in the order of floats, NaN last."""
    bits = lax.bitcast_convert_type(jnp.where(x == 0, jnp.float32(0), x), jnp.int32)
    bits = jnp.where(jnp.isnan(x), jnp.int32(0x7FFFFFFF), bits)
    return jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


@jax.jit
def unordered(bits):
    return lax.bitcast_convert_type(jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits), jnp.float32)


def exchange(left, right, falls):
    """Which of the left ones stay where they are."""
    stays = (right[0] > left[0]).astype(jnp.int32)
    stays = stays.astype(bool) ^ falls.astype(bool)
    swapped = [(jnp.where(stays, a, b), jnp.where(stays, b, a)) for a, b in zip(left, right)]
    return [pair[0] for pair in swapped], [pair[1] for pair in swapped]


def exchange_rows(tile, place, falls):
    """Between rows of one tile, `1 << place` apart."""
    row = lax.broadcasted_iota(jnp.int32, tile[0].shape, 0)
    partner = [jnp.take_along_axis(part, row ^ (1 << place), axis=0) for part in tile]
    stays = (partner[0] > tile[0]).astype(jnp.int32) ^ bit(row, place)
    stays = stays.astype(bool) ^ falls.astype(bool)
    return [jnp.where(stays, mine, other) for mine, other in zip(tile, partner)]


def merge(tiles, stage):
    """Runs of `2 ** stage` rows, each half of which is sorted, in turns upwards and downwards."""
    row = lax.broadcasted_iota(jnp.int32, tiles[0][0].shape, 0)
    for place in reversed(range(stage)):
        apart = (1 << place) // ROWS
        if apart == 0:
            tiles = [
                exchange_rows(tile, place, bit(row + i * ROWS, stage))
                for i, tile in enumerate(tiles)
            ]
            continue
        after = list(tiles)
        for i in range(len(tiles)):
            if i & apart == 0:
                falls = bit(row + i * ROWS, stage)
                after[i], after[i + apart] = exchange(tiles[i], tiles[i + apart], falls)
        tiles = after
    return tiles


def network(*refs):
    """Sorts the columns of the first of the first half of the refs, in tiles; the others follow it."""
    given, results = refs[: len(refs) // 2], refs[len(refs) // 2 :]
    rows = given[0].shape[0]
    parts = [ordered(given[0][...]), *[ref[...] for ref in given[1:]]]
    tiles = [[part[at : at + ROWS] for part in parts] for at in range(0, rows, ROWS)]
    for stage in range(1, rows.bit_length()):
        tiles = merge(tiles, stage)
    joined = [jnp.concatenate([tile[i] for tile in tiles]) for i in range(len(parts))]
    for ref, part in zip(results, [unordered(joined[0]), *joined[1:]]):
        ref[...] = part


@program(keys[:32, :8].T.copy())
def network_of_rows(x):
    """Rows lie along columns while they are sorted, and are halved first where they are long."""

    def kernel(x_ref, o_ref):
        half = x_ref.shape[1] // 2

        @pl.loop(0, 2)
        def _(i):
            part = x_ref[:, pl.ds(i * half, half)]
            columns = jnp.pad(ordered(part), ((0, 120), (0, 0))).T
            tiles = [[columns[at : at + ROWS]] for at in range(0, half, ROWS)]
            for stage in range(1, half.bit_length()):
                tiles = merge(tiles, stage)
            joined = jnp.concatenate([tile[0] for tile in tiles]).T[: x_ref.shape[0]]
            o_ref[:, pl.ds(i * half, half)] = unordered(joined)

        left, right = ordered(o_ref[:, :half]), ordered(o_ref[:, half:][:, ::-1])
        left, right = exchange([left], [right], jnp.zeros_like(left))
        o_ref[...] = unordered(jnp.concatenate([left[0], right[0]], axis=1))

    return pallas_call(kernel, out_shape=x)(x)


@program(keys[:16], ints(16, 128))
def network_with_a_companion(x, y):
    return tuple(pallas_call(network, out_shape=(x, y))(x, y))
