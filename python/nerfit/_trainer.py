"""Trainer: a training run with Python's data, callbacks and Ctrl-C."""

from __future__ import annotations

import ctypes
import html
import inspect
import json
import os
import warnings
from ctypes import byref
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, overload
from collections.abc import Iterable, Mapping, Sequence

from . import _data, _job, _library, _progress, _transfer, _values
from ._arguments import TrainingArguments
from ._callbacks import Trackers, TransformersCallback, is_transformers_callback, tracker_names
from ._interrupt import Run
from ._corpus import log_function
from ._model import Model, Report, Threshold, load, make_report
from ._predictions import Entities, Predictions, data_frame
from .errors import ArgumentError

#: Hooks of the original's Trainer, and of transformers', that nothing calls here; and what does
#: the same.
_HOOKS = {
    "_prepare_tokenizer": "the tokenizer is the one in model_name's folder",
    "_prepare_model": "the model is model_name",
    "_prepare_dataset": "override _parse_annotation",
    "_prepare_dataloader": "",
    "_data_collator": "",
    "_configure_optimizer": "the optimizer is AdamW: learning_rate, adam_beta1, weight_decay, ...",
    "_training_step": "callbacks are told of every step",
    "_evaluate": "callbacks are told of every evaluation",
    "_prepare_dataset_pretraining": "override _parse_annotation",
    "_prepare_dataset_ner": "override _parse_annotation",
    "_prepare_data_collator": "",
    "_prepare_data_collator_pretraining": "",
    "_prepare_data_collator_ner": "",
    "_prepare_pretraining_config": "give TrainingArguments a pair, (stage 1, stage 2)",
    "_prepare_ner_config": "give TrainingArguments a pair, (stage 1, stage 2)",
    "_fit_pretraining": "",
    "_fit_ner": "",
    "_setup_ner_checkpoint": "",
    "_compute_metrics": "metrics are seqeval's; callbacks are told of them",
    "compute_metrics": "metrics are seqeval's; callbacks are told of them",
    "compute_loss": "",
    "training_step": "callbacks are told of every step",
    "prediction_step": "",
    "evaluation_loop": "",
    "prediction_loop": "",
    "get_train_dataloader": "",
    "get_eval_dataloader": "",
    "create_optimizer": "the optimizer is AdamW: learning_rate, adam_beta1, weight_decay, ...",
    "create_scheduler": "give TrainingArguments lr_scheduler_type",
    "create_optimizer_and_scheduler": "give TrainingArguments lr_scheduler_type",
    "log": "callbacks are told of every log entry",
}

_EVENTS = ("begin", "step", "log", "evaluate", "save", "end")


@dataclass(frozen=True)
class Event:
    """What a callback is told."""

    kind: str
    """"begin" (a stage begins), "step" (after every optimizer step), "log", "evaluate", "save"
    (a checkpoint was written), "end" (a stage has ended)."""
    stage: int
    """1 or 2."""
    stage_name: str
    step: int
    total_steps: int
    epoch: float
    loss: float
    """Of the last step."""
    metrics: dict[str, Any]
    """Of "log": loss, learning_rate, grad_norm, ...; of "evaluate": eval_loss,
    eval_overall_f1, ...; else empty."""
    path: str | None
    """Of "save": the checkpoint's folder."""
    fold: int = 0
    """0: the run's own training. Once its model is in ``best/``, calibration by cross-validation
    trains `folds` models more; of these "begin", "step" and "end" are told, with 1, 2, ... here."""
    folds: int = 0

    @property
    def title(self) -> str:
        """What is being trained: "stage 2: word classification", "calibration: training 1 of 3"."""
        if self.fold:
            return f"calibration: training {self.fold} of {self.folds}"
        return f"stage {self.stage}: {self.stage_name}"


#: Is called with every event, on the thread that trains; returns False to stop the run.
Callback = Callable[[Event], Optional[bool]]


