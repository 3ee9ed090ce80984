"""Tagging in Dask:

    tagged = nerfit.dask.tag(frame, "/models/alarm")
"""

from __future__ import annotations

from typing import Any

from ._frames import FrameTagger


def tag(
    frame: Any, model: Any, text: str = "text", entities: str = "entities", **options: Any
) -> Any:
    """The Dask DataFrame with a column `entities` (lists of dictionaries); arguments as
    :class:`nerfit._frames.FrameTagger` has them."""
    tagger = FrameTagger(model, text, entities, **options)
    meta = frame._meta.assign(**{entities: None}).astype({entities: object})
    return frame.map_partitions(tagger, meta=meta)
