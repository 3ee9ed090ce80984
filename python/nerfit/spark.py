"""Tagging in Spark, one model a worker process:

    tagger = nerfit.spark.tagger("/models/alarm")
    tagged = frame.mapInPandas(tagger, tagger.schema(frame))
"""

from __future__ import annotations

from typing import Any
from collections.abc import Iterator

from ._frames import SPARK_ENTITIES, FrameTagger


class _Tagger:
    def __init__(self, tag: FrameTagger) -> None:
        self.tag = tag

    def schema(self, frame: Any) -> str:
        """Of the result: the frame's columns and the entities."""
        columns = [f"`{name}` {kind}" for name, kind in frame.dtypes]
        return ", ".join([*columns, f"`{self.tag.entities}` {SPARK_ENTITIES}"])

    def __call__(self, frames: Iterator[Any]) -> Iterator[Any]:
        for frame in frames:
            yield self.tag(frame)


def tagger(model: Any, text: str = "text", entities: str = "entities", **options: Any) -> _Tagger:
    """For ``DataFrame.mapInPandas``; arguments as :class:`nerfit._frames.FrameTagger` has them:
    `threshold`, `threads` (1), and those of ``nerfit.load``."""
    return _Tagger(FrameTagger(model, text, entities, **options))
