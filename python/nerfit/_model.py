"""Models: loading, prediction, evaluation."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import html
import itertools
import json
import os
import tempfile
import threading
import time
from ctypes import POINTER, byref, c_size_t, c_void_p
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Union, overload
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence

from . import _data, _hub, _library, _transfer, _values
from ._corpus import log_function
from ._interrupt import Call
from ._predictions import Entities, Entity, Predictions, data_frame
from .errors import ArgumentError, NerfitError

#: One for all entities, or by label; the key None is for the labels that are not named. None: what
#: the model says (``least_probability`` of its training).
Threshold = Union[float, "Mapping[str | None, float]", None]


#: What to tag: descriptions by label, names, or a file of the former.
Labels = Union[str, "os.PathLike[str]", "Mapping[str, str]", "Iterable[str]"]

#: A file of lists and patterns that stand beside a model; None: none.
Rules = Union[str, "os.PathLike[str]", None]


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

    def to_pandas(self) -> Any:
        """A row an entity type, then "micro", "macro" and "weighted" averages: "precision", "recall",
        "f1" (0 to 1), "support" (entities that should be found)."""
        names = ("precision", "recall", "f1", "support")
        rows = [*sorted(self.details.get("types", {}).items())]
        means = ("micro", "macro", "weighted")
        rows += [(name, self.details[name]) for name in means if name in self.details]
        return data_frame(
            ([label, *(score.get(name) for name in names)] for label, score in rows),
            ("type", *names),
        )


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


def model_options(
    backend: str | None = None,
    precision: str | None = None,
    threads: int = 0,
    transfers: _transfer.Transfers | None = None,
    **others: Any,
) -> _library.ModelOptions:
    """The library's; with `transfers` its messages go to the logger, too."""
    if transfers is not None:
        others.update(log=log_function, transfer=transfers.function)
    return _library.ModelOptions(
        backend=_library.encode_given(backend, "backend"),
        precision=_library.encode_given(precision, "precision"),
        threads=_threads(threads),
        **others,
    )


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
        super().__init__(byref(model_options(backend, precision, threads)))


class _Session(_library.Handle):
    kind = "session"

    def __init__(self, model: _Loaded) -> None:
        self.model = model  # must outlive the session
        self.thresholds: dict[str | None, float] = {}  # none: as the model says
        self.rules: tuple[Any, ...] | None = None  # the file that was read, as it was then
        super().__init__(model.address)

    def set_rules(self, path: Rules) -> None:
        """Lists and patterns of a file, which is read anew when it has changed; None: none."""
        wanted: tuple[Any, ...] | None = None
        if path is not None:
            name = os.fsencode(path)
            at = os.stat(name) if os.path.exists(name) else None
            wanted = (name, at and (at.st_mtime_ns, at.st_size, at.st_ino))
        if wanted != self.rules:
            _library.call("session_set_rules", self.address, wanted and wanted[0])
            self.rules = wanted

    def set_thresholds(self, thresholds: dict[str | None, float]) -> None:
        """None but these."""
        if thresholds == self.thresholds:
            return
        _library.call("session_reset_thresholds", self.address)
        self.thresholds = {}
        try:
            for label, value in thresholds.items():
                name = _library.encode_given(label, "threshold")
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


def _checked_stream(texts: Any, batch_size: Any) -> None:
    if isinstance(texts, str):
        raise ArgumentError("texts: expected an iterable of texts, not one text")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ArgumentError(f"batch_size: {batch_size!r} is not a number of texts from 1 on")


