"""Models: loading, prediction, evaluation."""

from __future__ import annotations

import contextlib
import ctypes
import html
import itertools
import json
import logging
import os
import tempfile
import threading
import time
from ctypes import POINTER, byref, c_size_t, c_void_p
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Union, overload
from collections.abc import Iterable, Iterator, Mapping, Sequence

from . import _data, _library, _transfer, _values
from ._corpus import log_function
from ._interrupt import Call
from .errors import ArgumentError, NerfitError

_logger = logging.getLogger("nerfit")

#: One for all entities, or by label; the key None is for the labels that are not named. None: what
#: the model says (``least_probability`` of its training).
Threshold = Union[float, "Mapping[str | None, float]", None]


#: What to tag: descriptions by label, names, or a file of the former.
Labels = Union[str, "os.PathLike[str]", "Mapping[str, str]", "Iterable[str]"]


class Entity(NamedTuple):
    """An entity of a text: ``text == the_text[start:end]``, indices of the ``str``."""

    start: int
    end: int
    label: str
    text: str
    score: float
    """How sure the model is, 0 to 1; a probability if training calibrated it."""


class Token(NamedTuple):
    """A sub-word with its own label; special tokens are left out."""

    start: int
    end: int
    id: int
    label: str
    text: str
    score: float
    """Probability of the label, 0 to 1."""


@dataclass(frozen=True)
class Report:
    """Precision, recall and F1 (0 to 1) of entities that have the right type and boundaries."""

    precision: float
    """Micro average."""
    recall: float
    """Micro average."""
    f1: float
    """Micro average."""
    details: dict[str, Any] = field(repr=False)
    """The same by entity type ("types") and averaged ("micro", "macro", "weighted"); of an evaluation
    also every mistake ("errors"), "confusion", "semeval", "calibration" and "thresholds"."""
    text: str = field(repr=False)
    """As a table; what ``print(report)`` shows."""
    scores: str = field(default="", repr=False)
    """What the entities' scores are worth, and precision and recall by threshold, as text."""
    analysis: str = field(default="", repr=False)
    """Mistakes counted, the confusion of types and the SemEval'13 measures, as text."""

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """As a notebook shows it: precision, recall and F1 by entity type."""
        rows = sorted(self.details.get("types", {}).items())
        rows.append(("all (micro average)", self.details.get("micro", {})))
        cells = "".join(
            f"<tr><td>{html.escape(label)}</td>"
            + "".join(f"<td>{100 * score[name]:.1f}</td>" for name in ("precision", "recall", "f1"))
            + f"<td>{score['support']}</td></tr>"
            for label, score in rows
            if score
        )
        names = ("type", "precision (%)", "recall (%)", "F1 (%)", "entities")
        head = "".join(f"<th>{name}</th>" for name in names)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"


def make_report(given: _library.Report) -> Report:
    """From the library's report; frees nothing."""
    details = json.loads(ctypes.string_at(given.json))
    text, scores, analysis = (
        ctypes.string_at(t).decode() if t else ""
        for t in (given.text, given.scores, given.analysis)
    )
    return Report(given.precision, given.recall, given.f1, details, text, scores, analysis)


def _threads(threads: int) -> int:
    if isinstance(threads, bool) or not hasattr(threads, "__index__") or threads < 0:
        raise ArgumentError(f"threads: {threads!r} is not a number of threads; 0: all cores")
    return threads


class _Loaded(_library.Handle):
    kind = "model"

    def __init__(self, folder: bytes, options: _library.ModelOptions) -> None:
        super().__init__(folder, byref(options), create="load")


