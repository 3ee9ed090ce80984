"""Who is told of a training besides functions of an Event: transformers' callback classes, and the
trackers that ``report_to`` names (TensorBoard, Weights & Biases, MLflow)."""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from . import _values
from .errors import ArgumentError

_logger = logging.getLogger("nerfit")

# ------------------------------------------------------------------ transformers' callbacks

_HOOKS = {
    "on_init_end",
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_step_begin",
    "on_step_end",
    "on_log",
    "on_evaluate",
    "on_save",
}


@dataclass
class TrainerState:
    """What transformers' TrainerState says, as far as it is known here; of the stage at hand."""

    epoch: float = 0.0
    global_step: int = 0
    max_steps: int = 0
    num_train_epochs: int = 0
    log_history: list[dict[str, Any]] = field(default_factory=list)
    stage: int = 0
    stage_name: str = ""
    is_local_process_zero: bool = True
    is_world_process_zero: bool = True
    is_hyper_param_search: bool = False
    best_metric: Optional[float] = None
    best_model_checkpoint: Optional[str] = None
    trial_name: Optional[str] = None


@dataclass
class TrainerControl:
    """transformers' TrainerControl. ``should_training_stop`` stops the run and leaves a checkpoint;
    the others are the library's to decide, and setting them is warned about."""

    should_training_stop: bool = False
    should_epoch_stop: bool = False
    should_save: bool = False
    should_evaluate: bool = False
    should_log: bool = False


def is_transformers_callback(value: Any) -> bool:
    """Whether it has transformers' hooks (its class, or an object of it)."""
    return any(callable(getattr(value, name, None)) for name in _HOOKS)


class TransformersCallback:
    """Calls an object of transformers' TrainerCallback with arguments, state and control."""

    def __init__(self, callback: Any, args: Any) -> None:
        self.callback = callback() if isinstance(callback, type) else callback
        self.args = args
        self.state, self.control = TrainerState(), TrainerControl()
        self.epoch = -1
        self.warned = False
        self._tell("on_init_end")

    def _tell(self, name: str, **more: Any) -> None:
        hook = getattr(self.callback, name, None)
        if hook is None:
            return
        given = hook(self.args, self.state, self.control, model=None, **more)
        self.control = self.control if given is None else given
        control = self.control
        asked = control.should_save or control.should_evaluate or control.should_log
        if (asked or control.should_epoch_stop) and not self.warned:
            self.warned = True
            _logger.warning(
                "%s asks for a save, an evaluation, a log entry or an epoch's end: when these come is "
                "what save_steps, eval_steps and logging_steps say; only should_training_stop acts",
                type(self.callback).__name__,
            )
        control.should_save = control.should_evaluate = control.should_log = False
        control.should_epoch_stop = False

    def __call__(self, event: Any) -> Optional[bool]:
        if event.fold:  # a calibration's training is none of the run's
            return None
        state = self.state
        state.epoch, state.global_step = event.epoch, event.step
        state.max_steps = event.total_steps
        state.stage, state.stage_name = event.stage, event.stage_name
        if event.kind == "begin":
            state.log_history, self.epoch = [], -1
            self._tell("on_train_begin")
            self._begin_step()
        elif event.kind == "step":
            self._tell("on_step_end")
            if event.step < event.total_steps:
                self._begin_step()
        elif event.kind == "log":
            state.log_history.append({**event.metrics, "step": event.step})
            self._tell("on_log", logs=dict(event.metrics))
        elif event.kind == "evaluate":
            state.log_history.append({**event.metrics, "step": event.step})
            self._tell("on_evaluate", metrics=dict(event.metrics))
        elif event.kind == "save":
            self._tell("on_save")
        elif event.kind == "end":
            if self.epoch >= 0:
                self._tell("on_epoch_end")
            self._tell("on_train_end")
        return False if self.control.should_training_stop else None

    def _begin_step(self) -> None:
        epoch = int(self.state.epoch + 1e-9)
        if epoch != self.epoch:
            if self.epoch >= 0:
                self._tell("on_epoch_end")
            self.epoch = epoch
            self._tell("on_epoch_begin")
        self._tell("on_step_begin")


# ------------------------------------------------------------------ trackers


def _scalars(event: Any) -> dict[str, float]:
    """"train/loss", "eval/overall_f1": as transformers names them."""
    found = {}
    for name, value in event.metrics.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or name == "step":
            continue
        place = name.replace("eval_", "eval/", 1) if name.startswith("eval_") else f"train/{name}"
        found[place] = float(value)
    return found


