"""Ctrl-C while the library works."""

from __future__ import annotations

import signal
import threading
from typing import Any, Callable, TypeVar

from . import _library
from .errors import CancelledError

_Result = TypeVar("_Result")


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

    def __exit__(self, kind: Any = None, *_: Any) -> None:
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

    def __exit__(self, kind: Any = None, *_: Any) -> None:
        super().__exit__()
        if self.interrupted and kind in (None, CancelledError):
            raise KeyboardInterrupt from None


class Run(Interrupt):
    """A long call of the library that tells of its steps: `function` is its callback, of the given
    type. The call ends early where `tell` (a subclass's) answers False or raises, or at Ctrl-C."""

    def __init__(self, function_type: Any) -> None:
        super().__init__()
        self.raised: BaseException | None = None
        self.function = function_type(self._on_step)

    def tell(self, given: Any) -> bool:
        """Tells Python of a step; False ends the call."""
        raise NotImplementedError

    def _on_step(self, user: Any, given: Any) -> bool:
        try:
            return self.tell(given.contents) and not self.interrupted
        except BaseException as raised:
            self.raised = raised
            return False

    def of(self, work: Callable[[], _Result], hint: str = "") -> _Result:
        """What the work gives, which calls the library. Raises what `tell` has raised, and
        KeyboardInterrupt for Ctrl-C, also where it came too late to stop the work; `hint` stands
        behind its words."""
        cancelled: CancelledError | None = None
        results: list[_Result] = []
        try:
            with self:
                results.append(work())
        except CancelledError as error:
            cancelled = error
        if self.raised is not None:
            raise self.raised
        if self.interrupted:
            raise KeyboardInterrupt(*(() if cancelled is None else (f"{cancelled}{hint}",)))
        if cancelled is not None:
            raise cancelled
        return results[0]
