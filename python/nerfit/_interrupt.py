"""Ctrl-C while the library works."""

from __future__ import annotations

import signal
import threading
from typing import Any


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
