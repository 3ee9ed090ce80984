"""Annotated texts: read in any format, looked at, checked, divided, sampled, written."""

from __future__ import annotations

import ctypes
import json
import logging
import os
from ctypes import byref, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any, Union
from collections.abc import Iterator, Sequence

from . import _library
from ._predictions import data_frame
from .errors import ArgumentError

_logger = logging.getLogger("nerfit")


def _log(user: Any, level: int, message: bytes) -> None:
    _logger.log(logging.WARNING if level else logging.INFO, message.decode("utf-8", "replace"))


#: Passes the library's messages to the logger "nerfit".
log_function = _library.LogFunction(_log)


@dataclass(frozen=True)
class Finding:
    """Something wrong or suspicious in annotated texts."""

    is_error: bool
    """The text cannot be used as it is; else it is worth a look."""
    file: str
    line: int
    """From 1; 0 if unknown."""
    column: int
    kind: str
    """What to count it under."""
    message: str
    """The whole, with its place."""

    def __str__(self) -> str:
        return self.message


class _Findings:
    """Collects what the library tells of."""

    def __init__(self) -> None:
        self.all: list[Finding] = []
        self.function = _library.FindingFunction(self._on_finding)

    def _on_finding(self, user: Any, given: Any) -> None:
        f = given.contents
        texts = (t.decode("utf-8", "replace") for t in (f.file, f.kind, f.message))
        file, kind, message = texts
        self.all.append(Finding(f.is_error, file, f.line, f.column, kind, message))


def _formatted(corpus: Any, format: str) -> str:
    """The texts of the library's corpus as one text in a format."""
    text, size = c_void_p(), c_size_t()
    name = _library.encode(format, "format")
    _library.call("corpus_format", corpus, name, byref(text), byref(size))
    return _library.take_text(text.value)


def rows(corpus: Any) -> Iterator[dict[str, Any]]:
    """The texts of the library's corpus one by one."""
    for line in _formatted(corpus, "jsonl").split("\n"):  # splitlines knows U+2028 and others, too
        if line:
            yield json.loads(line)


def _addresses(corpora: Sequence[Corpus]) -> Any:
    return (c_void_p * len(corpora))(*(c.address for c in corpora))


