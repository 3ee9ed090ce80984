"""A recogniser for Presidio, Microsoft's finder of personal data:

    analyzer.registry.add_recognizer(NerfitRecognizer("runs/pii/best"))

Labels become Presidio's in capitals ("person" is PERSON) unless `entities` says otherwise.
"""

from __future__ import annotations

from typing import Any, Optional
from collections.abc import Mapping

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from . import _model


class NerfitRecognizer(EntityRecognizer):
    """Args:
    model: a folder, a name on the hub, or a :class:`nerfit.Model`.
    entities: Presidio's name for each of the model's labels; labels that are not named are left out.
    threshold: as in ``Model.predict``.
    supported_language: whose texts come here.
    labels: as in ``nerfit.load``.
    """

    def __init__(
        self,
        model: Any,
        entities: Optional[Mapping[str, str]] = None,
        threshold: Any = None,
        supported_language: str = "en",
        name: str = "nerfit",
        labels: Any = None,
    ) -> None:
        loaded = isinstance(model, _model.Model)
        self.model: _model.Model = model if loaded else _model.load(model, labels=labels)
        self.entities = dict(entities) if entities else {t: t.upper() for t in self.model.types}
        self.threshold = threshold
        super().__init__(
            supported_entities=list(dict.fromkeys(self.entities.values())),
            name=name,
            supported_language=supported_language,
        )

    def load(self) -> None:
        """The model is there already."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """The entities of the wanted kinds, with their scores."""
        found = []
        for entity in self.model.predict(text, self.threshold):
            kind = self.entities.get(entity.label)
            if kind is None or (entities and kind not in entities):
                continue
            explanation = AnalysisExplanation(
                recognizer=self.name,  # type: ignore[has-type,unused-ignore]
                original_score=entity.score,
                textual_explanation=f"{entity.label}, by {self.model.folder}",
            )
            found.append(
                RecognizerResult(kind, entity.start, entity.end, entity.score, explanation)
            )
        return found