@dataclass(frozen=True)
class TrainResult:
    """What a run has left."""

    model_folder: str
    """The model to use; "" where another rank of an MPI job has it."""
    report: Report | None
    """Scores of the final model, if there were data to score."""
    report_of: str | None
    """"test" or "validation"."""
    seconds: float
    page: str | None
    """report.html: curves, scores, the mistakes in their texts; a pre-training has none."""
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the run used, by training_args.json; under "chosen_by_recipe" what was not given and the
    recipe chose: ``result.options["chosen_by_recipe"]["max_steps"]``."""
    rank: int = field(default=0, repr=False)
    """This process's in the job that mpirun started. Rank 0 has the model; the others' result says
    nothing else."""

    def to_pandas(self) -> Any:
        """The run's metrics.jsonl: a row a log entry or an evaluation, with "stage", "step", "loss",
        "eval_loss", ...; what an entry does not have is NaN."""
        path = os.path.join(os.path.dirname(self.model_folder), "metrics.jsonl")
        with open(path, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
        columns = list(dict.fromkeys(name for entry in entries for name in entry))
        return data_frame(([entry.get(name) for name in columns] for entry in entries), columns)

    def _repr_html_(self) -> str:
        scores = self.report._repr_html_() if self.report else ""
        of = f", scored on the {self.report_of} texts" if self.report else ""
        folder = html.escape(self.model_folder)
        return f"<p>Model in <code>{folder}</code> ({self.seconds:.0f} s){of}</p>{scores}"


def _callables(callbacks: Any, args: Any = None) -> list[Callback]:
    """Functions of an Event; objects and classes of transformers' TrainerCallback become such."""
    expected = "expected functions of an Event or transformers' TrainerCallbacks, in a list"
    if callable(callbacks) or is_transformers_callback(callbacks):
        raise ArgumentError(f"callbacks: {_values.shown(callbacks)} alone; {expected}")
    try:
        many = list(callbacks)
    except TypeError:
        raise ArgumentError(f"callbacks: {_values.shown(callbacks)}; {expected}") from None
    for i, callback in enumerate(many):
        if is_transformers_callback(callback):
            many[i] = TransformersCallback(callback, args)
        elif not callable(callback):
            raise ArgumentError(f"callbacks[{i}]: {_values.shown(callback)}; {expected}")
    return many


def _event(given: _library.Event) -> Event:
    return Event(
        kind=_EVENTS[given.kind],
        stage=given.stage,
        stage_name=given.stage_name.decode(),
        step=given.step,
        total_steps=given.total_steps,
        epoch=given.epoch,
        loss=given.loss,
        metrics=json.loads(given.json) if given.json else {},
        path=os.fsdecode(given.path) if given.path else None,
        fold=given.fold,
        folds=given.folds,
    )


