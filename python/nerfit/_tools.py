"""What the program's other commands do: embeddings, tokens, scores of files, int8, speed."""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import byref, c_float, c_size_t, c_void_p, sizeof
from typing import Any, Union, overload
from collections.abc import Iterable

from . import _data, _library, _transfer, _values
from ._corpus import log_function
from ._interrupt import Interrupt
from ._model import Report, make_report, model_options

_Path = Union[str, "os.PathLike[str]"]


#: Texts that the library embeds at a time; Ctrl-C counts between two of them.
_BATCH = 32


class Encoder(_library.Handle):
    """A sentence encoder: texts become vectors, as sentence-transformers computes them.

    Args:
        folder: a sentence-transformers model, or its name on the hub; a plain encoder is pooled by
            its mean.
        backend, precision, threads: as in :class:`nerfit.Model`.
    """

    kind = "encoder"

    def __init__(
        self,
        folder: _Path,
        backend: str | None = None,
        precision: str | None = None,
        threads: int = 0,
    ) -> None:
        self.folder = os.fsdecode(folder)
        with _transfer.Transfers() as transfers:
            options = model_options(backend, precision, threads, transfers)
            super().__init__(os.fsencode(folder), byref(options), create="load")
        self.size: int = _library.call("encoder_size", self.address)
        """Numbers of a vector."""

    @overload
    def encode(self, texts: str) -> list[float]: ...  # type: ignore[overload-overlap]
    @overload
    def encode(self, texts: Iterable[str]) -> list[list[float]]: ...
    def encode(self, texts: Any) -> Any:
        """The vector of a text, or of every text of a list [texts, size] (``numpy.asarray`` takes
        it). A text that is longer than the encoder takes is cut, as sentence-transformers does; the
        logger "nerfit" says how many were."""
        many, alone = _values.texts(texts)
        data = [_library.encode(text, f"texts[{i}]") for i, text in enumerate(many)]
        out = (c_float * (len(data) * self.size))()
        n_cut = 0
        with Interrupt() as interrupt:
            for first in range(0, len(data), _BATCH):
                batch, cut = data[first : first + _BATCH], c_size_t()
                numbers, place = c_float * (len(batch) * self.size), first * self.size
                vectors_of = numbers.from_buffer(out, place * sizeof(c_float))
                given = _library.texts_array(batch)
                _library.call("encode", self.address, given, len(batch), vectors_of, byref(cut))
                n_cut += cut.value
                if interrupt.interrupted:
                    break
        if interrupt.interrupted:
            raise KeyboardInterrupt
        if n_cut:
            log_function(None, 1, b"%d texts are longer than the encoder takes, and were cut" % n_cut)
        vectors = [out[i * self.size : (i + 1) * self.size] for i in range(len(data))]
        return vectors[0] if alone else vectors

    def __repr__(self) -> str:
        return f"<nerfit.Encoder {self.folder!r}, {self.size} numbers a text>"


class Tokenizer(_library.Handle):
    """The tokenizer of a model's folder (or of a name on the hub), equal to Hugging Face's."""

    kind = "tokenizer"

    def __init__(self, folder: _Path) -> None:
        self.folder = os.fsdecode(folder)
        super().__init__(os.fsencode(folder), create="load")

    def encode(self, text: str) -> dict[str, Any]:
        """The "ids", "tokens" and "offsets" (indices of the ``str``) of a text; special tokens, which have
        no place, are there too."""
        data = _library.encode_text(text, "text")
        out = c_void_p()
        _library.call("tokenize", self.address, data, len(data), byref(out))
        found: dict[str, Any] = json.loads(_library.take_text(out.value))
        return found

    def __repr__(self) -> str:
        return f"<nerfit.Tokenizer {self.folder!r}>"


def score(gold: _Path, predicted: _Path, mode: str = "default") -> Report:
    """Scores a file of words with labels against another, as seqeval does.

    Args:
        mode: "default" (seqeval's default), or a scheme for its strict mode: "iob1", "iob2", "ioe1",
            "ioe2", "bioes", "bilou".
    """
    report = _library.Report()
    paths = os.fsencode(gold), os.fsencode(predicted)
    _library.call("score_files", *paths, _library.encode(mode, "mode"), byref(report))
    try:
        return make_report(report)
    finally:
        _library.call("report_free", byref(report))


def quantize(
    folder: _Path,
    annotations: _Path,
    force: bool = False,
    format: str = "auto",
    backend: str | None = None,
    threads: int = 0,
) -> dict[str, float]:
    """Compares int8 with full precision on annotated texts, and marks the model's folder: with it,
    ``nerfit.load(folder, precision="int8")`` loads without a warning.

    Returns:
        "f1" and "f1_int8", 0 to 1.

    Raises:
        UnsupportedError: int8 loses more than half a point of F1, and `force` is not set.
    """
    out = _library.Quantization()
    with _transfer.Transfers() as transfers:
        options = model_options(backend, None, threads, transfers)
        name = _library.encode(format, "format")
        paths = os.fsencode(folder), os.fsencode(annotations)
        _library.call("model_quantize", *paths, name, byref(options), force, byref(out))
    return {"f1": out.f1, "f1_int8": out.f1_int8}


def benchmark(
    folder: _Path,
    seconds: float = 3.0,
    backend: str | None = None,
    precision: str | None = None,
    threads: int = 0,
) -> dict[str, Any]:
    """Speed on this machine, of tagging and of training, with the share of bare products' speed and
    the time by operation; `seconds` for each. The folder is only read."""
    out = _library.Benchmark()
    with _transfer.Transfers() as transfers:
        options = model_options(backend, precision, threads, transfers)
        folder_name = os.fsencode(folder)
        _library.call("model_benchmark", folder_name, byref(options), seconds, byref(out))
    try:
        found: dict[str, Any] = json.loads(ctypes.string_at(out.json))
        return found
    finally:
        _library.call("benchmark_free", byref(out))


def read(
    annotations: _data.Annotations,
    format: str = "auto",
    *,
    findings: list[Any] | None = None,
    overlap: str | None = None,
    tagging: str | None = None,
    offsets: str | None = None,
    word_column: str | int | None = None,
    label_column: str | int | None = None,
) -> _data.Corpus:
    """Annotated texts of a file or folder in any format that nerfit reads (``nerfit.formats()``), of a
    list, or of a table (pandas, polars, datasets).

    Args:
        format: "auto" by content and ending, or a name.
        findings: a list that receives a :class:`Finding` for everything that is wrong; texts with
            errors are then left out instead of raising.
        overlap: of entities: "error" (None), "all", "longest", "first".
        tagging: of words' labels: "auto" (None), "iob1", "iob2", "bioes", "bilou", "none".
        offsets: what they count: "auto" (None), "code_points", "utf16", "bytes".
        word_column, label_column: of tables of words: a number from 1, -1 for the last, or a name.

    Parquet files are read by pyarrow (``pip install nerfit[parquet]``), with the names of Hugging
    Face's class labels.
    """
    return _data.corpus_of(
        annotations,
        format,
        findings,
        overlap=overlap,
        tagging=tagging,
        offsets=offsets,
        word_column=word_column,
        label_column=label_column,
    )
