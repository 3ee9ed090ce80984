"""An estimator for scikit-learn: texts in, entities out, F1 as its score.

    cross_val_score(NerfitTagger(model_name=..., max_steps=(0, 100)), texts, entities, cv=5)
"""

from __future__ import annotations

import tempfile
from typing import Any, Optional
from collections.abc import Sequence

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ._arguments import TrainingArguments
from ._model import Model
from ._predictions import Predictions
from ._trainer import Trainer


class NerfitTagger(BaseEstimator):  # type: ignore[misc,unused-ignore]
    """Args:
    model_name: the encoder.
    ent2emb: descriptions (or embeddings) of the labels.
    output_dir: of the run; None: a temporary folder that goes with the estimator.
    options: further options of :class:`nerfit.TrainingArguments`, as a dictionary.
    """

    def __init__(
        self,
        model_name: Any = None,
        ent2emb: Any = None,
        output_dir: Any = None,
        options: Optional[dict[str, Any]] = None,
    ) -> None:
        self.model_name = model_name
        self.ent2emb = ent2emb
        self.output_dir = output_dir
        self.options = options

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> NerfitTagger:
        """X: texts; y: for each its entities, [[start, end, label], ...] or dictionaries."""
        place = self.output_dir
        if place is None:
            self._folder = tempfile.TemporaryDirectory(prefix="nerfit-")
            place = self._folder.name
        args = TrainingArguments(
            self.model_name,
            [{"text": text, "entities": entities} for text, entities in zip(X, y)],
            ent2emb=self.ent2emb,
            output_dir=place,
            overwrite_output_dir=True,
            **(self.options or {}),
        )
        trainer = Trainer(args, progress=False)
        self.result_ = trainer.train()
        self.model_: Model = trainer.model
        self.classes_ = sorted(self.model_.types)
        return self

    def predict(self, X: Sequence[str]) -> Predictions:
        """The entities of every text."""
        check_is_fitted(self, "model_")
        found: Predictions = self.model_.predict(list(X))
        return found

    def score(self, X: Sequence[str], y: Sequence[Any]) -> float:
        """F1 of entities, micro-averaged, 0 to 1."""
        check_is_fitted(self, "model_")
        texts = [{"text": text, "entities": entities} for text, entities in zip(X, y)]
        return self.model_.evaluate(texts, words=True).f1
