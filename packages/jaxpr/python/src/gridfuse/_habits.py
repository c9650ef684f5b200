"""Whether this process will compile anything, judged by what the last one of the same program did.

The engine warms itself up where a kernel is likely to be compiled, which costs a core that does something else. Where
every kernel's plan was found, or there was no kernel, the same is expected of the next process of that program: its
script in its folder. An empty file beside the plans says so; the first kernel that is compiled after all removes it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
from pathlib import Path

from gridfuse._node import cache_folder

_compiled = False


@functools.cache
def _mark() -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        program = "\0".join([os.path.abspath(sys.argv[0]), os.getcwd()])
    except (OSError, AttributeError, IndexError):
        return None
    return folder / f"idle-{hashlib.sha256(program.encode(errors='replace')).hexdigest()[:32]}"


def expects_to_compile() -> bool:
    mark = _mark()
    return mark is None or _compiled or not mark.exists()


def note_compiled() -> None:
    """A kernel whose plan was not kept."""
    global _compiled
    mark = _mark()
    if not _compiled and mark is not None:
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)
    _compiled = True


def note_end() -> None:
    """The process ends."""
    mark = _mark()
    if not _compiled and mark is not None and mark.parent.exists():
        with contextlib.suppress(OSError):
            mark.touch()
