"""From Python's values to the library's: annotated texts and ent2emb."""

from __future__ import annotations

import ctypes
import json
import operator
import os
from typing import Any, Callable, Union
from collections.abc import Iterable, Mapping, Sequence

from . import _library, _values
from ._corpus import Corpus, Finding, log_function, read_file
from .errors import ArgumentError, FileError, FormatError

__all__ = [
    "Annotation",
    "Annotations",
    "Corpus",
    "Ent2Emb",
    "corpus_of",
    "fill",
    "items",
    "lines_of",
    "set_ent2emb",
    "vector",
]

#: Bracket text or a line of JSON, or {"text": ..., "entities": [[start, end, label], ...]}.
Annotation = Union[str, Mapping[str, Any]]
#: A file, or annotations in memory.
Annotations = Union[str, "os.PathLike[str]", Sequence[Annotation]]
#: A file, or for every label its description or its embedding.
Ent2Emb = Union[str, "os.PathLike[str]", Mapping[str, Any]]

# ------------------------------------------------------------------ annotated texts


def _entity(entity: Any, place: str, number: int) -> tuple[int, int, bytes]:
    expected = '[start, end, label] or {"start": ..., "end": ..., "label": ...}'
    try:
        start, end, label = entity
        start, end = operator.index(start), operator.index(end)
    except (TypeError, ValueError, KeyError):
        start = end = -1
        label = None
    if not isinstance(label, str):
        raise FormatError(f"{place}: entity {number} is {entity!r}; expected {expected}")
    limit = 2**63
    if not (-limit <= start < limit and -limit <= end < limit):
        raise FormatError(
            f"{place}: entity {number} ({label!r}, {start}..{end}) is not in the text"
        )
    return start, end, _library.encode(label, f"{place}: entity {number}: label")


_FORM = '{"text": ..., "entities": [[start, end, label], ...]}'


def _plain(value: Any) -> Any:
    """For json: numbers and arrays of other libraries."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__index__"):
        return value.__index__()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{_values.kind(value)} is nothing that JSON has")


def _add_text(corpus: Corpus, text: str, place: str, format: str) -> None:
    data = _library.encode_text(text, place)
    if format == "auto" and not text.lstrip().startswith("{"):
        format = "brackets"
    _library.call("corpus_parse", corpus.address, data, len(data), format.encode(), place.encode())


def _add_json(corpus: Corpus, annotation: Any, place: str, format: str) -> None:
    """As a value of JSON: whatever formats of JSON hold, read as in a file."""
    try:
        line = json.dumps(annotation, default=_plain, allow_nan=False)
    except (TypeError, ValueError) as reason:
        raise FormatError(f"{place}: {_values.shown(annotation)}: {reason}") from None
    _add_text(corpus, line, place, format)


def _entities(given: Any, place: str) -> list[Any]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, (Iterable, type(None))):
        raise FormatError(
            f'{place}: "entities" is {_values.shown(given)}; expected [[start, end, label], ...]'
            + ("; json.loads reads it" if isinstance(given, (str, bytes)) else "")
        )
    entities = [] if given is None else list(given)
    return [e._asdict() if hasattr(e, "_asdict") else e for e in entities]  # nerfit.Entity


def _is_spacys(annotation: Any) -> bool:
    """("text", {"entities": [...]})"""
    return (
        isinstance(annotation, (tuple, list))
        and len(annotation) == 2
        and isinstance(annotation[0], str)
        and isinstance(annotation[1], Mapping)
    )


def _add(corpus: Corpus, annotation: Any, place: str, format: str) -> None:
    if isinstance(annotation, str):
        _add_text(corpus, annotation, place, format)
        return
    keys = _values.keys(annotation)
    if keys is None and _is_spacys(annotation):
        _add_json(corpus, list(annotation), place, "spacy")
        return
    if keys is None or not all(isinstance(key, str) for key in keys):
        raise FormatError(f"{place}: expected {_FORM} or a text, not {_values.shown(annotation)}")
    row = {key: annotation[key] for key in keys}
    if "entities" in row:
        row["entities"] = _entities(row["entities"], place)
    plain = not any(isinstance(e, Mapping) for e in row.get("entities", ()))
    data = _library.encode_text(row["text"], place) if isinstance(row.get("text"), str) else None
    if data is None or not plain or not set(keys) <= {"text", "entities"}:
        _add_json(corpus, row, place, "auto")  # whatever a line of JSON may hold
        return
    given = [_entity(e, place, i + 1) for i, e in enumerate(row.get("entities", ()))]
    spans = (_library.Span * len(given))(*(_library.Span(*e) for e in given))
    _library.call(
        "corpus_add", corpus.address, data, len(data), spans, len(spans), place.encode(), 0
    )


def items(annotations: Any, name: str) -> list[Any]:
    """Annotations in memory one by one: of a list, or of a table's rows."""
    return _values.rows(annotations, name, "a list or a file")


