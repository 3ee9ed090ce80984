"""Tagging in Ray Data, one model an actor:

    dataset.map_batches(nerfit.ray.Tagger, fn_constructor_args=["/models/alarm"],
                        batch_format="pandas", concurrency=4)
"""

from __future__ import annotations

from ._frames import FrameTagger


class Tagger(FrameTagger):
    """A class for ``Dataset.map_batches`` with ``batch_format="pandas"``: adds the column `entities`
    to each batch. Arguments as :class:`nerfit._frames.FrameTagger` has them."""