async def _asynchronous(texts: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            yield text
    else:
        for text in texts:
            yield text


async def _next_few(source: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        try:
            yield await source.__anext__()
        except StopAsyncIteration:
            return


def _first_of_two(pair: Any) -> Any:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ArgumentError(f"texts: {_values.shown(pair)}; expected (text, context)")
    return pair[0]


@contextlib.contextmanager
def _labels_file(labels: Any) -> Iterator[bytes | None]:
    """What the library takes: a file, or names divided by commas."""
    if labels is None or isinstance(labels, (str, os.PathLike)):
        yield _library.encode_path(labels)
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

    def __init__(
        self, labels: Any, nested: bool, multi_label: bool, characters: bool, count: int
    ) -> None:
        self.nested, self.multi_label = bool(nested), bool(multi_label)
        self.characters = bool(characters)
        self.names: dict[str, str] = {}  # of descriptions that are read in place of names
        if isinstance(labels, Mapping):
            labels = self._described(labels)
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
        shared = () if self.per_text is not None else names
        self.types = list(dict.fromkeys(self.names.get(name, name) for name in shared))

    def _described(self, labels: Mapping[Any, Any]) -> list[str]:
        for label, text in labels.items():
            if not isinstance(label, str) or not isinstance(text, str) or text in self.names:
                raise ArgumentError(
                    f"labels: {label!r}: {text!r}; expected a dictionary of labels to descriptions, "
                    "each with its own"
                )
            self.names[text] = label
        return list(self.names)

    def name(self, label: bytes) -> str:
        """The name of a label that was found."""
        found = label.decode()
        return self.names.get(found, found)

    def of_prompts(self, threshold: Any) -> Any:
        """Thresholds by what the model reads of the labels."""
        if not self.names or not isinstance(threshold, Mapping):
            return threshold
        prompts = {name: text for text, name in self.names.items()}
        return {prompts.get(label, label): value for label, value in threshold.items()}

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
            _library.CallThreshold(_library.encode_given(label, "threshold"), value)
            for label, value in thresholds.items()
        ]
        out.thresholds = (_library.CallThreshold * len(pairs))(*pairs)
        out.n_thresholds = len(pairs)
        out.labels = _library.texts_array(self.labels)
        out.n_labels = len(self.labels)
        out.nested, out.multi_label = self.nested, self.multi_label
        out.characters = self.characters
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
    #: Label sets of calls that stay loaded.
    _KEPT = 8

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
            options = model_options(
                *(backend, precision, threads, transfers),
                decoder=_library.encode_given(decoder, "decoder"),
                labels=labels_path,
                sentence_encoder=_library.encode_path(sentence_encoder),
                weights=None if weights is None else weights.address,
                label_text=_library.encode_given(label_text, "label_text"),
            )
            self._model = _Loaded(os.fsencode(folder), options)
        self._local = threading.local()
        self.folder: str = os.fsdecode(folder)
        whole = os.path.abspath(self.folder) if os.path.isdir(self.folder) else self.folder
        self._arguments = (
            *(whole, backend, precision, threads),
            *(decoder, labels, sentence_encoder, None, label_text),
        )
        self._weights = weights
        self._lock = threading.Lock()
        self._others: dict[str, Model] = {}  # the same folder by the labels of calls
        self._calls_take_labels: bool | None = None
        count = _library.call("model_label_count", self._model.address)
        self.labels: list[str] = [
            _library.call("model_label", self._model.address, i).decode() for i in range(count)
        ]
        """Labels by id: "O", "B-time", ..."""
        types = (n.partition("-")[2] or n for n in self.labels if n != "O")
        self.types: list[str] = list(dict.fromkeys(types))
        """The entity types that the labels name, in their order."""

    def _session(self, threshold: Threshold = None, rules: Rules = None) -> _Session:
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session(self._model)
        session.set_thresholds(_thresholds(threshold))
        session.set_rules(rules)
        return session

    def _predictions(
        self,
        texts: Sequence[str],
        threshold: Threshold = None,
        call: _Call | None = None,
        rules: Rules = None,
    ) -> Iterator[_library.Prediction]:
        session = self._session(None if call else threshold, rules)
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
        characters: bool = ...,
        rules: Rules = ...,
    ) -> Entities: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        threshold: Threshold = ...,
        *,
        labels: Any = ...,
        nested: bool = ...,
        multi_label: bool = ...,
        characters: bool = ...,
        rules: Rules = ...,
    ) -> Predictions: ...
    def predict(
        self,
        texts: Any,
        threshold: Threshold = None,
        *,
        labels: Any = None,
        nested: bool = False,
        multi_label: bool = False,
        characters: bool = False,
        rules: Rules = None,
    ) -> Entities | Predictions:
        """The entities of one text, or a list of them for every text of a list. (The lists show
        themselves in notebooks, and have ``to_pandas()``.)

        ``texts`` may also be a column of a table, a table with a column "text", or rows that have
        "text": ``{"text": ..., ...}``.

        Which entities are found is what the model was trained for (its ``least_probability``), as
        in the program. With ``threshold`` that limit no longer counts, and entities with a smaller
        score than the threshold are left out: one for all, or ``{"time": 0.7, None: 0.5}``, where
        ``None`` is for the other labels (0 if it is not there); 0 shows everything.

        Texts of any length: longer ones than the encoder takes are covered by overlapping windows.
        Entities are in order and do not overlap; offsets are indices of the ``str``.

        A GLiNER model looks for the ``labels`` of the call: a list, a dictionary of descriptions,
        which it then reads in place of the names, or a list for every text; its thresholds are 0.5
        unless given. ``nested``: entities may lie inside others; ``multi_label``: one may have
        several labels; ``characters``: each character of a script without spaces is a word, where
        GLiNER takes a whole run of them as one. A model that was loaded with labels tags others, too: it is loaded with them
        when they first come, and the last few are kept.

        ``rules``: a file of lists and patterns (docs/annotate.md): what they add is found beside the
        model's entities, with score 1, what they forbid is left out.
        """
        if labels is not None and self._loaded_with_labels and not self._reads_labels():
            return self._tagging(labels).predict(  # type: ignore[no-any-return]
                texts,
                threshold,
                nested=nested,
                multi_label=multi_label,
                characters=characters,
                rules=rules,
            )
        many, alone = _values.texts(texts)
        own = labels is not None or nested or multi_label or characters
        call = _Call(labels, nested, multi_label, characters, len(many)) if own else None
        types = call.types if call and call.types else self.types
        given = call.of_prompts(threshold) if call else threshold
        name = call.name if call else bytes.decode
        found = Predictions(
            Entities(
                (
                    Entity(e.start, e.end, name(e.label), text[e.start : e.end], e.score)
                    for e in prediction.entities[: prediction.n_entities]
                ),
                text,
                types,
            )
            for text, prediction in zip(many, self._predictions(many, given, call, rules))
        )
        return found[0] if alone else found

    @property
    def _loaded_with_labels(self) -> bool:
        return self._arguments[5] is not None

    def _reads_labels(self) -> bool:
        """Whether labels may come with a call (GLiNER)."""
        if self._calls_take_labels is None:
            options = _Call(["x"], False, False, False, 0).options({}, 0, 0)
            out = POINTER(_library.Prediction)()
            given = None, None, 0, byref(out)
            try:
                _library.call("predict_with", self._session().address, byref(options), *given)
                self._calls_take_labels = True
            except ArgumentError:
                self._calls_take_labels = False
        return self._calls_take_labels

    def _tagging(self, labels: Any) -> Model:
        """This model with other labels; the last few are kept."""
        if not isinstance(labels, (str, os.PathLike, Mapping)):
            labels = list(labels)
        key = json.dumps(labels, default=os.fspath)
        with self._lock:
            model = self._others.pop(key, None)
            if model is None:
                arguments: list[Any] = [*self._arguments]
                arguments[5], arguments[7] = labels, self._weights
                model = type(self)(*arguments)
            self._others[key] = model  # the youngest is last
            while len(self._others) > self._KEPT:
                del self._others[next(iter(self._others))]
        return model

    def __call__(self, texts: Any, **options: Any) -> Any:
        """As transformers' token-classification pipeline answers: dictionaries with "entity_group",
        "score", "word", "start" and "end", in a list for a text, or in one for each of a list.
        Arguments as of :meth:`predict`."""
        return self.predict(texts, **options).to_pipeline()

    def pipe(
        self,
        texts: Iterable[Any],
        threshold: Threshold = None,
        batch_size: int = 1024,
        *,
        as_tuples: bool = False,
        labels: Any = None,
        nested: bool = False,
        multi_label: bool = False,
        characters: bool = False,
        rules: Rules = None,
    ) -> Iterator[Any]:
        """The entities of every text of a stream, one after another: texts are taken from it
        `batch_size` at a time, and no more of them are kept.

        as_tuples: the stream has (text, context), and so has the result: (entities, context).
        labels, nested, multi_label, characters, rules: as of :meth:`predict`, for all texts.
        """
        _checked_stream(texts, batch_size)
        source = iter(texts)
        options = dict(
            labels=labels,
            nested=nested,
            multi_label=multi_label,
            characters=characters,
            rules=rules,
        )
        while many := list(itertools.islice(source, batch_size)):
            plain = [_first_of_two(pair) for pair in many] if as_tuples else many
            found = self.predict(plain, threshold, **options)
            yield from zip(found, (pair[1] for pair in many)) if as_tuples else found

    async def predict_async(self, texts: Any, threshold: Threshold = None, **options: Any) -> Any:
        """As :meth:`predict`, on a thread of its own: the event loop goes on meanwhile. (A cancelled
        call ends there, not the work on the thread.)"""
        predict: Any = self.predict
        return await asyncio.to_thread(predict, texts, threshold, **options)

    async def pipe_async(
        self,
        texts: Iterable[Any] | AsyncIterable[Any],
        threshold: Threshold = None,
        batch_size: int = 1024,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """As :meth:`pipe`, for streams that may be asynchronous."""
        _checked_stream(texts, batch_size)
        source = _asynchronous(texts)
        while many := [text async for text in _next_few(source, batch_size)]:
            for one in await asyncio.to_thread(self._piped, many, threshold, options):
                yield one

    def _piped(self, many: list[Any], threshold: Threshold, options: dict[str, Any]) -> list[Any]:
        return list(self.pipe(many, threshold, len(many), **options))

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
        rules: Rules = None,
    ) -> Report:
        """Tags annotated texts and scores the result, over sub-words.

        Args:
            annotations: a list (bracket texts, or ``{"text", "entities"}``), or a file.
            mode: "default" (seqeval's default), or a scheme for seqeval's strict mode: "iob1",
                "iob2", "ioe1", "ioe2", "bioes", "bilou".
            words: score the first sub-word of every word instead.
            format: of a file, or of the texts of a list: "auto", or a name of docs/formats.md.
            threshold, rules: as in ``predict``.
        """
        corpus = _data.corpus_of(annotations, format)
        return self.evaluate_corpus(corpus, mode, words, threshold, rules)

    def evaluate_corpus(
        self,
        corpus: _data.Corpus,
        mode: str,
        words: bool,
        threshold: Threshold = None,
        rules: Rules = None,
    ) -> Report:
        report = _library.Report()
        session = self._session(threshold, rules)
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

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], **options: Any) -> Model:
        """Loads a folder, or a model of the hub ("owner/name"); options as of :class:`Model`, and
        `revision`: a branch, a tag or a commit."""
        revision = options.pop("revision", None)
        return cls(name if revision is None else f"{os.fsdecode(name)}@{revision}", **options)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> str:
        """Copies the model's files to a new folder, with a model card if it has none. The folder is
        there whole or not at all. What it was loaded with (labels, precision) does not go along.

        Raises:
            FileError: the folder holds something.
        """
        source = download(self.folder)
        title = os.path.basename(os.path.abspath(os.fsdecode(folder)))
        return _hub.save(source, folder, _hub.card(title, os.fsdecode(folder), self.types))

    def push_to_hub(
        self,
        name: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        commit_message: str | None = None,
        revision: str | None = None,
        create_pr: bool = False,
    ) -> str:
        """Uploads the model's files to the hub as "owner/name", in one commit, with a model card if
        it has none; takes the package huggingface_hub (``pip install nerfit[hub]``), which knows who
        you are (``hf auth login``, HF_TOKEN, or `token`).

        Returns:
            The commit's address.
        """
        readme = _hub.card(name.rpartition("/")[2], name, self.types)
        folder = download(self.folder)
        return _hub.push(
            folder, name, readme, private, token, commit_message, revision, create_pr
        )

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
        options = model_options(transfers=transfers)
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
