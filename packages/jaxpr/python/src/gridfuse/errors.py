"""What can go wrong, as exceptions: one base class, the engine's stable codes in `code`."""

from __future__ import annotations


class GridfuseError(Exception):
    """An error of gridfuse. `code` is the engine's (GF….), or None where Python found it itself."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class Unsupported(GridfuseError, NotImplementedError):
    """A program that gridfuse cannot run; names the primitive and the line of Python it came from.

    Attributes:
      primitive: `module:name` of the primitive, where one is to blame.
      source: `file:line:function`, where it is known.
    """

    def __init__(
        self,
        message: str,
        *,
        primitive: str | None = None,
        source: str | None = None,
        code: str | None = None,
    ) -> None:
        place = f"\n  at {source}" if source and source not in message else ""
        super().__init__(message + place, code=code)
        self.primitive = primitive
        self.source = source


class EngineDied(GridfuseError):
    """The Node process ended while it was asked something. The next call starts another."""