def fill(
    annotations: Sequence[Annotation],
    name: str,
    parse: Callable[[Any], Any],
    log: Any,
    format: str = "auto",
    places: Sequence[str] | None = None,
) -> Corpus:
    """A corpus of annotations in memory.

    parse: turns the whole list into texts with entities (``Trainer._parse_annotation``).
    places: where each annotation stands, for messages; by default ``name[index]``.
    """
    parsed = parse(items(annotations, name))
    try:
        if isinstance(parsed, (str, bytes, Mapping)):
            raise TypeError
        parsed = list(parsed)
    except TypeError:
        raise FormatError(
            f"{name}: _parse_annotation gave {_values.shown(parsed)}; expected a list of {_FORM}"
        ) from None
    if places is None or len(places) != len(parsed):
        places = [f"{name}[{i}]" for i in range(len(parsed))]
    corpus = Corpus(log)
    for annotation, place in zip(parsed, places):
        _add(corpus, annotation, place, format)
    return corpus


def lines_of(path: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """The lines of an annotation file in a format of the user's own, and where each stands."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except UnicodeDecodeError as reason:
        raise FormatError(
            f"{os.fspath(path)}: is not valid UTF-8 at byte {reason.start + 1}"
        ) from None
    return lines, [f"{os.fspath(path)}:{i + 1}" for i in range(len(lines))]


def _class_names(metadata: Any, column: str) -> list[str] | None:
    """What the numbers of a column stand for, as Hugging Face's datasets note it in a file."""
    features = json.loads((metadata or {}).get(b"huggingface", b"{}")).get("info", {})
    feature = features.get("features", {}).get(column, {})
    inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
    names = inner.get("names") if isinstance(inner, dict) else None
    return names if inner and inner.get("_type") == "ClassLabel" else None


def _parquet_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of a Parquet file; classes by their names."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise ArgumentError(
            f"{os.fspath(path)}: a Parquet file is read by pyarrow (pip install nerfit[parquet])"
        ) from None
    try:
        table = pyarrow.parquet.read_table(path)
    except OSError as reason:
        raise FileError(f"{os.fspath(path)}: {reason}") from None
    except pyarrow.ArrowException as reason:
        raise FormatError(f"{os.fspath(path)}: {reason}") from None
    rows: list[dict[str, Any]] = table.to_pylist()
    for column in table.column_names:
        names = _class_names(table.schema.metadata, column) or []
        for i, row in enumerate(rows if names else ()):
            value = row[column]
            ids = value if isinstance(value, list) else [value]
            if any(not isinstance(n, int) or not 0 <= n < len(names) for n in ids):
                raise FormatError(
                    f"{os.fspath(path)}: row {i}: {column} is {_values.shown(value)}; expected "
                    f"numbers under {len(names)}"
                )
            row[column] = [names[n] for n in ids] if isinstance(value, list) else names[ids[0]]
    return rows