class Weights(_library.Handle):
    """What models share of their weights: several adapters over one base, or one model several times.

    Models that are loaded with the same ``Weights`` hold a file once. An adapter then stays beside its
    base's weights instead of being merged into them: each text takes a little longer, and scores
    differ from those of the merged model by rounding.

    Args:
        backend, precision, threads: as of ``Model``, which then takes them from here.
    """

    kind = "weights"

    def __init__(
        self, backend: str | None = None, precision: str | None = None, threads: int = 0
    ) -> None:
        options = _library.ModelOptions(
            backend=None if backend is None else _library.encode(backend, "backend"),
            precision=None if precision is None else _library.encode(precision, "precision"),
            threads=_threads(threads),
        )
        super().__init__(byref(options))


class _Session(_library.Handle):
    kind = "session"

    def __init__(self, model: _Loaded) -> None:
        self.model = model  # must outlive the session
        self.thresholds: dict[str | None, float] = {}  # none: as the model says
        super().__init__(model.address)

    def set_thresholds(self, thresholds: dict[str | None, float]) -> None:
        """None but these."""
        if thresholds == self.thresholds:
            return
        _library.call("session_reset_thresholds", self.address)
        self.thresholds = {}
        try:
            for label, value in thresholds.items():
                name = None if label is None else _library.encode(label, "threshold")
                _library.call("session_set_threshold", self.address, name, value)
        except NerfitError:
            _library.call("session_reset_thresholds", self.address)
            raise
        self.thresholds = thresholds


def _thresholds(given: Any) -> dict[str | None, float]:
    """By label; None for those that are not named."""
    expected = "expected a number from 0 to 1, or a dictionary of labels to such numbers"
    if given is None:
        return {}
    found: dict[str | None, float] = {}
    for label, value in (given if isinstance(given, Mapping) else {None: given}).items():
        if not (label is None or isinstance(label, str)):
            raise ArgumentError(f"threshold: {label!r} is not a label; {expected}")
        try:
            if isinstance(value, (str, bytes, bool)):
                raise TypeError
            found[label] = float(value)
        except (TypeError, ValueError):
            raise ArgumentError(f"threshold: {value!r} is not a number; {expected}") from None
    return found


