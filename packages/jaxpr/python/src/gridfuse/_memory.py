"""Memory that Python and Node share: files on tmpfs that Python maps and Node reads and writes.

Results are handed out where they lie. A block is free again when the last array that shows it is gone, so a
program may hold on to a result for as long as it likes.
"""

from __future__ import annotations

import collections
import mmap
import os
import tempfile
import weakref
from collections.abc import Callable

import numpy as np

# Files grow from the one to the other: reserving memory takes time, and the first call waits for it.
_FIRST_CHUNK = 1 << 20
_CHUNK = 1 << 26
_SMALLEST = 1 << 12


class Block:
    """A piece of a shared file; `bytes` shows it."""

    __slots__ = ("__weakref__", "bytes", "file", "offset", "size")

    def __init__(self, file: int, offset: int, size: int, shown: np.ndarray) -> None:
        self.file = file
        self.offset = offset
        self.size = size
        self.bytes = shown


class SharedMemory:
    """Blocks in files that `announce` tells the other process about.

    Args:
      announce: called with the number and the path of each new file; when it returns, the other
        process has opened it, and its name disappears.
    """

    def __init__(self, announce: Callable[[int, str], None]) -> None:
        self._announce = announce
        self._files = 0
        self._free: dict[int, list[Block]] = collections.defaultdict(list)
        # Finalisers run anywhere, within this class too: they only append.
        self._returned: collections.deque[Block] = collections.deque()
        self._bump: tuple[int, np.ndarray, int] | None = None
        self._chunk = _FIRST_CHUNK

    def take(self, size: int) -> Block:
        """A block of at least `size` bytes, with whatever was in it."""
        while self._returned:
            block = self._returned.popleft()
            self._free[block.size].append(block)
        rounded = max(_SMALLEST, 1 << (size - 1).bit_length()) if size > 1 else _SMALLEST
        if rounded > _CHUNK:
            rounded = -(-size // _SMALLEST) * _SMALLEST
        free = self._free.get(rounded)
        if free:
            return free.pop()
        return self._carve(rounded)

    def give(self, block: Block) -> None:
        self._returned.append(block)

    def array(self, block: Block, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        """The block's contents; it is given back when the array is gone."""
        count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        shown = np.ndarray(shape, dtype, buffer=block.bytes[:count].data)
        weakref.finalize(shown, self._returned.append, block).atexit = False
        return shown

    def _carve(self, size: int) -> Block:
        if size > _CHUNK:
            file, shown = self._new_file(size)
            return Block(file, 0, size, shown)
        if self._bump is None or self._bump[2] + size > len(self._bump[1]):
            while self._chunk < size:
                self._chunk *= 2
            file, shown = self._new_file(self._chunk)
            self._bump = (file, shown, 0)
            self._chunk = min(2 * self._chunk, _CHUNK)
        file, shown, at = self._bump
        self._bump = (file, shown, at + size)
        return Block(file, at, size, shown[at : at + size])

    def _new_file(self, size: int) -> tuple[int, np.ndarray]:
        descriptor, path = _reserve(size)
        try:
            mapped = mmap.mmap(descriptor, size)
            number = self._files
            self._files += 1
            self._announce(number, path)
        finally:
            os.close(descriptor)
            os.unlink(path)
        return number, np.frombuffer(mapped, dtype=np.uint8)


def _reserve(size: int) -> tuple[int, str]:
    """A file whose bytes are really there: a full tmpfs shows itself here, not by a signal at the first write."""
    places = ["/dev/shm", tempfile.gettempdir()]
    for place in places:
        if not os.path.isdir(place):
            continue
        descriptor, path = tempfile.mkstemp(prefix="gridfuse-", dir=place)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                os.ftruncate(descriptor, size)
            return descriptor, path
        except OSError:
            os.close(descriptor)
            os.unlink(path)
            if place == places[-1]:
                raise
    raise MemoryError(f"no directory has room for {size} bytes to share with the engine")
