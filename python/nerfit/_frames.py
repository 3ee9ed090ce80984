"""Tagging of data frames where a process gets one part after another: Spark, Ray, Dask."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from . import _model
from .errors import ArgumentError

_models: dict[str, _model.Model] = {}  # by what they were loaded with; a forked child has its parent's

#: The columns of an entity, as Arrow and Spark spell their types.
SPARK_ENTITIES = "array<struct<start:int,end:int,label:string,text:string,score:double>>"


class FrameTagger:
    """Adds a column of entities to a pandas DataFrame: lists of dictionaries with "start", "end",
    "label", "text", "score". Pickled it is its arguments; a process loads the model once, or uses
    its parent's after a fork, and the weights of processes on one machine share their pages.

    Args:
        model: a folder or a name on the hub that every worker can reach.
        text: the column with the texts; a missing text (None, NaN) has no entities (None).
        entities: the column to add.
        threshold: as in ``Model.predict``.
        threads: of each process: 1 where an engine runs a process a core.
        **options: further arguments of ``nerfit.load``.
    """

    def __init__(
        self,
        model: Any,
        text: str = "text",
        entities: str = "entities",
        threshold: Any = None,
        threads: int = 1,
        **options: Any,
    ) -> None:
        folder = os.fspath(model.folder if isinstance(model, _model.Model) else model)
        self.model = os.path.abspath(folder) if os.path.isdir(folder) else folder
        self.text, self.entities, self.threshold = text, entities, threshold
        self.options = {"threads": threads, **options}

    def _loaded(self) -> _model.Model:
        key = json.dumps([self.model, self.options], sort_keys=True, default=str)
        if key not in _models:
            _models[key] = _model.load(self.model, **self.options)
        return _models[key]

    def tag(self, texts: Any) -> list[Optional[list[dict[str, Any]]]]:
        """The entities of every text; None for one that is missing."""
        present = [text for text in texts if isinstance(text, str)]
        for text in texts:
            # pandas' and numpy's missing values differ from themselves
            if not isinstance(text, str) and text is not None and text == text:
                raise ArgumentError(f'column "{self.text}": {text!r} is no text')
        found = iter(self._loaded().predict(present, self.threshold))
        return [
            [e._asdict() for e in next(found)] if isinstance(text, str) else None for text in texts
        ]

    def __call__(self, frame: Any) -> Any:
        """The frame with one column more."""
        if self.text not in frame.columns:
            names = ", ".join(map(str, frame.columns))
            raise ArgumentError(f'there is no column "{self.text}" among {names}')
        return frame.assign(**{self.entities: self.tag(list(frame[self.text]))})
