"""A component for spaCy's pipelines, found by its entry point once nerfit is installed:

    nlp = spacy.blank("en")
    nlp.add_pipe("nerfit", config={"model": "runs/alarm/best"})
    nlp("wake me at nine").ents

An entity takes all of spaCy's tokens that it touches; its score is ``span._.nerfit_score``. Where
expanded entities meet, the longer stays. Entities of earlier components are kept unless they overlap
with one of these, or `overwrite` is off.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Optional, Union
from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch

from . import _model
from ._predictions import Entity
from .errors import ArgumentError

if not Span.has_extension("nerfit_score"):
    Span.set_extension("nerfit_score", default=None)

_FOLDER = "model"


class NerfitComponent:
    """Tags documents; see the module.

    Args:
        model: a model's folder or its name on the hub; None: ``from_disk`` brings it.
        labels: as in ``nerfit.load``: for zero-shot tagging.
        threshold: as in ``Model.predict``.
        spans_key: the entities also go into ``doc.spans[spans_key]``, where they may overlap.
        overwrite: entities that are there make room for overlapping ones.
    """

    def __init__(
        self,
        name: str,
        model: Union[str, Path, None],
        labels: Any = None,
        threshold: Any = None,
        threads: int = 0,
        spans_key: Optional[str] = None,
        overwrite: bool = True,
    ) -> None:
        self.name = name
        self.threshold, self.threads = threshold, threads
        self.spans_key, self.overwrite = spans_key, overwrite
        self.tag_labels = labels
        self.model: Optional[_model.Model] = None
        if model is not None:
            self._load(model)

    def _load(self, folder: Union[str, Path]) -> None:
        self.model = _model.load(folder, threads=self.threads, labels=self.tag_labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types."""
        return () if self.model is None else tuple(self.model.types)

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Tags a stream, `batch_size` documents at once."""
        if self.model is None:
            raise ArgumentError(
                f'{self.name}: there is no model; give config={{"model": "runs/alarm/best"}}'
            )
        for docs in minibatch(stream, size=batch_size):  # type: ignore[no-untyped-call,unused-ignore]
            found = self.model.predict([doc.text for doc in docs], self.threshold)
            for doc, entities in zip(docs, found):
                self._annotate(doc, entities)
                yield doc

    def _annotate(self, doc: Doc, entities: list[Entity]) -> None:
        spans = []
        for entity in entities:
            span = doc.char_span(
                entity.start, entity.end, label=entity.label, alignment_mode="expand"
            )
            if span is not None:  # None: white space alone
                span._.nerfit_score = entity.score
                spans.append(span)
        if self.spans_key is not None:
            doc.spans[self.spans_key] = spans
        chosen = filter_spans(spans)
        first, second = (chosen, doc.ents) if self.overwrite else (doc.ents, chosen)
        taken = {token.i for span in first for token in span}
        kept = [span for span in second if not any(token.i in taken for token in span)]
        doc.set_ents([*first, *kept])

    def to_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> None:
        """Copies the model into the pipeline's folder."""
        if self.model is None:
            return
        source = Path(_model.download(self.model.folder))
        shutil.copytree(source, Path(path) / _FOLDER, dirs_exist_ok=True)

    def from_disk(
        self, path: Union[str, Path], *, exclude: Iterable[str] = ()
    ) -> NerfitComponent:
        """Loads the copy; what the configuration says of thresholds and the rest stays."""
        folder = Path(path) / _FOLDER
        if folder.exists():
            self._load(folder)
        return self


@Language.factory(
    "nerfit",
    default_config={
        "model": None,
        "labels": None,
        "threshold": None,
        "threads": 0,
        "spans_key": None,
        "overwrite": True,
    },
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
)
def make_component(
    nlp: Language,
    name: str,
    model: Optional[str],
    labels: Any,
    threshold: Any,
    threads: int,
    spans_key: Optional[str],
    overwrite: bool,
) -> NerfitComponent:
    """What ``nlp.add_pipe("nerfit")`` calls."""
    return NerfitComponent(name, model, labels, threshold, threads, spans_key, overwrite)
