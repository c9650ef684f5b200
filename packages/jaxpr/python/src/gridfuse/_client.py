"""One Node process that compiles and runs programs, for as long as Python lives.

It reads requests from a pipe and ends when the pipe does, so nothing has to be killed. When it dies, whoever
waits for it gets an exception that says why, and the next call starts another one.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import dataclasses
import json
import os
import struct
import subprocess
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gridfuse import _habits
from gridfuse._memory import Block, SharedMemory
from gridfuse._node import cache_folder, engine_path, find_node
from gridfuse.errors import EngineDied, GridfuseError, Unsupported

_HEADER = struct.Struct("<I")
# Arrays of so many bytes together travel through the pipe, which holds 64 KiB.
_SMALL = 1 << 15
# The request of such a run: its length, what it is, and which program is meant.
_SMALL_RUN = struct.Struct("<III")
_SMALL_RUN_MARK = 1
_PADDING = tuple(b"\0" * count for count in range(8))
# Codes of programs that have no meaning here, as opposed to runs that went wrong.
_REFUSALS = ("GF26", "GF20", "GF21", "GF22", "GF23", "GF24", "GF25", "GF3", "GF50")


class Mode(NamedTuple):
    """What memory means in a program: the importer's options.

    Attributes:
      fill: what it holds that nobody wrote: `hlo`, `tpu` or `zero`.
      reads: what is read at a computed index that lies outside: `clamp` moves the window, `fill` gives what nobody wrote.
      writes: what happens to what is written there: `clamp` or `drop`.
      bounds: `report` gives one more result, where such accesses are.
    """

    fill: str = "hlo"
    reads: str = "clamp"
    writes: str = "clamp"
    bounds: str = "clamp"


class Program:
    """A program that the engine knows: what it takes, what it gives, and what making it cost."""

    __slots__ = ("id", "inputs", "is_small", "key", "ms", "origin", "outputs", "session", "steps")

    def __init__(self, session: Session, key: str, reply: dict[str, Any]) -> None:
        self.session = session
        self.key = key
        self.id: int = reply["id"]
        self.inputs: list[int] = reply["inputs"]
        self.outputs: list[int] = reply["outputs"]
        self.ms: dict[str, float] = reply["ms"]
        self.origin: str = reply["from"]
        self.steps: int = reply["steps"]
        self.is_small = max(_padded(self.inputs), _padded(self.outputs)) <= _SMALL


def _padded(sizes: Sequence[int]) -> int:
    return sum(-size % 8 + size for size in sizes)


class Answer:
    """A reply that is on its way, until it has data."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Coming:
    """A program that an engine was asked for."""

    session: Session
    key: str
    answer: Answer

    def result(self) -> Program | None:
        reply = self.session._checked(self.session.settle(self.answer))
        return None if reply.get("unknown") else Program(self.session, self.key, reply)


def is_kept(key: str) -> bool:
    """Whether some process kept the plan of that program."""
    folder = cache_folder()
    return folder is not None and (folder / key).exists()


