"""Pre-training on other label sets, and experiments with few examples."""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import byref
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union
from collections.abc import Iterable, Sequence

from . import _job, _library
from ._arguments import TrainingArguments
from ._corpus import log_function
from ._interrupt import Run
from ._predictions import data_frame
from ._trainer import Callback, Trainer, TrainResult, _callables, run, shows_progress

_Path = Union[str, "os.PathLike[str]"]


def pretrain(
    model_name: _Path,
    pretrain_annotations: _Path | Sequence[_Path],
    pretrain_ent2emb: _Path | Sequence[_Path] | None = None,
    *,
    callbacks: Iterable[Callback] = (),
    progress: bool | None = None,
    **options: Any,
) -> TrainResult:
    """Pre-trains an encoder on annotated texts of other label sets, as ``nerfit pretrain`` does; the
    result's ``model_folder`` is what ``model_name`` or ``pretrained`` of a training take, and what
    ``nerfit.load(folder, labels=...)`` tags with zero-shot.

    Args:
        model_name: the encoder.
        pretrain_annotations: files, folders of NAME.txt with NAME.yaml, or manifests.
        pretrain_ent2emb: the files' descriptions, in the same order.
        callbacks, progress: as :class:`Trainer` has them.
        **options: those of :class:`TrainingArguments` that pre-training uses (``nerfit help
            pretrain``): ``output_dir``, ``max_steps``, ``peft_lora``, ...; and ``report_to``,
            ``disable_tqdm``.
    """
    nothing: Any = None  # its texts are the label sets'
    args = TrainingArguments(
        model_name,
        nothing,
        pretrain_annotations=pretrain_annotations,
        pretrain_ent2emb=pretrain_ent2emb,
        **options,
    )
    told = _callables(callbacks, args)
    return run("pretrain", args, args._config(), told, shows_progress(args, progress))


@dataclass(frozen=True)
class FewshotProgress:
    """What a callback of :func:`fewshot` is told."""

    finished: int
    runs: int
    """All runs, those of earlier calls included."""
    k: int
    seed: int
    recipe: str
    done: bool
    """The run at hand is finished, and `f1` and `seconds` are there."""
    f1: float
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class FewshotResult:
    """Mean and deviation of F1 over the seeds, for every k and recipe."""

    table: list[dict[str, Any]]
    runs: list[dict[str, Any]] = field(repr=False)
    text: str = field(repr=False)
    markdown: str = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def to_pandas(self) -> Any:
        """A DataFrame with a row a run."""
        return data_frame(self.runs)


class _Fewshot(Run):
    def __init__(self, callback: Callable[[FewshotProgress], Optional[bool]] | None) -> None:
        super().__init__(_library.FewshotFunction)
        self.callback = callback

    def tell(self, given: Any) -> bool:
        if not self.callback or given.event:
            return True
        told = FewshotProgress(
            finished=given.finished,
            runs=given.runs,
            k=given.k,
            seed=given.seed,
            recipe=given.recipe.decode(),
            done=given.done,
            f1=given.f1,
            seconds=given.seconds,
            seconds_left=given.seconds_left if given.seconds_left >= 0 else None,
        )
        return self.callback(told) is not False


def _list(value: Any) -> bytes | None:
    """1, [1, 4] or "1,4" as the library takes lists."""
    if value is None:
        return None
    if isinstance(value, (str, int)):
        value = [value]
    return _library.encode(",".join(str(v) for v in value), "list")


def fewshot(
    args: TrainingArguments,
    k: int | Sequence[int] | str = (1, 4, 16, 64),
    seeds: int | Sequence[int] | str = 3,
    recipes: str | Sequence[str] | None = None,
    samples: _Path | None = None,
    pretrained: _Path | None = None,
    negatives: str | int | None = None,
    callback: Callable[[FewshotProgress], Optional[bool]] | None = None,
) -> FewshotResult:
    """What so many examples are worth: draws samples of ``args.train_annotations``, trains on each
    with each recipe, and scores on ``args.test_annotations``. Finished runs stand in
    ``args.output_dir`` and are not run again.

    Args:
        k: mentions of every entity type in a sample.
        seeds: 3 is 0, 1, 2; a list, or "0-4".
        recipes: "plain", "original", "nerfit", "nerfit+pretrained", or one's own,
            ``"name:option=value,option=value"``.
        samples: a folder with kK-sS.jsonl instead of samples of the training texts.
        pretrained: of recipes that end in +pretrained: a folder that pre-training wrote.
        negatives: texts without an entity in a sample: 10, "20%".
        callback: told of every run; returns False to stop.
    """
    if recipes is not None and not isinstance(recipes, str):
        recipes = ";".join(recipes)
    options = _library.FewshotOptions(
        k=_list(k),
        seeds=_list(seeds),
        recipes=_library.encode_given(recipes, "recipes"),
        samples=_library.encode_path(samples),
        pretrained=_library.encode_path(pretrained),
        negatives=None if negatives is None else _library.encode(str(negatives), "negatives"),
    )
    _job.refuse("fewshot")
    trainer = Trainer(args, progress=False)  # reads the data
    config = trainer._configure(None)
    watch = _Fewshot(callback)
    out = _library.FewshotResult()

    def work() -> FewshotResult:
        _library.call(
            "fewshot", config.address, byref(options), log_function, watch.function, None, byref(out)
        )
        return _take_result(out)

    return watch.of(work)


def _take_result(given: _library.FewshotResult) -> FewshotResult:
    try:
        found = json.loads(ctypes.string_at(given.json))
        text, markdown = (ctypes.string_at(t).decode() for t in (given.text, given.markdown))
        return FewshotResult(found["table"], found["runs"], text, markdown)
    finally:
        _library.call("fewshot_result_free", byref(given))
