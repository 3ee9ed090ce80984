"""What comes over the network: bars with tqdm, and Ctrl-C."""

from __future__ import annotations

from typing import Any

from . import _library
from ._interrupt import Interrupt

#: Smaller files are there before a bar is read.
_LEAST = 1 << 20


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    return tqdm


class Transfers:
    """Is told of bytes by the library, several times a second; a context of the call.

    Ctrl-C, or an exception in here, ends the transfer, and is raised when the context ends; a run
    that has a mark of its own (`interrupt`) raises by itself.
    """

    def __init__(self, interrupt: Interrupt | None = None, progress: bool = True) -> None:
        self.own = Interrupt() if interrupt is None else None
        self.interrupt = interrupt or self.own
        self.progress = progress
        self.raised: BaseException | None = None
        self.function = _library.TransferFunction(self._on_transfer)
        self._bar: Any | None = None
        self._file: bytes | None = None

    def _on_transfer(self, user: Any, given: Any) -> bool:
        try:
            if self.progress:
                self._show(given.contents)
        except BaseException as raised:
            self.raised = raised
            return False
        assert self.interrupt is not None
        return not self.interrupt.interrupted

    def _show(self, transfer: _library.Transfer) -> None:
        if not transfer.file or transfer.total < _LEAST:
            return
        if transfer.file != self._file:
            self._close()
            tqdm = _tqdm()
            self._file = transfer.file
            if tqdm is not None:
                self._bar = tqdm(
                    total=transfer.total,
                    desc=transfer.file.decode("utf-8", "replace"),
                    unit="B",
                    unit_scale=True,
                )
        if self._bar is not None:
            self._bar.update(transfer.done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = self._file = None

    def __enter__(self) -> Transfers:
        if self.own is not None:
            self.own.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        self._close()
        if self.own is not None:
            self.own.__exit__()
        if self.raised is not None:
            raise self.raised from None
        if self.own is not None and self.own.interrupted:
            raise KeyboardInterrupt from None