@contextlib.contextmanager
def _labels_file(labels: Any) -> Iterator[bytes | None]:
    """What the library takes: a file, or names divided by commas."""
    if labels is None or isinstance(labels, (str, os.PathLike)):
        yield None if labels is None else os.fsencode(labels)
        return
    expected = "expected a dictionary of labels to descriptions, a list of labels, or a file"
    if isinstance(labels, Mapping):
        for label, text in labels.items():
            if not isinstance(label, str) or not isinstance(text, str):
                raise ArgumentError(f"labels: {label!r}: {text!r}; {expected}")
        with tempfile.TemporaryDirectory(prefix="nerfit-") as folder:
            path = os.path.join(folder, "labels.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(dict(labels), file)
            yield os.fsencode(path)
        return
    names = _values.rows(labels, "labels", expected.removeprefix("expected "))
    for name in names:
        if not isinstance(name, str) or "," in name or not name.strip():
            raise ArgumentError(f"labels: {name!r} is not the name of a label; {expected}")
    if not names:
        raise ArgumentError(f"labels: holds nothing; {expected}")
    yield _library.encode(",".join(names), "labels")


class _Call:
    """What belongs to one call with a GLiNER model: labels, for all texts or for each."""

    def __init__(self, labels: Any, nested: bool, multi_label: bool, count: int) -> None:
        self.nested, self.multi_label = bool(nested), bool(multi_label)
        names = [] if labels is None else [labels] if isinstance(labels, str) else list(labels)
        self.per_text: list[list[bytes]] | None = None
        self.labels: list[bytes] = []
        if any(not isinstance(name, str) for name in names):
            if len(names) != count:
                raise ArgumentError(
                    f"labels: {len(names)} lists for {count} texts; expected one list of labels, "
                    "or a list for every text"
                )
            self.per_text = [self._encoded(own) for own in names]
        else:
            self.labels = self._encoded(names)

    @staticmethod
    def _encoded(names: Any) -> list[bytes]:
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise ArgumentError(
                f"labels: {_values.shown(names)} is no list of labels, and no list of such lists"
            )
        return [_library.encode(name, "labels") for name in dict.fromkeys(names)]

    def options(self, thresholds: dict[str | None, float], first: int, count: int) -> Any:
        """For the texts from ``first`` on."""
        out = _library.CallOptions()
        pairs = [
            (None if label is None else _library.encode(label, "threshold"), value)
            for label, value in thresholds.items()
        ]
        out.thresholds = (_library.CallThreshold * len(pairs))(*pairs)
        out.n_thresholds = len(pairs)
        out.labels = _library.texts_array(self.labels)
        out.n_labels = len(self.labels)
        out.nested, out.multi_label = self.nested, self.multi_label
        if self.per_text is not None:
            own = self.per_text[first : first + count]
            lists = (_library.LabelList * len(own))()
            for at, names in zip(lists, own):
                at.labels, at.count = _library.texts_array(names), len(names)
            out.text_labels = lists
        return out


class Model:
    """A loaded model. Threads may share it: each gets a session of its own, and they run at once.

    Args:
        folder: a model in transformers' format with a token-classification head, or a PEFT
            adapter; or its name on Hugging Face's hub ("owner/name", "owner/name@revision"), from
            where it is downloaded into the cache that huggingface_hub uses too.
        backend: "auto" (None), "cpu", "ref".
        precision: "auto" (None: bf16 where the CPU multiplies it), "f32", "bf16", "int8".
        threads: CPU threads; 0: all cores.
        decoder: "labels": each sub-word's most probable label; "viterbi": the best sequence of
            words' labels in which I- follows B- or I- of its type; "crf": with the learned
            transitions; "auto" (None): "crf" where the folder has some (nerfit.json), else "labels".
        labels: zero-shot tagging, for a folder that ``nerfit pretrain`` wrote: a dictionary of
            descriptions, a list of names, a JSON or YAML file of descriptions, or the labels' names
            divided by commas.
        sentence_encoder: with labels: a folder, if it is not the one of the pre-training.
        weights: what the model shares with others; backend, precision and threads are then those
            that it was made with. A pickled model comes back with weights of its own.
        label_text: with labels: what of them the sentence encoder reads: "mean" (None: the mean of
            the embeddings of name and description, which counts three times), "description", "name".

    Raises:
        NerfitError: the folder holds no such model.
    """

    #: Texts that are handed to the library at once, at most; Ctrl-C acts between them.
    _CHUNK = 1024
    #: So many seconds a chunk should take.
    _PAUSE = 0.2

    def __init__(
        self,
        folder: str | os.PathLike[str],
        backend: str | None = None,
        precision: str | None = None,
        threads: int = 0,
        decoder: str | None = None,
        labels: Labels | None = None,
        sentence_encoder: str | os.PathLike[str] | None = None,
        weights: Weights | None = None,
        label_text: str | None = None,
    ) -> None:
        if weights is not None and not isinstance(weights, Weights):
            raise ArgumentError(f"weights: {weights!r} is no nerfit.Weights")
        with _labels_file(labels) as labels_path, _transfer.Transfers() as transfers:
            options = _library.ModelOptions(
                backend=None if backend is None else _library.encode(backend, "backend"),
                precision=None if precision is None else _library.encode(precision, "precision"),
                threads=_threads(threads),
                log=log_function,
                decoder=None if decoder is None else _library.encode(decoder, "decoder"),
                labels=labels_path,
                sentence_encoder=None
                if sentence_encoder is None
                else os.fsencode(sentence_encoder),
                transfer=transfers.function,
                weights=None if weights is None else weights.address,
                label_text=None if label_text is None else _library.encode(label_text, "label_text"),
            )
            self._model = _Loaded(os.fsencode(folder), options)
        self._local = threading.local()
        self.folder: str = os.fsdecode(folder)
        whole = os.path.abspath(self.folder) if os.path.isdir(self.folder) else self.folder
        self._arguments = (
            *(whole, backend, precision, threads),
            *(decoder, labels, sentence_encoder, None, label_text),
        )
        count = _library.call("model_label_count", self._model.address)
        self.labels: list[str] = [
            _library.call("model_label", self._model.address, i).decode() for i in range(count)
        ]
        """Labels by id: "O", "B-time", ..."""

    def _session(self, threshold: Threshold = None) -> _Session:
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session(self._model)
        session.set_thresholds(_thresholds(threshold))
        return session

    def _predictions(
        self, texts: Sequence[str], threshold: Threshold = None, call: _Call | None = None
    ) -> Iterator[_library.Prediction]:
        session = self._session(None if call else threshold)
        first, count = 0, min(self._CHUNK, 32)
        while first < len(texts):
            chunk = texts[first : first + count]
            data = [_library.encode_text(t, f"texts[{first + i}]") for i, t in enumerate(chunk)]
            sizes = (c_size_t * len(data))(*map(len, data))
            out = POINTER(_library.Prediction)()
            began = time.monotonic()
            of_call = call.options(_thresholds(threshold), first, len(data)) if call else None
            with Call() as interrupt:
                _library.call(
                    "predict_with",
                    session.address,
                    byref(interrupt.options_of(of_call)),
                    _library.texts_array(data),
                    sizes,
                    len(data),
                    byref(out),
                )
            seconds = time.monotonic() - began
            yield from out[: len(data)]
            first += len(data)
            # long texts, or a slow machine: fewer at once
            count = count // 2 if seconds > self._PAUSE else 2 * count
            count = max(1, min(count, self._CHUNK))

    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        threshold: Threshold = ...,
        *,
        labels: Any = ...,
        nested: bool = ...,
        multi_label: bool = ...,
    ) -> list[Entity]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        threshold: Threshold = ...,
        *,
        labels: Any = ...,
        nested: bool = ...,
        multi_label: bool = ...,
    ) -> list[list[Entity]]: ...
    def predict(
        self,
        texts: Any,
        threshold: Threshold = None,
        *,
        labels: Any = None,
        nested: bool = False,
        multi_label: bool = False,
    ) -> list[Entity] | list[list[Entity]]:
        """The entities of one text, or a list of them for every text of a list.

        ``texts`` may also be a column of a table, a table with a column "text", or rows that have
        "text": ``{"text": ..., ...}``.

        Which entities are found is what the model was trained for (its ``least_probability``), as
        in the program. With ``threshold`` that limit no longer counts, and entities with a smaller
        score than the threshold are left out: one for all, or ``{"time": 0.7, None: 0.5}``, where
        ``None`` is for the other labels (0 if it is not there); 0 shows everything.

        Texts of any length: longer ones than the encoder takes are covered by overlapping windows.
        Entities are in order and do not overlap; offsets are indices of the ``str``.

        A GLiNER model looks for the ``labels`` of the call: a list, or a list for every text; its
        thresholds are 0.5 unless given. ``nested``: entities may lie inside others;
        ``multi_label``: one may have several labels.
        """
        many, alone = _values.texts(texts)
        own = labels is not None or nested or multi_label
        call = _Call(labels, nested, multi_label, len(many)) if own else None
        found = [
            [
                Entity(e.start, e.end, e.label.decode(), text[e.start : e.end], e.score)
                for e in prediction.entities[: prediction.n_entities]
            ]
            for text, prediction in zip(many, self._predictions(many, threshold, call))
        ]
        return found[0] if alone else found

    def pipe(
        self, texts: Iterable[str], threshold: Threshold = None, chunk: int = 1024
    ) -> Iterator[list[Entity]]:
        """The entities of every text of a stream, one after another: texts are taken from it `chunk`
        at a time, and no more of them are kept."""
        if isinstance(texts, str):
            raise ArgumentError("texts: expected an iterable of texts, not one text")
        source = iter(texts)
        while many := list(itertools.islice(source, chunk)):
            yield from self.predict(many, threshold)

    @overload
    def tokens(self, texts: str) -> list[Token]: ...  # type: ignore[overload-overlap]
    @overload
    def tokens(self, texts: Iterable[str]) -> list[list[Token]]: ...
    def tokens(self, texts: Any) -> list[Token] | list[list[Token]]:
        """The sub-words of one text with the label of each, or a list of them for every text."""
        many, alone = _values.texts(texts)
        found = [
            [
                Token(t.start, t.end, t.id, t.label.decode(), text[t.start : t.end], t.score)
                for t in prediction.tokens[: prediction.n_tokens]
            ]
            for text, prediction in zip(many, self._predictions(many))
        ]
        return found[0] if alone else found

    def evaluate(
        self,
        annotations: _data.Annotations,
        mode: str = "default",
        words: bool = False,
        format: str = "auto",
        threshold: Threshold = None,
    ) -> Report:
        """Tags annotated texts and scores the result, over sub-words.

        Args:
            annotations: a list (bracket texts, or ``{"text", "entities"}``), or a file.
            mode: "default" (seqeval's default), or a scheme for seqeval's strict mode: "iob1",
                "iob2", "ioe1", "ioe2", "bioes", "bilou".
            words: score the first sub-word of every word instead.
            format: of a file, or of the texts of a list: "auto", or a name of docs/formats.md.
            threshold: as in ``predict``.
        """
        if isinstance(annotations, (str, os.PathLike)):
            corpus = _data.read(annotations, log_function, format)
        else:
            corpus = _data.fill(annotations, "annotations", list, log_function, format)
        return self.evaluate_corpus(corpus, mode, words, threshold)

    def evaluate_corpus(
        self, corpus: _data.Corpus, mode: str, words: bool, threshold: Threshold = None
    ) -> Report:
        report = _library.Report()
        session = self._session(threshold)
        name = _library.encode(mode, "mode")
        with Call() as call:
            _library.call(
                "evaluate_with",
                session.address,
                byref(call.options),
                corpus.address,
                name,
                words,
                byref(report),
            )
        try:
            return make_report(report)
        finally:
            _library.call("report_free", byref(report))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled is where it came from: who unpickles it loads it again."""
        return type(self), self._arguments

    def __copy__(self) -> Model:
        return self  # nothing of it changes

    def __deepcopy__(self, memo: Any) -> Model:
        return self

    def __repr__(self) -> str:
        return f"<nerfit.Model {self.folder!r}, {len(self.labels)} labels>"


def download(name: str, kind: str = "model") -> str:
    """Downloads a model from Hugging Face's hub, if the cache that huggingface_hub uses does not
    have it, and returns its folder; a folder is returned as it is.

    Args:
        name: "owner/name", "owner/name@revision".
        kind: "model"; "sentence": with what modules.json names; "tokenizer": that alone.
    """
    out = c_void_p()
    with _transfer.Transfers() as transfers:
        options = _library.ModelOptions(log=log_function, transfer=transfers.function)
        given = _library.encode(name, "name"), _library.encode(kind, "kind")
        _library.call("model_find", *given, byref(options), byref(out))
    return _library.take_text(out.value)


def load(
    folder: str | os.PathLike[str],
    backend: str | None = None,
    precision: str | None = None,
    threads: int = 0,
    decoder: str | None = None,
    labels: Labels | None = None,
    sentence_encoder: str | os.PathLike[str] | None = None,
    weights: Weights | None = None,
    label_text: str | None = None,
) -> Model:
    """Loads a model, as :class:`Model` does:
    ``nerfit.load("runs/alarm/best").predict("wake me at nine")``."""
    return Model(
        *(folder, backend, precision, threads, decoder, labels, sentence_encoder, weights, label_text)
    )
