"""Ctrl-C while the library works."""

from __future__ import annotations

import signal
import threading
from typing import Any

from . import _library
from .errors import CancelledError


class Interrupt:
    """A context in which Ctrl-C only leaves a mark.

    Python would raise KeyboardInterrupt inside a callback of C, even before the callback's first
    line, and it cannot pass through C. A handler of one's own for SIGINT is left alone, and threads
    other than the main one get no signals.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._previous: Any = None

    def _on_interrupt(self, number: int, frame: Any) -> None:
        self.interrupted = True

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None


class Call(Interrupt):
    """A call of the library that Ctrl-C ends within a batch: its options, and a context that raises
    KeyboardInterrupt where it was ended."""

    def __enter__(self) -> Call:
        super().__enter__()
        main = threading.current_thread() is threading.main_thread()
        self.go_on = _library.GoOnFunction(lambda user: not self.interrupted)
        if not main:
            self.go_on = _library.GoOnFunction()
        self.options = self.options_of(None)
        return self

    def options_of(self, given: Any) -> Any:
        """Options of the call, with what asks whether to go on; None: no others."""
        options = given if given is not None else _library.CallOptions()
        options.go_on = self.go_on
        return options

    def __exit__(self, kind: Any, *_: Any) -> None:
        super().__exit__()
        if self.interrupted and kind in (None, CancelledError):
            raise KeyboardInterrupt from None
