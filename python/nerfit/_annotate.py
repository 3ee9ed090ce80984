"""Entities for texts that have none, and what to annotate next."""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, byref, c_bool, c_char_p, c_double, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any, Iterator, Union

from . import _data, _library, _transfer
from ._corpus import log_function, rows
from .errors import ArgumentError

_GoOn = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)
_GoOnSuggest = CFUNCTYPE(c_bool, c_void_p)

#: Names, their descriptions, or a file of those.
Labels = Union[str, "os.PathLike[str]", Sequence[str], Mapping[str, str], None]


class _AnnotateOptions(_library.Options):
    _fields_ = [
        ("size", c_size_t),
        ("rules", c_char_p),
        ("models", POINTER(c_char_p)),
        ("n_models", c_size_t),
        ("llm", c_char_p),
        ("labels", c_char_p),
        ("model", POINTER(_library.ModelOptions)),
        ("thresholds", POINTER(_library.CallThreshold)),
        ("n_thresholds", c_size_t),
        ("votes", c_size_t),
        ("nested", c_bool),
        ("seed", c_uint64),
        ("gold", c_void_p),
        ("audit", c_size_t),
        ("shots", c_size_t),
        ("audit_only", c_bool),
        ("answers", c_char_p),
        ("concurrency", c_size_t),
        ("passes", c_size_t),
        ("pass_votes", c_size_t),
        ("max_chars", c_size_t),
        ("one_label_at_a_time", c_bool),
        ("open", c_bool),
        ("open_threshold", c_double),
        ("as_answered", c_bool),
        ("budget", c_double),
        ("price_in", c_double),
        ("price_out", c_double),
        ("dry_run", c_bool),
        ("sentence_encoder", c_char_p),
        ("log", _library.LogFunction),
        ("transfer", _library.TransferFunction),
        ("go_on", _GoOn),
        ("user", c_void_p),
    ]


class _AnnotateResult(ctypes.Structure):
    _fields_ = [
        ("texts", c_void_p),
        ("failed", c_void_p),
        ("review", c_void_p),
        ("text", c_void_p),
        ("json", c_void_p),
        ("page", c_void_p),
        ("descriptions", c_void_p),
        ("synonyms", c_void_p),
    ]


class _SuggestOptions(_library.Options):
    _fields_ = [
        ("size", c_size_t),
        ("model", c_char_p),
        ("labels", c_char_p),
        ("model_options", POINTER(_library.ModelOptions)),
        ("known", c_void_p),
        ("teacher", c_void_p),
        ("sentence_encoder", c_char_p),
        ("texts", c_size_t),
        ("words", c_size_t),
        ("log", _library.LogFunction),
        ("transfer", _library.TransferFunction),
        ("go_on", _GoOnSuggest),
        ("user", c_void_p),
    ]


_error = POINTER(_library.Error)
_library.declare(
    {
        "nerfit_annotate": (
            _library.STATUS,
            [c_void_p, POINTER(_AnnotateOptions), POINTER(_AnnotateResult), _error],
        ),
        "nerfit_annotate_result_free": (None, [POINTER(_AnnotateResult)]),
        "nerfit_suggest": (
            _library.STATUS,
            [c_void_p, POINTER(_SuggestOptions), POINTER(c_void_p), _error],
        ),
    }
)


@dataclass(frozen=True)
class Annotated:
    """What :func:`annotate` came to. Texts are ``{"text", "entities", ...}`` as JSON lines have them."""

    texts: list[dict[str, Any]]  #: annotated
    failed: list[dict[str, Any]]  #: without an answer, with the "failure"
    review: list[dict[str, Any]]  #: those of `texts` that are disputed, the most disputed first
    report: dict[str, Any]  #: counts, the audit, what a language model came to
    text: str  #: the same for people
    page: str  #: and as HTML
    descriptions: str | None = None  #: of open types: YAML that training takes
    synonyms: str | None = None  #: what else they are called and described: NAME.synonyms.yaml


def _texts(texts: Any, name: str) -> _data.Corpus:
    if isinstance(texts, (str, os.PathLike)):
        return _data.corpus_of(texts, "text" if os.fspath(texts).endswith(".txt") else "auto")
    annotations = [{"text": t, "entities": []} if isinstance(t, str) else t for t in texts]
    return _data.corpus_of(annotations, name=name)


@contextmanager
def _labels(labels: Labels) -> Iterator[bytes | None]:
    """As the library takes them: names with commas, or a file."""
    if labels is None or isinstance(labels, (str, os.PathLike)):
        yield _library.encode_path(labels)
    elif isinstance(labels, Mapping):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "labels.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(dict(labels), file)
            yield os.fsencode(path)
    else:
        names = list(labels)
        for name in names:
            if not isinstance(name, str) or "," in name:
                raise ArgumentError(f"labels: {name!r} is not a name without commas")
        yield _library.encode(",".join(names), "labels")