class Corpus(_library.Handle):
    """Annotated texts, as :func:`nerfit.read` gives them. ``len`` counts the texts; iterating gives
    them as dictionaries: "text", "entities" ([start, end, label], or a dictionary of these where an
    entity has more; indices of the ``str``, end exclusive), and whatever else the input had.
    """

    kind = "corpus"

    def __init__(self, log: Any = log_function) -> None:
        self.log = log  # C calls it as long as the corpus is filled
        super().__init__(log, None)

    @classmethod
    def _of(cls, address: c_void_p) -> Corpus:
        """Takes over a corpus that the library has made."""
        made = object.__new__(cls)
        made.log, made.address = log_function, address
        return made

    def __len__(self) -> int:
        return int(_library.call("corpus_size", self.address))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from rows(self.address)

    def __repr__(self) -> str:
        return f"<nerfit.Corpus, {len(self)} texts>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self.format("jsonl"),)

    def format(self, format: str) -> str:
        """All texts as one text in a format that is one file: "jsonl", "conll", "brackets", ... What
        the format cannot hold is an error with the text's place."""
        return _formatted(self.address, format)

    def write(self, path: str | os.PathLike[str], format: str = "auto") -> None:
        """Writes all texts, whole or not at all; "auto": by the path's ending."""
        name = _library.encode(format, "format")
        _library.call("corpus_write", self.address, os.fsencode(path), name)

    def check(
        self, *others: Corpus, descriptions: str | os.PathLike[str] | None = None
    ) -> list[Finding]:
        """What is suspicious in these texts, and between them and `others` (repeated texts): edges
        inside words, a string labelled now this way, now that, or left out elsewhere, odd characters.
        With a JSON or YAML file of descriptions also labels that have none."""
        findings = _Findings()
        corpora = [self, *others]
        path = _library.encode_path(descriptions)
        _library.call(
            "corpus_check", _addresses(corpora), len(corpora), path, findings.function, None
        )
        return findings.all

    def statistics(self, **others: Corpus) -> dict[str, Any]:
        """Texts, words, entities by type, lengths, repeated texts; with `others` by name, of each of
        them, and what they share: ``train.statistics(test=test)``."""
        corpora = [self, *others.values()]
        names = _library.texts_array([_library.encode(n, "name") for n in ("corpus", *others)])
        text, found = c_void_p(), c_void_p()
        _library.call(
            "corpus_statistics", _addresses(corpora), names, len(corpora), byref(text), byref(found)
        )
        _library.take_text(text.value)
        statistics: dict[str, Any] = json.loads(_library.take_text(found.value))
        return statistics

    def split(self, sizes: Sequence[Union[str, int, float]], seed: int = 123) -> list[Corpus]:
        """Parts with like shares of every entity type; equal texts stay together.

        Args:
            sizes: of each part: 120 (texts), 0.8 or "80%" (of all), "rest".
        """
        if isinstance(sizes, (str, bytes)):
            raise ArgumentError(f'sizes: {sizes!r}; expected a list, such as ["80%", "rest"]')
        texts = _library.texts_array([_library.encode(str(size), "sizes") for size in sizes])
        parts = (c_void_p * len(texts))()
        _library.call("corpus_split", self.address, texts, len(texts), seed, parts)
        return [self._of(c_void_p(part)) for part in parts]

    def sample(self, k: int, seed: int = 123, negatives: str | int | None = None) -> Corpus:
        """A greedy k-shot sample: texts in random order are taken while they bring an entity type
        that has fewer than k mentions. negatives: texts without an entity to add, 10 or "20%"."""
        out = c_void_p()
        more = None if negatives is None else _library.encode(str(negatives), "negatives")
        _library.call("corpus_sample", self.address, k, seed, more, byref(out))
        return self._of(out)

    def to_pandas(self) -> Any:
        """A DataFrame with a row a text: "text", "entities", and what the input had beside."""
        return data_frame(self)

    def to_dataset(self) -> Any:
        """A Dataset of Hugging Face's datasets, with the columns of `to_pandas`."""
        try:
            import datasets
        except ImportError:
            raise ArgumentError(
                "to_dataset takes the package datasets (pip install datasets)"
            ) from None
        return datasets.Dataset.from_list(list(self))


def _unpickle(lines: str) -> Corpus:
    corpus = Corpus()
    data = lines.encode()
    _library.call("corpus_parse", corpus.address, data, len(data), b"jsonl", b"pickle")
    return corpus


def read_file(
    path: str | os.PathLike[str],
    log: Any,
    format: str = "auto",
    findings: list[Finding] | None = None,
    **options: Any,
) -> Corpus:
    """A corpus of a file's or folder's texts. findings: filled with what is wrong, and then nothing
    is raised for a text that is."""
    corpus = Corpus(log)
    told = _Findings()
    reading = _library.ReadOptions(format=_library.encode(format, "format"))
    for name, value in options.items():
        if value is not None:
            setattr(reading, name, _library.encode(str(value), name))
    if findings is not None:
        reading.finding = ctypes.cast(told.function, c_void_p)
        reading.max_errors = 2**31
    try:
        _library.call("corpus_read", corpus.address, os.fsencode(path), byref(reading))
    except Exception:
        if not told.all:
            raise
    finally:
        if findings is not None:
            findings.extend(told.all)
    return corpus


def formats() -> list[dict[str, Any]]:
    """The formats of annotated texts: name, title, endings, whether each is a folder, read, written,
    how it is recognised, what is kept and what is lost, and for what is not read what to do."""
    found: list[dict[str, Any]] = []

    def add(user: Any, given: Any) -> None:
        row: dict[str, Any] = {}
        for name in (field[0] for field in _library.Format._fields_):
            value = getattr(given.contents, name)
            row[name] = value.decode() if isinstance(value, bytes) else value
        row["endings"] = row["endings"].split()
        found.append(row)

    _library.call("formats", _library.FormatFunction(add), None)
    return found


__all__ = ["Corpus", "Finding", "formats", "log_function", "read_file", "rows"]
