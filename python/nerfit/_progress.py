"""What a run shows on stderr: tqdm's bars if tqdm is installed, else a line for every log entry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._trainer import Event

_SHOWN = (
    "loss",
    "grad_norm",
    "learning_rate",
    "eval_loss",
    "eval_overall_precision",
    "eval_overall_recall",
    "eval_overall_f1",
)


def _line(event: Event) -> str:
    values = [f"{name} {event.metrics[name]:.4g}" for name in _SHOWN if name in event.metrics]
    place = f"stage {event.stage}  step {event.step}/{event.total_steps}  epoch {event.epoch:.2f}"
    return "  ".join([place, *values])


class Lines:
    def __call__(self, event: Event) -> None:
        if event.kind == "begin":
            self._print(f"{event.title}, {event.total_steps} steps")
        elif event.metrics:
            self._print(_line(event))

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Bars(Lines):
    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any | None = None

    def __call__(self, event: Event) -> None:
        if event.kind == "begin":
            self.close()
            self._bar = self._tqdm(
                total=event.total_steps,
                initial=event.step,
                desc=event.title,
                unit="step",
            )
        elif event.kind == "step" and self._bar is not None:
            self._bar.set_postfix(loss=f"{event.loss:.4f}", refresh=False)
            self._bar.update(event.step - self._bar.n)
        elif event.kind == "end":
            self.close()
        elif event.metrics:
            self._tqdm.write(_line(event), file=sys.stderr)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def make() -> Lines:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return Lines()
    return Bars(tqdm)
