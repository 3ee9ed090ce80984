"""What tagging gives: lists that know their texts, become tables, and show themselves in notebooks."""

from __future__ import annotations

import html
import zlib
from typing import Any, NamedTuple
from collections.abc import Iterable, Sequence

from .errors import ArgumentError


class Entity(NamedTuple):
    """An entity of a text: ``text == the_text[start:end]``, indices of the ``str``."""

    start: int
    end: int
    label: str
    text: str
    score: float
    """How sure the model is, 0 to 1; a probability if training calibrated it."""


#: Backgrounds of labels in a notebook, under dark letters; the model's types in their order.
PALETTE = (
    *("#7aecec", "#ffd966", "#c5b3f5", "#9fe29b", "#ffb3a7", "#9fc9ff"),
    *("#f7b6e0", "#d8e07a", "#e0c3a0", "#8fe0c2", "#cfd4dc", "#f5c26b"),
)

_MARK = "background:{};color:#111;padding:.25em .4em;margin:0 .15em;line-height:1;border-radius:.35em"
_NAME = "font-size:.75em;font-weight:bold;margin-left:.5em;vertical-align:middle"
_TEXT = "line-height:2.3;white-space:pre-wrap;margin:.3em 0"

#: What a notebook shows of many texts.
_SHOWN = 50


def _colour(label: str, types: Sequence[str]) -> str:
    # a label that is none of the model's has the same colour everywhere, too
    number = types.index(label) if label in types else zlib.crc32(label.encode("utf-8", "replace"))
    return PALETTE[number % len(PALETTE)]


def _mark(entity: Entity, inner: str, types: Sequence[str]) -> str:
    style = _MARK.format(_colour(entity.label, types))
    name = html.escape(entity.label)
    return (
        f'<mark style="{style}" title="{name} {entity.score:.3f}">{inner}'
        f'<span style="{_NAME}">{name}</span></mark>'
    )


def _marked(text: str, entities: Sequence[Entity], types: Sequence[str]) -> str:
    """The text with its entities marked; of those that cross an earlier one (GLiNER's, with several
    labels) the names alone are shown, behind the text."""
    parts, crossing, at = [], [], 0
    inside = [e for e in entities if 0 <= e.start <= e.end <= len(text)]
    for entity in sorted(inside, key=lambda e: (e.start, -e.end)):
        if entity.start < at:
            crossing.append(_mark(entity, html.escape(entity.text), types))
            continue
        parts.append(html.escape(text[at : entity.start]))
        parts.append(_mark(entity, html.escape(text[entity.start : entity.end]), types))
        at = entity.end
    parts.append(html.escape(text[at:]))
    also = f" (also: {' '.join(crossing)})" if crossing else ""
    return f'<div style="{_TEXT}">{"".join(parts)}{also}</div>'


def data_frame(rows: Iterable[Any], columns: Sequence[str]) -> Any:
    """A pandas DataFrame."""
    try:
        import pandas
    except ImportError:
        raise ArgumentError("to_pandas takes the package pandas (pip install nerfit[pandas])") from None
    return pandas.DataFrame(list(rows), columns=list(columns))


class Entities(list[Entity]):
    """The entities of a text: a list that knows the text.

    In a notebook it is shown as the text with its entities marked, as spaCy's displaCy does.
    """

    def __init__(
        self, entities: Iterable[Entity] = (), source: str = "", types: Sequence[str] = ()
    ) -> None:
        super().__init__(entities)
        self.source, self.types = source, types
        """The text, and the entity types that the model has, in its order (they choose colours)."""

    def _repr_html_(self) -> str:
        return _marked(self.source, self, self.types)

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
        more = f"<p>and {len(self) - _SHOWN} more texts</p>" if len(self) > _SHOWN else ""
        return "".join(one._repr_html_() for one in self[:_SHOWN]) + more

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
