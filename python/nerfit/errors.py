"""What nerfit raises: a class for every status of ``nerfit.h``, all :class:`NerfitError`."""

from __future__ import annotations


class NerfitError(Exception):
    """An error of the library.

    ``str(error)`` is the whole message, ``file:line:column:`` included where the error lies in an
    input. The same place for programs: ``file`` (or ``""``), ``line`` and ``column`` (counted from
    1; 0: unknown).
    """

    file: str = ""
    line: int = 0
    column: int = 0


class OutOfMemoryError(NerfitError, MemoryError):
    """Out of memory."""


class FileError(NerfitError, OSError):
    """A file could not be read or written."""


class FormatError(NerfitError, ValueError):
    """An input is malformed."""


class ArgumentError(NerfitError, ValueError):
    """An argument or option is wrong."""


class UnsupportedError(NerfitError, NotImplementedError):
    """Something valid that this version does not handle."""


class CancelledError(NerfitError):
    """A callback asked to stop; a checkpoint has been written."""


class NumericError(NerfitError, ArithmeticError):
    """A computation gave no finite result."""


class InternalError(NerfitError, RuntimeError):
    """A defect in nerfit."""
