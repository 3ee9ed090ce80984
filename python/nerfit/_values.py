"""Python's many forms of a list of texts, or of rows: lists, columns, tables, mappings.

A table or a mapping iterates over its column names or keys, which are texts too: whoever takes "an
iterable of texts" at its word tags the word "text". So these are told apart here, without importing
the libraries they come from.
"""

from __future__ import annotations

import os
from typing import Any
from collections.abc import Iterable, Mapping

from .errors import ArgumentError


def shown(value: Any) -> str:
    """A value for a message, in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def kind(value: Any) -> str:
    return type(value).__name__


def columns(value: Any) -> list[Any] | None:
    """The columns of a table (pandas, polars, pyarrow, datasets); None: it is none."""
    names = getattr(value, "column_names", None)
    if names is None:
        names = getattr(value, "columns", None)
    if names is None or callable(names) or isinstance(value, Mapping):
        return None
    if isinstance(names, Mapping):  # a DatasetDict's, by split
        return None
    try:
        return list(names)
    except TypeError:
        return None


def keys(value: Any) -> list[Any] | None:
    """The keys of a mapping, or of what behaves like one (UserDict, h5py, pandas' Series do); None:
    it is none."""
    if isinstance(value, Mapping):
        return [*value]
    names: Any = getattr(value, "keys", None)
    if callable(names) and hasattr(value, "__getitem__") and not hasattr(value, "tolist"):
        return list(names())
    return None


def _listed(names: list[Any]) -> str:
    few = ", ".join(repr(name) for name in names[:6])
    return few + (", ..." if len(names) > 6 else "") if names else "none"


def _column(table: Any, name: str) -> list[Any]:
    try:
        column = table[name]
        return list(column.to_pylist() if hasattr(column, "to_pylist") else column)
    except TypeError as error:  # polars' LazyFrame, Spark's data frames
        raise ArgumentError(
            f"a {kind(table)}, whose columns hold no values yet; expected a table in memory: collect "
            "it first (collect(), toPandas())"
        ) from error


def rows(value: Any, what: str, expected: str) -> list[Any]:
    """The items of a list, or of whatever iterates; the rows of a table, as dictionaries; of a
    mapping of columns ({"text": [...], ...}) the same.

    what: stands for the value in messages. expected: what would be right, for them.
    """
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        hint = "" if isinstance(value, str) else "; decode it first: value.decode()"
        raise ArgumentError(f"{what}: expected {expected}, not {kind(value)}{hint}")
    if isinstance(value, (set, frozenset)):
        raise ArgumentError(f"{what}: expected {expected}, not {kind(value)}, which has no order")
    if isinstance(value, os.PathLike):
        raise ArgumentError(f"{what}: expected {expected}, not a path ({os.fspath(value)!r})")
    names = columns(value)
    names = keys(value) if names is None else names
    if names is not None:
        return _rows_of_columns(value, names, what, expected)
    try:
        return list(value)
    except TypeError:
        raise ArgumentError(f"{what}: expected {expected}, not {kind(value)}") from None


def _rows_of_columns(value: Any, names: list[Any], what: str, expected: str) -> list[Any]:
    if not ({"text", "tokens"} & set(names) and all(isinstance(name, str) for name in names)):
        raise ArgumentError(
            f"{what}: {_an(kind(value))} with {_listed(names)}; expected {expected}, or a table "
            'with a column "text"'
        )
    if isinstance(value, Mapping) and not all(_is_column(value[name]) for name in names):
        raise ArgumentError(
            f"{what}: one dictionary with {_listed(names)}; expected {expected}: put it into a list"
        )
    data = {name: _column(value, name) for name in names}
    sizes = {name: len(column) for name, column in data.items()}
    if len(set(sizes.values())) > 1:
        raise ArgumentError(f"{what}: its columns have different lengths: {sizes}")
    return [dict(zip(data, row)) for row in zip(*data.values())]


def _is_column(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _an(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


_TEXTS = "a text or a list of texts"


def texts(value: Any) -> tuple[list[str], bool]:
    """The texts to tag, and whether it is one alone: a text, or ``{"text": ...}``; a list of them; a
    column; a table's column "text"."""
    alone = isinstance(value, str)
    names = None if alone else keys(value)
    if names is not None and "text" in names and isinstance(value["text"], str):
        return [value["text"]], True
    many = [value] if alone else rows(value, "texts", _TEXTS)
    found = []
    for i, text in enumerate(many):
        names = None if isinstance(text, str) else keys(text)
        if names is not None and "text" in names:
            text = text["text"]
        elif names is not None:
            raise ArgumentError(
                f'texts[{i}]: {_an(kind(text))} with {_listed(names)}; expected a text, or one with '
                '"text"'
            )
        if not isinstance(text, str):
            hint = "; decode it first: value.decode()" if isinstance(text, bytes) else ""
            raise ArgumentError(f"texts[{i}]: expected a text, not {kind(text)}{hint}")
        found.append(text)
    return found, alone