def annotate(
    texts: Any,
    labels: Labels = None,
    *,
    model: str | os.PathLike[str] | Sequence[str] | None = None,
    llm: str | None = None,
    rules: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    votes: int = 0,
    nested: bool = False,
    gold: _data.Annotations | None = None,
    audit: int = 0,
    shots: int = 0,
    answers: str | os.PathLike[str] | None = None,
    passes: int = 1,
    budget: float = 0,
    prices: tuple[float, float] = (0, 0),
    one_label_at_a_time: bool = False,
    open: bool = False,
    open_threshold: float = 0,
    concurrency: int = 8,
    sentence_encoder: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Annotated:
    """Annotates texts, as ``nerfit annotate`` does: docs/annotate.md tells the rest.

    Args:
        texts: a list of texts (or ``{"text", ...}``), or a file.
        labels: to look for: names, ``{name: description}``, or a file of descriptions.
        model: a model's folder or name, or several.
        llm: a language model by litellm's name.
        rules: a file of lists and patterns.
        threshold: entities of models with a smaller score are left out.
        votes: annotators that must agree (0: more than half).
        gold: texts whose entities are known: `audit` of them are annotated blind first, the `shots` most
            similar ones are shown to the language model.
        answers: a file in which a language model's answers are kept.
        budget: tokens, or money with `prices` (of a million tokens of questions, of answers).
        open: the language model names types itself (`labels` are offered to it); those whose texts'
            embeddings by `sentence_encoder` have a cosine of `open_threshold` (0: 0.75) are one.

    Raises:
        NerfitError: nobody annotates, a model or key is missing, a file cannot be read.
    """
    models = [model] if isinstance(model, (str, os.PathLike)) else list(model or [])
    corpus = _texts(texts, "texts")
    known = None if gold is None else _texts(gold, "gold")
    limit = (_library.CallThreshold * 1)(_library.CallThreshold(None, threshold or 0))
    result = _AnnotateResult()
    with _labels(labels) as named, _transfer.Transfers(progress=False) as transfers:
        options = _AnnotateOptions(
            rules=_library.encode_path(rules),
            models=_library.texts_array([os.fsencode(m) for m in models]),
            n_models=len(models),
            llm=_library.encode_given(llm, "llm"),
            labels=named,
            thresholds=limit,
            n_thresholds=0 if threshold is None else 1,
            votes=votes,
            nested=nested,
            seed=seed,
            gold=None if known is None else known.address,
            audit=audit,
            shots=shots,
            answers=_library.encode_path(answers),
            concurrency=concurrency,
            passes=passes,
            one_label_at_a_time=one_label_at_a_time,
            open=open,
            open_threshold=open_threshold,
            budget=budget,
            price_in=prices[0],
            price_out=prices[1],
            sentence_encoder=_library.encode_path(sentence_encoder),
            log=log_function,
            transfer=transfers.function,
        )
        _library.call("annotate", corpus.address, byref(options), byref(result))
    try:

        def decode(place: Any) -> str:
            return ctypes.string_at(place).decode("utf-8")

        return Annotated(
            list(rows(result.texts)),
            list(rows(result.failed)),
            list(rows(result.review)),
            json.loads(decode(result.json)),
            decode(result.text),
            decode(result.page),
            decode(result.descriptions) if result.descriptions else None,
            decode(result.synonyms) if result.descriptions else None,
        )
    finally:
        _library.call("annotate_result_free", byref(result))


def suggest(
    texts: Any,
    model: str | os.PathLike[str],
    *,
    labels: Labels = None,
    known: _data.Annotations | None = None,
    teacher: _data.Annotations | None = None,
    count: int = 20,
    words: int = 0,
    sentence_encoder: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """Which of the texts a person should annotate next, the first ones first, with the model's entities
    and a "suggestion" beside each; as ``nerfit suggest`` does.

    Args:
        texts: a list, or a file.
        model: a folder or name; one without labels of its own takes `labels`.
        known: annotated texts: nothing like them is suggested.
        teacher: the texts as another annotator sees them: where the model disagrees counts.
        count, words: how many texts at most (0: any number), and of how many words.
        sentence_encoder: a folder, so that the texts differ in meaning.
    """
    corpus = _texts(texts, "texts")
    others = [None if o is None else _texts(o, "known") for o in (known, teacher)]
    out = c_void_p()
    with _labels(labels) as named, _transfer.Transfers(progress=False) as transfers:
        options = _SuggestOptions(
            model=os.fsencode(model),
            labels=named,
            known=others[0] and others[0].address,
            teacher=others[1] and others[1].address,
            sentence_encoder=_library.encode_path(sentence_encoder),
            texts=count,
            words=words,
            log=log_function,
            transfer=transfers.function,
        )
        _library.call("suggest", corpus.address, byref(options), byref(out))
    return list(_data.Corpus._of(out))
