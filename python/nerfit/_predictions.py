"""What tagging gives: lists that know their texts, become tables, and show themselves in notebooks."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import Any, NamedTuple
from collections.abc import Iterable, Sequence

from . import _library
from .errors import ArgumentError


class Entity(NamedTuple):
    """An entity of a text: ``text == the_text[start:end]``, indices of the ``str``."""

    start: int
    end: int
    label: str
    text: str
    score: float
    """How sure the model is, 0 to 1; a probability if training calibrated it."""


#: What a notebook shows of many texts.
_SHOWN = 50


def _marked(text: str, entities: Sequence[Entity], types: Sequence[str]) -> str:
    """The text with its entities marked, as the program's pages have them."""
    data = _library.encode_text(text, "text")
    given = [
        _library.Entity(e.start, e.end, 0, 0, _library.encode(e.label, "label"), e.score)
        for e in entities
    ]
    labels = [_library.encode(label, "label") for label in types]
    out = c_void_p()
    _library.call(
        "entities_html",
        *(data, len(data), (_library.Entity * len(given))(*given), len(given)),
        *(_library.texts_array(labels), len(labels), byref(out)),
    )
    return _library.take_text(out.value)


def _page(parts: Iterable[str]) -> str:
    style: bytes = _library.call("entities_css")
    return f"<style>{style.decode()}</style>" + "".join(parts)


def data_frame(rows: Iterable[Any], columns: Sequence[str] | None = None) -> Any:
    """A pandas DataFrame; None: the columns that the rows, dictionaries, have."""
    try:
        import pandas
    except ImportError:
        raise ArgumentError("to_pandas takes the package pandas (pip install nerfit[pandas])") from None
    return pandas.DataFrame(list(rows), columns=None if columns is None else list(columns))


class Entities(list[Entity]):
    """The entities of a text: a list that knows the text.

    In a notebook it is shown as the text with its entities marked, as spaCy's displaCy does.
    """

    def __init__(
        self, entities: Iterable[Entity] = (), source: str = "", types: Sequence[str] = ()
    ) -> None:
        super().__init__(entities)
        self.source, self.types = source, types
        """The text, and the entity types that the model has, which choose the colours."""

    def _repr_html_(self) -> str:
        return _page([_marked(self.source, self, self.types)])

    def to_pandas(self) -> Any:
        """A row an entity: "start", "end", "label", "text", "score"."""
        return data_frame(self, Entity._fields)

    def to_pipeline(self) -> list[dict[str, Any]]:
        """As transformers' token-classification pipeline gives them with an aggregation strategy:
        "entity_group", "score", "word", "start", "end". The word is the text's own; the pipeline's
        is put together from sub-words, and lower-cased by models that do so."""
        return [
            {
                "entity_group": e.label,
                "score": e.score,
                "word": e.text,
                "start": e.start,
                "end": e.end,
            }
            for e in self
        ]


class Predictions(list[Entities]):
    """The entities of many texts: a list of :class:`Entities`, one for every text."""

    def _repr_html_(self) -> str:
        more = [f"<p>and {len(self) - _SHOWN} more texts</p>"] if len(self) > _SHOWN else []
        return _page([*(_marked(one.source, one, one.types) for one in self[:_SHOWN]), *more])

    def __repr__(self) -> str:
        if len(self) <= _SHOWN:
            return super().__repr__()
        return f"{self[:_SHOWN]!r}"[:-1] + f", and {len(self) - _SHOWN} more]"

    def to_pandas(self) -> Any:
        """A row an entity: "row" (which text, from 0), "start", "end", "label", "text", "score". Texts
        without entities have none."""
        rows = ((i, *entity) for i, entities in enumerate(self) for entity in entities)
        return data_frame(rows, ("row", *Entity._fields))

    def to_pipeline(self) -> list[list[dict[str, Any]]]:
        """See :meth:`Entities.to_pipeline`."""
        return [entities.to_pipeline() for entities in self]