class Session:
    """One life of the process."""

    def __init__(self) -> None:
        flags = ["--max-old-space-size=8192", "--stack-size=4000"]
        kept = cache_folder()
        warm_up = {} if _habits.expects_to_compile() else {"GRIDFUSE_WARM_UP": "off"}
        self._process = subprocess.Popen(
            [find_node(), *flags, engine_path(), *([] if kept is None else [str(kept)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env={**os.environ, **warm_up},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        self._last_words: collections.deque[bytes] = collections.deque(maxlen=40)
        threading.Thread(target=self._listen, name="gridfuse-stderr", daemon=True).start()
        self.memory = SharedMemory(self._open)
        self.dead = False
        self.printed: list[str] = []
        self._unanswered: collections.deque[Answer] = collections.deque()
        self._rest = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        for line in stream:
            self._last_words.append(line)

    def _open(self, file: int, path: str) -> None:
        self.ask({"op": "open", "file": file, "path": path})

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sends a request and waits for its reply.

        Raises:
          EngineDied, Unsupported, GridfuseError
        """
        return self._checked(self.exchange(json.dumps(request).encode()))

    def exchange(self, body: bytes) -> bytes:
        """Sends a request and waits for its reply, after those of all requests before it."""
        return self.exchange_frame(_HEADER.pack(len(body)) + body)

    def exchange_frame(self, frame: bytes) -> bytes:
        """The same for a request that begins with its length already."""
        try:
            self._send(frame)
            while self._unanswered:
                self._unanswered.popleft().data = self._reply()
            return self._reply()
        except BaseException as error:
            self._give_up(error)
            raise

    def ask_ahead(self, request: dict[str, Any]) -> Answer:
        """Sends a request whose reply will be wanted later."""
        try:
            body = json.dumps(request).encode()
            self._send(_HEADER.pack(len(body)) + body)
        except BaseException as error:
            self._give_up(error)
            raise
        answer = Answer()
        self._unanswered.append(answer)
        return answer

    def settle(self, answer: Answer) -> bytes:
        """The reply to a request that was sent ahead."""
        try:
            while answer.data is None:
                self._unanswered.popleft().data = self._reply()
            return answer.data
        except BaseException as error:
            self._give_up(error)
            raise

    def _next(self) -> bytes:
        try:
            return self._reply()
        except BaseException as error:
            self._give_up(error)
            raise

    def _send(self, frame: bytes) -> None:
        done = os.write(self._to, frame)
        while done < len(frame):
            done += os.write(self._to, frame[done:])

    def _reply(self) -> bytes:
        data = self._rest or self._more()
        while len(data) < 4:
            data += self._more()
        end = 4 + _HEADER.unpack_from(data)[0]
        while len(data) < end:
            data += self._more()
        self._rest = data[end:]
        return data[4:end]

    def _more(self) -> bytes:
        data = os.read(self._from, 1 << 16)
        if not data:
            raise self._died()
        return data

    def _give_up(self, error: BaseException) -> None:
        """After an interrupt, too, replies would be taken for those to other requests: another process begins anew."""
        if isinstance(error, ConnectionError):
            raise self._died() from error
        self.dead = True
        self._process.kill()

    def _died(self) -> EngineDied:
        self.dead = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        said = b"".join(self._last_words).decode(errors="replace").strip()
        status = self._process.returncode
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        tail = f"\nits last words:\n{said[-2000:]}" if said else ""
        return EngineDied(
            f"gridfuse's Node process {self.pid} ended with {how}; the next call starts another{tail}"
        )

    def _checked(self, data: bytes) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(data)
        if "printed" in reply:
            self.printed += reply["printed"]
        error = reply.get("error")
        if error is not None:
            raise _exception(error)
        return reply

    # ── Programs ───────────────────────────────────────────────────────────────────────────

    def find(self, key: str) -> Program | None:
        reply = self.ask({"op": "find", "key": key})
        return None if reply.get("unknown") else Program(self, key, reply)

    def find_ahead(self, key: str) -> Coming:
        """The same, for later: JAX goes on while the engine reads the plan."""
        return Coming(self, key, self.ask_ahead({"op": "find", "key": key}))

    def load(self, key: str, data: bytes, mode: Mode, *, keep: bool = True) -> Program:
        """Has a program compiled, whose plan other processes will find if it is to be kept."""
        block = self._put(data)
        try:
            at = [block.file, block.offset]
            request = {
                "op": "load",
                "key": key,
                "mode": mode._asdict(),
                "keep": keep,
                "at": at,
                "bytes": len(data),
            }
            return Program(self, key, self.ask(request))
        finally:
            self.memory.give(block)

    def inspect(self, data: bytes) -> dict[str, Any]:
        block = self._put(data)
        try:
            at = [block.file, block.offset]
            return self.ask({"op": "inspect", "at": at, "bytes": len(data)})
        finally:
            self.memory.give(block)

    def _put(self, data: bytes) -> Block:
        block = self.memory.take(len(data))
        block.bytes[: len(data)] = np.frombuffer(data, np.uint8)
        return block

    def run(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        results: Sequence[tuple[np.dtype, tuple[int, ...]]],
    ) -> list[np.ndarray]:
        """Runs a program on arrays of the dtypes and shapes that it was made for."""
        if program.is_small:
            return self._run_small(program, inputs, results)
        take = self.memory.take
        given = []
        for array in inputs:
            block = take(array.nbytes)
            np.copyto(
                np.ndarray(array.shape, array.dtype, buffer=block.bytes[: array.nbytes].data), array
            )
            given.append(block)
        wanted = [take(size) for size in program.outputs]
        places_in = ",".join([f"[{block.file},{block.offset}]" for block in given])
        places_out = ",".join([f"[{block.file},{block.offset}]" for block in wanted])
        request = f'{{"op":"run","id":{program.id},"in":[{places_in}],"out":[{places_out}]}}'
        try:
            data = self.exchange(request.encode())
            if data != b"{}":
                self._checked(data)
        except BaseException:
            for block in wanted:
                self.memory.give(block)
            raise
        finally:
            for block in given:
                self.memory.give(block)
        return [
            self.memory.array(block, dtype, shape)
            for block, (dtype, shape) in zip(wanted, results, strict=True)
        ]

    def _run_small(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        results: Sequence[tuple[np.dtype, tuple[int, ...]]],
    ) -> list[np.ndarray]:
        """The same with the arrays in the request and in its reply, where they stay, not to be written."""
        parts = [b""]
        length = 8
        for array in inputs:
            data = array.tobytes()
            size = len(data)
            parts.append(data)
            if size & 7:
                parts.append(_PADDING[-size & 7])
            length += (size + 7) & ~7
        parts[0] = _SMALL_RUN.pack(length, _SMALL_RUN_MARK, program.id)
        data = self.exchange_frame(b"".join(parts))
        if data[0] != _SMALL_RUN_MARK:
            # An error, or what the program printed.
            self._checked(data)
            data = self._next()
        arrays = []
        at = 8
        for (dtype, shape), size in zip(results, program.outputs, strict=True):
            arrays.append(np.ndarray(shape, dtype, data, at))
            at += (size + 7) & ~7
        return arrays

    def close(self) -> None:
        """Ends the process; plans that were not written yet are."""
        self.dead = True
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _exception(error: dict[str, Any]) -> GridfuseError:
    code = error.get("code")
    message = error["message"]
    if code is None:
        return GridfuseError(f"{message}\n{error.get('stack', '')}")
    if code.startswith(_REFUSALS):
        return Unsupported(message, primitive=error.get("path"), source=error.get("at"), code=code)
    return GridfuseError(message, code=code)


# ── The one session ────────────────────────────────────────────────────────────────────────

_lock = threading.RLock()
_session: Session | None = None
_owner = 0


class _Held:
    """The running session, for one request at a time. A forked child gets its own."""

    __slots__ = ()

    def __enter__(self) -> Session:
        _lock.acquire()
        try:
            return _current()
        except BaseException:
            _lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        _lock.release()


_held = _Held()


def session() -> _Held:
    """What a `with` holds the running session by."""
    return _held


def _current() -> Session:
    global _session, _owner
    if _session is None or _session.dead or _owner != os.getpid():
        _session = Session()
        _owner = os.getpid()
    return _session


def start() -> None:
    """Starts the process, without waiting for it."""
    with _lock:
        _current()


def stop() -> None:
    """Ends the process; the next call starts another."""
    global _session
    with _lock:
        if _session is not None and not _session.dead and _owner == os.getpid():
            _session.close()
            _habits.note_end()
        _session = None


atexit.register(stop)