def corpus_of(
    annotations: Annotations,
    format: str = "auto",
    findings: list[Finding] | None = None,
    name: str = "annotations",
    **options: Any,
) -> Corpus:
    """A corpus of a file, of a folder, or of annotations in memory, which messages call `name`.

    findings, options: as ``nerfit.read`` has them, of files that the library reads.
    """
    if not isinstance(annotations, (str, os.PathLike)):
        return fill(annotations, name, list, log_function, format)
    if os.fsdecode(annotations).endswith(".parquet"):
        rows = _parquet_rows(annotations)
        return fill(rows, os.fsdecode(annotations), list, log_function, format)
    return read_file(annotations, log_function, format, findings, **options)


# ------------------------------------------------------------------ ent2emb


_NO_VECTORS = (str, bytes, bytearray, Mapping, set, frozenset, type(None))


def _flat(value: Any) -> list[float]:
    """The numbers of a tensor, an array, a buffer or nested lists, of any library: tensors and
    arrays have tolist (torch's even if they need a gradient or lie on a device)."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, _NO_VECTORS):
        raise TypeError
    if isinstance(value, (int, float)):
        return [float(value)]
    try:
        parts = iter(value)
    except TypeError:
        parts = iter(memoryview(value).tolist())
    return [number for part in parts for number in _flat(part)]


def vector(label: str, value: Any) -> list[float]:
    """The embedding of a label as a list of floats; a tensor of any shape is read flat."""
    try:
        return _flat(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(
            f'ent2emb: label "{label}" has {_values.shown(value)}; expected a description (a text) or an '
            "embedding (a tensor, an array or a list of numbers)"
        ) from None


def _set_descriptions(config: Any, ent2emb: Mapping[str, str]) -> None:
    labels = [_library.encode(label, "ent2emb: label") for label in ent2emb]
    texts = [_library.encode(t, f'ent2emb: label "{label}"') for label, t in ent2emb.items()]
    _library.call(
        "config_set_descriptions",
        config,
        _library.texts_array(labels),
        _library.texts_array(texts),
        len(labels),
    )


def _set_embeddings(config: Any, ent2emb: Mapping[str, Any]) -> None:
    vectors: dict[str, list[float]] = {label: vector(label, v) for label, v in ent2emb.items()}
    first, size = next((label, len(v)) for label, v in vectors.items())
    for label, values in vectors.items():
        if len(values) != size or size == 0:
            raise ArgumentError(
                f'ent2emb: the embedding of "{label}" has {len(values)} values, that of "{first}" '
                f"{size}; all should have the same"
            )
    flat = [number for values in vectors.values() for number in values]
    labels = [_library.encode(label, "ent2emb: label") for label in vectors]
    _library.call(
        "config_set_embeddings",
        config,
        _library.texts_array(labels),
        len(labels),
        size,
        (ctypes.c_float * len(flat))(*flat),
    )


def set_ent2emb(config: Any, ent2emb: Mapping[str, Any]) -> None:
    """Hands descriptions or embeddings to a run; a mixture of the two is an error."""
    if not ent2emb:
        raise ArgumentError(
            "ent2emb: holds nothing; expected a description or an embedding a label"
        )
    for label in ent2emb:
        if not isinstance(label, str):
            raise ArgumentError(f"ent2emb: expected a label (a text), not {_values.shown(label)}")
    described = [isinstance(value, str) for value in ent2emb.values()]
    if all(described):
        _set_descriptions(config, ent2emb)
        return
    if any(described):
        # the kind of the first label is taken for what was meant
        odd = list(ent2emb)[described.index(not described[0])]
        kinds = ("a description", "an embedding")
        first, other = kinds if described[0] else reversed(kinds)
        raise ArgumentError(
            f'ent2emb: label "{odd}" has {other}, but "{next(iter(ent2emb))}" {first}; expected '
            "descriptions alone, or embeddings alone"
        )
    _set_embeddings(config, ent2emb)
