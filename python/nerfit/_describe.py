"""Descriptions of labels by a language model."""

from __future__ import annotations

import json
import os
from ctypes import byref, c_void_p
from collections.abc import Mapping

from . import _data, _library, _transfer
from ._corpus import log_function
from .errors import ArgumentError


def describe(
    annotations: _data.Annotations,
    llm: str,
    known: Mapping[str, str] | None = None,
    seed: int = 123,
    file: str | os.PathLike[str] | None = None,
    format: str = "auto",
) -> dict[str, str]:
    """Asks a language model what each label of annotated texts stands for: an ent2emb to look
    through. ``Trainer.train`` does the same if ent2emb is not given.

    Args:
        annotations: a list (bracket texts, or ``{"text", "entities"}``), or a file.
        llm: litellm's name of a model: "gpt-4o-mini", "anthropic/...", "ollama/...". Its key comes
            from the environment (OPENAI_API_KEY, ...).
        known: descriptions that are there already; their labels are not asked for.
        seed: up to ten texts of a label are drawn with it.
        file: YAML or JSON; what it holds counts as known, and it is written after every answer.
        format: of the annotations' file, or of the texts of a list.

    Returns:
        The description of every label, those known included.

    Raises:
        NerfitError: a key is missing, the model did not answer, or its answer is of no use.
    """
    corpus = _data.corpus_of(annotations, format)
    labels, texts = [], []
    for label, text in (known or {}).items():
        if not isinstance(label, str) or not isinstance(text, str):
            raise ArgumentError(
                f"known: expected labels with descriptions, not {label!r}: {text!r}"
            )
        labels.append(_library.encode(label, "known"))
        texts.append(_library.encode(text, f'known: "{label}"'))
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed: {seed!r} is not a whole number from 0 on")
    corpora = (c_void_p * 1)(corpus.address)
    out = c_void_p()
    with _transfer.Transfers(progress=False) as transfers:
        options = _library.DescribeOptions(
            llm=_library.encode(llm, "llm"),
            seed=seed,
            file=_library.encode_path(file),
            labels=_library.texts_array(labels),
            descriptions=_library.texts_array(texts),
            n_known=len(labels),
            log=log_function,
            transfer=transfers.function,
        )
        _library.call("describe", corpora, 1, byref(options), byref(out))
    found: dict[str, str] = json.loads(_library.take_text(out.value))
    return found
