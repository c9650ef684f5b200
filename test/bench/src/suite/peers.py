"""NumPy and XLA (through JAX) as subjects: `python3 peers.py numpy|xla`. Lines of JSON, as in subject.ts."""

import json
import os
import sys
import time

import numpy as np

# Of a turn: that of the wall, or of the processors where `--cpu` asks for it.
clock = time.process_time if os.environ.get("GRIDFUSE_BENCH_CLOCK") == "cpu" else time.perf_counter


def network(exchange, rows, n):
    """A bitonic sort as a user of array operations writes it: one statement a layer."""

    def run(x):
        block = 2
        while block <= n:
            x = exchange(x, rows, n, block // 2, True)
            distance = block // 4
            while distance >= 1:
                x = exchange(x, rows, n, distance, False)
                distance //= 2
            block *= 2
        return x

    return run


def numpy_exchange(x, rows, n, distance, mirrored):
    pairs = x.reshape(rows, n // (2 * distance), 2, distance)
    low, high = pairs[:, :, 0], pairs[:, :, 1]
    if mirrored:
        high = high[:, :, ::-1]
    out = np.empty_like(pairs)
    np.minimum(low, high, out=out[:, :, 0])
    most = np.maximum(low, high)
    out[:, :, 1] = most[:, :, ::-1] if mirrored else most
    return out.reshape(rows, n)


def numpy_function(work, shape, x, out):
    if work == "sinadd":
        a, b = x

        def sinadd():
            np.add(a, b, out=out)
            np.multiply(out, np.float32(2), out=out)
            return np.sin(out, out=out)

        return sinadd
    if work == "gelu":
        (a,) = x
        inner, half = np.float32(np.sqrt(2 / np.pi)), np.float32(0.5)
        cubic, one = np.float32(0.044715), np.float32(1)
        return lambda: half * a * (one + np.tanh(inner * (a + cubic * a * a * a)))
    if work == "softmax":
        (a,) = x

        def softmax():
            weights = np.exp(a - a.max(1, keepdims=True))
            return np.divide(weights, weights.sum(1, keepdims=True), out=out)

        return softmax
    if work == "layernorm":
        (a,) = x

        def layernorm():
            centred = a - a.mean(1, keepdims=True)
            variance = np.mean(centred * centred, 1, keepdims=True)
            return np.multiply(centred, 1 / np.sqrt(variance + np.float32(1e-5)), out=out)

        return layernorm
    simple = {
        "add": lambda: np.add(x[0], x[1], out=out),
        "exp": lambda: np.exp(x[0], out=out),
        "argmax": lambda: np.argmax(x[0], 1),
        "cumsum": lambda: np.cumsum(x[0], 1, out=out),
        "sum": lambda: np.sum(x[0], keepdims=True),
        "matmul": lambda: np.matmul(x[0], x[1], out=out),
        "sort": lambda: np.sort(x[0], 1),
        "argsort": lambda: np.argsort(x[0], 1, kind="stable"),
    }
    if work in simple:
        return simple[work]
    run = network(numpy_exchange, *shape)
    return lambda: run(x[0])


def xla_function(work, shape, x, _out):
    import jax
    import jax.numpy as jnp

    def exchange(v, rows, n, distance, mirrored):
        pairs = v.reshape(rows, n // (2 * distance), 2, distance)
        low, high = pairs[:, :, 0], pairs[:, :, 1]
        if mirrored:
            high = high[:, :, ::-1]
        least, most = jnp.minimum(low, high), jnp.maximum(low, high)
        if mirrored:
            most = most[:, :, ::-1]
        return jnp.stack([least, most], 2).reshape(rows, n)

    def layernorm(v):
        centred = v - v.mean(1, keepdims=True)
        return centred * jax.lax.rsqrt((centred * centred).mean(1, keepdims=True) + 1e-5)

    functions = {
        "sinadd": lambda a, b: jnp.sin((a + b) * 2),
        "add": lambda a, b: a + b,
        "exp": jnp.exp,
        "gelu": jax.nn.gelu,
        "softmax": lambda v: jax.nn.softmax(v, axis=1),
        "layernorm": layernorm,
        "argmax": lambda v: jnp.argmax(v, 1),
        "cumsum": lambda v: jnp.cumsum(v, 1),
        "sum": lambda v: jnp.sum(v, keepdims=True),
        "matmul": jnp.matmul,
        "sort": lambda v: jnp.sort(v, 1),
        "argsort": lambda v: jnp.argsort(v, 1, stable=True),
        "bitonic": network(exchange, *(*shape, 1)[:2]),
    }
    given = [jax.device_put(v) for v in x]
    jax.block_until_ready(given)
    f = jax.jit(functions[work])
    return lambda: f(*given).block_until_ready()


class Running:
    def __init__(self, job, make):
        x = [np.fromfile(i["file"], np.float32).reshape(i["shape"]) for i in job["inputs"]]
        out = np.empty(job["resultShape"], job["resultType"])
        before = time.perf_counter()
        self.run = make(job["work"], job["shape"], x, out)
        result = self.run()
        self.first_us = (time.perf_counter() - before) * 1e6
        np.asarray(result).astype(job["resultType"]).tofile(job["resultFile"])
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < 0.25 or (calls < 4 and time.perf_counter() - start < 2):
            self.run()
            calls += 1

    def timed(self, calls):
        run = self.run
        before = clock()
        for _ in range(calls):
            run()
        return (clock() - before) * 1e6 / calls


def main(subject):
    make = numpy_function if subject == "numpy" else xla_function
    if subject == "xla":
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax  # noqa: F401
    replies = os.fdopen(3, "w")
    running = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "start" in request:
                running = None
                running = Running(request["start"], make)
                reply = {"ready": {"firstUs": running.first_us, "callUs": running.timed(1)}}
            else:
                reply = {"us": running.timed(request["time"])}
        except Exception as error:  # what went wrong is the driver's to report
            reply = {"missing": f"failed: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except ModuleNotFoundError as error:
        os.write(3, (json.dumps({"missing": f"not installed: {error.name}"}) + "\n").encode())