class _Training(Run):
    """Passes the library's events on to callbacks."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        super().__init__(_library.EventFunction)
        self.callbacks = callbacks

    def tell(self, given: Any) -> bool:
        if not self.callbacks:
            return True
        event = _event(given)
        # each hears of it, even if an earlier one wants to stop
        answers = [callback(event) for callback in self.callbacks]
        return not any(answer is False for answer in answers)


class Trainer:
    """Trains a model in two stages, and uses it.

    A subclass may give `_parse_annotation`, which turns annotations of any format into texts with
    entities. Annotations are read here already, so that mistakes show before the training.

    Args:
        args: the options.
        callbacks: called with every :class:`Event`; one that returns False stops the run and leaves
            a checkpoint. So does one that raises; the exception then comes out of :meth:`train`.
            Objects (or classes) of transformers' TrainerCallback are called with `args`, a state
            and a control, of which ``should_training_stop`` acts.
        progress: show progress on stderr, with tqdm if it is installed; by default unless the
            arguments have transformers' ``disable_tqdm``.

    A subclass may also give the original's `_prepare_embeddings`, whose result takes the place of
    ``ent2emb``. Its other hooks, and transformers', are never called: a warning names each.
    """

    def __init__(
        self,
        args: TrainingArguments,
        callbacks: Iterable[Callback] = (),
        progress: bool | None = None,
    ) -> None:
        if not isinstance(args, TrainingArguments):
            raise ArgumentError(f"args: expected TrainingArguments, not {_values.shown(args)}")
        self._tell_of_hooks()
        self.args = args = self._with_embeddings(args)
        self.callbacks: list[Callback] = _callables(callbacks, args)
        tracker_names(args.report_to)
        self.progress = shows_progress(args, progress)
        self.result: TrainResult | None = None
        self._model: Model | None = None
        self._corpora = self._read()

    def _read(self) -> dict[str, _data.Corpus | None]:
        names = ("train_annotations", "val_annotations", "test_annotations")
        return {name: self._corpus(getattr(self.args, name), name) for name in names}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_corpora": None}  # they are read again

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._corpora = self._read()

    def _tell_of_hooks(self) -> None:
        """What a subclass overrides in vain: it would train something else than it says."""
        own = [name for name in _HOOKS if callable(getattr(self, name, None))]
        for name in own:
            advice = f"; {_HOOKS[name]}" if _HOOKS[name] else ""
            warnings.warn(
                f"{type(self).__name__}.{name} is never called: nerfit's library trains, not "
                f"Python{advice}",
                stacklevel=3,
            )

    def _with_embeddings(self, args: TrainingArguments) -> TrainingArguments:
        """With what a subclass's `_prepare_embeddings` gives."""
        if type(self)._prepare_embeddings is Trainer._prepare_embeddings:
            return args
        self.args = args  # the original's hooks read it
        takes = inspect.signature(self._prepare_embeddings).parameters
        found = self._prepare_embeddings(*([args.ent2emb] if takes else []))
        if not isinstance(found, Mapping):
            raise ArgumentError(
                f"_prepare_embeddings gave {_values.shown(found)}; expected a dictionary of labels with "
                "their embeddings or descriptions"
            )
        return args.update({"ent2emb": found})

    def _prepare_embeddings(self, ent2emb: Any) -> Any:
        """What the labels mean: to be overridden, with or without the argument (``args.ent2emb``)."""
        return ent2emb

    @staticmethod
    def _parse_annotation(annotations: list[Any]) -> list[Any]:
        """Texts with entities from annotations in a format of one's own: to be overridden.

        Returns a list of ``{"text": str, "entities": [[start, end, label], ...]}`` (or the entities
        as dictionaries); offsets are indices of the text, end exclusive. Here: annotations as they
        are, which may be such dictionaries, bracket texts or lines of JSON.
        """
        return annotations

    def _has_own_format(self) -> bool:
        return type(self)._parse_annotation is not Trainer._parse_annotation

    def _corpus(self, annotations: _data.Annotations | None, name: str) -> _data.Corpus | None:
        """None: the library reads the file by itself, or there is none."""
        if annotations is None:
            return None
        places = None
        if isinstance(annotations, (str, os.PathLike)):
            if not self._has_own_format():
                return None
            annotations, places = _data.lines_of(annotations)
        format = self.args.annotation_format
        return _data.fill(annotations, name, self._parse_annotation, log_function, format, places)

    def _configure(self, resume: bool | str | None) -> Any:
        config = self.args._config()
        if resume is not None:
            config.set("resume_from_checkpoint", resume)
        for name, corpus in self._corpora.items():
            if corpus is not None:
                _library.call("config_set_corpus", config.address, name.encode(), corpus.address)
        if isinstance(self.args.ent2emb, Mapping):
            _data.set_ent2emb(config.address, self.args.ent2emb)
        return config

    def train(self, resume_from_checkpoint: bool | str | None = None) -> TrainResult:
        """Runs both stages; the model is then in ``output_dir/best``.

        Args:
            resume_from_checkpoint: True: go on from output_dir's newest checkpoint, or behind what
                is finished; or a checkpoint's folder. The result has the same bits as that of a run
                never stopped.

        Under Open MPI's ``mpirun -n N python ...`` all N processes train one model, as ``nerfit
        train`` does there (docs/scale.md); a process can train so once. Callbacks are called in all
        of them; rank 0 alone has progress, messages and trackers.

        Raises:
            KeyboardInterrupt: Ctrl-C; a checkpoint was written after the current step (while a
                model is downloaded: what has come is kept).
            CancelledError: a callback returned False; a checkpoint was written.
            NerfitError: what else went wrong, with the place in the input.
        """
        config = self._configure(resume_from_checkpoint)
        self.result = run("train", self.args, config, self.callbacks, self.progress)
        self._model = None
        return self.result

    @property
    def model(self) -> Model:
        """The trained model."""
        if self._model is None:
            if self.result is None:
                raise ArgumentError("there is no model yet: call train() first")
            if self.result.rank > 0:
                raise ArgumentError(
                    f"rank {self.result.rank} has no model: go on where trainer.result.rank is 0"
                )
            args = self.args
            self._model = load(self.result.model_folder, args.backend, args.precision, args.threads)
        return self._model

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, texts: str, threshold: Threshold = ...
    ) -> Entities: ...
    @overload
    def predict(self, texts: Iterable[str], threshold: Threshold = ...) -> Predictions: ...
    def predict(
        self, texts: Any, threshold: Threshold = None
    ) -> Entities | Predictions:
        """The entities of one text, or of every text of a list: see :meth:`Model.predict`."""
        found: Entities | Predictions = self.model.predict(texts, threshold)
        return found

    def save_model(self, output_dir: str | os.PathLike[str]) -> str:
        """As :meth:`Model.save_pretrained`."""
        return self.model.save_pretrained(output_dir)

    def push_to_hub(self, name: str, **options: Any) -> str:
        """As :meth:`Model.push_to_hub`."""
        return self.model.push_to_hub(name, **options)

    def evaluate(
        self,
        annotations: _data.Annotations | None = None,
        mode: str = "default",
        words: bool = False,
        threshold: Threshold = None,
    ) -> Report:
        """Scores the trained model on annotations as `train_annotations` has them; by default on
        the validation data. See :meth:`Model.evaluate`."""
        if annotations is None:
            annotations = self.args.val_annotations
        if annotations is None:
            raise ArgumentError("there are no validation data: give annotations to evaluate on")
        corpus = self._corpus(annotations, "annotations")
        if corpus is None:
            return self.model.evaluate(annotations, mode, words, self.args.annotation_format, threshold)
        return self.model.evaluate_corpus(corpus, mode, words, threshold)