def _run_name(args: Any) -> str:
    """transformers' run_name, or the folder's."""
    given = getattr(args, "run_name", None)
    return str(given) if given else os.path.basename(os.path.abspath(args.output_dir))


class _TensorBoard:
    """Event files in output_dir/runs, a folder a stage."""

    def __init__(self, args: Any) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            raise ArgumentError(
                'report_to="tensorboard" takes the package tensorboard (pip install tensorboard)'
            ) from None
        self.event, self.summary, self.writer_of = Event, Summary, EventFileWriter
        name = f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}"
        self.folder = getattr(args, "logging_dir", None) or os.path.join(args.output_dir, "runs", name)
        self.writers: dict[int, Any] = {}

    def __call__(self, event: Any) -> None:
        scalars = _scalars(event)
        if scalars and event.stage not in self.writers:
            self.writers[event.stage] = self.writer_of(
                os.path.join(self.folder, f"stage{event.stage}")
            )
        if scalars:
            values = [self.summary.Value(tag=t, simple_value=v) for t, v in scalars.items()]
            entry = self.event(wall_time=time.time(), step=event.step)
            entry.summary.CopyFrom(self.summary(value=values))
            self.writers[event.stage].add_event(entry)

    def close(self) -> None:
        for writer in self.writers.values():
            writer.close()


class _Wandb:
    def __init__(self, args: Any) -> None:
        try:
            import wandb
        except ImportError:
            raise ArgumentError(
                'report_to="wandb" takes the package wandb (pip install wandb)'
            ) from None
        self.own = wandb.run is None
        self.run = wandb.run or wandb.init(
            project=os.environ.get("WANDB_PROJECT", "nerfit"),
            name=_run_name(args),
            config=args.to_sanitized_dict(),
        )

    def __call__(self, event: Any) -> None:
        scalars = {f"stage{event.stage}/{name}": v for name, v in _scalars(event).items()}
        if scalars:
            self.run.log({**scalars, f"stage{event.stage}/step": event.step})

    def close(self) -> None:
        if self.own:
            self.run.finish()


class _MLflow:
    def __init__(self, args: Any) -> None:
        try:
            import mlflow
        except ImportError:
            raise ArgumentError(
                'report_to="mlflow" takes the package mlflow (pip install mlflow-skinny)'
            ) from None
        self.mlflow = mlflow
        self.own = mlflow.active_run() is None
        if self.own:
            mlflow.start_run(run_name=_run_name(args))
        given = {n: v for n, v in args.to_sanitized_dict().items() if n in args._given}
        mlflow.log_params({name: str(value)[:500] for name, value in given.items()})

    def __call__(self, event: Any) -> None:
        for name, value in _scalars(event).items():
            self.mlflow.log_metric(f"stage{event.stage}/{name}", value, step=event.step)

    def close(self) -> None:
        if self.own:
            self.mlflow.end_run()


_TRACKERS: dict[str, Callable[[Any], Any]] = {
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
    "mlflow": _MLflow,
}


def tracker_names(report_to: Any) -> list[str]:
    """What ``report_to`` names; "all": what is installed."""
    from importlib.util import find_spec

    names = [] if report_to is None else report_to
    if not isinstance(names, (str, list, tuple, set, frozenset)):
        raise ArgumentError(f"report_to: {_values.shown(names)} is no name and no list of names")
    names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    found: list[str] = []
    for name in names:
        if name == "all":
            found += [n for n in _TRACKERS if find_spec(n)]  # packages have the trackers' names
        elif name not in ("none", ""):
            found.append(name)
    for name in found:
        if name not in _TRACKERS:
            known = ", ".join(["none", "all", *_TRACKERS])
            raise ArgumentError(f"report_to: {_values.shown(name)} is not one of {known}")
    return list(dict.fromkeys(found))


class Trackers:
    """Tells all trackers of a run's own training, from its first event on."""

    def __init__(self, args: Any) -> None:
        self.args, self.names = args, tracker_names(args.report_to)
        self.open: list[Any] | None = None

    def __call__(self, event: Any) -> None:
        if self.open is None:
            self.open = [_TRACKERS[name](self.args) for name in self.names]
        if not event.fold:
            for tracker in self.open:
                tracker(event)

    def close(self) -> None:
        for tracker in self.open or []:
            tracker.close()
        self.open = None