def shows_progress(args: TrainingArguments, progress: bool | None) -> bool:
    return not getattr(args, "disable_tqdm", False) if progress is None else progress


def run(
    function: str,
    args: TrainingArguments,
    config: Any,
    callbacks: Sequence[Callback],
    show_progress: bool,
) -> TrainResult:
    """Runs ``nerfit_train`` or ``nerfit_pretrain``, with what Python does for them: trackers, progress,
    callbacks, Ctrl-C."""
    rank, _ = _job.join(config)
    speaks = rank == 0
    show_progress = show_progress and speaks
    trackers, progress = Trackers(args), _progress.make() if show_progress else None
    for callback in callbacks:
        if isinstance(callback, TransformersCallback):
            callback.state.is_world_process_zero = speaks
    told: list[Callback] = [*([progress] if progress else []), *callbacks]
    training = _Training([*told, trackers] if trackers.names and speaks else told)
    transfers = _transfer.Transfers(training, show_progress)
    given = _library.TrainResult()

    def work() -> TrainResult:
        functions = _library.Callbacks(
            event=training.function, transfer=transfers.function
        )
        if speaks:
            functions.log = log_function
        with transfers:
            _library.call(function, config.address, byref(functions), byref(given))
        return _take_result(given) if speaks else TrainResult("", None, None, 0.0, None, rank=rank)

    try:
        return training.of(work, f" ({function}(resume_from_checkpoint=True))")
    finally:
        if progress:
            progress.close()
        trackers.close()


def _options_of(model_folder: str) -> dict[str, Any]:
    path = os.path.join(os.path.dirname(model_folder), "training_args.json")
    try:
        with open(path, encoding="utf-8") as file:
            options: dict[str, Any] = json.load(file)
    except (OSError, ValueError):  # its folder was taken away meanwhile
        return {}
    return options


def _take_result(given: _library.TrainResult) -> TrainResult:
    try:
        options = _options_of(os.fsdecode(ctypes.string_at(given.model_folder)))
        return TrainResult(
            model_folder=os.fsdecode(ctypes.string_at(given.model_folder)),
            report=make_report(given.report) if given.report.text else None,
            report_of=given.report_of.decode() if given.report_of else None,
            seconds=given.seconds,
            page=os.fsdecode(ctypes.string_at(given.page)) if given.page else None,
            options=options,
        )
    finally:
        _library.call("train_result_free", byref(given))
