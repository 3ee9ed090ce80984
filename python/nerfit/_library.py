"""The C library: its structs and functions as ``nerfit.h`` has them, and its errors as exceptions.

Everything real happens in C; the other modules turn Python values into arguments of these
functions. ctypes gives up the interpreter lock during a call and takes it for callbacks.
"""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    byref,
    c_bool,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_long,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

from . import errors

# ------------------------------------------------------------------ structs, as in nerfit.h


class Error(ctypes.Structure):
    _fields_ = [
        ("code", c_int),
        ("line", c_long),
        ("column", c_long),
        ("file", c_char * 256),
        ("text", c_char * 1024),
    ]


LogFunction = CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class Transfer(ctypes.Structure):
    _fields_ = [
        ("model", c_char_p),
        ("file", c_char_p),
        ("done", c_uint64),
        ("total", c_uint64),
    ]


TransferFunction = CFUNCTYPE(c_bool, c_void_p, POINTER(Transfer))


class Options(ctypes.Structure):
    """A struct that begins with its size, as nerfit.h wants those that its callers fill."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(size=ctypes.sizeof(self), **fields)


class ModelOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("backend", c_char_p),
        ("precision", c_char_p),
        ("threads", c_int),
        ("log", LogFunction),
        ("log_user", c_void_p),
        ("decoder", c_char_p),
        ("labels", c_char_p),
        ("sentence_encoder", c_char_p),
        ("transfer", TransferFunction),
        ("transfer_user", c_void_p),
        ("weights", c_void_p),
        ("label_text", c_char_p),
    ]


GoOnFunction = CFUNCTYPE(c_bool, c_void_p)


class CallThreshold(ctypes.Structure):
    _fields_ = [("label", c_char_p), ("threshold", c_double)]


class LabelList(ctypes.Structure):
    _fields_ = [("labels", POINTER(c_char_p)), ("count", c_size_t)]


class CallOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("decoder", c_char_p),
        ("thresholds", POINTER(CallThreshold)),
        ("n_thresholds", c_size_t),
        ("go_on", GoOnFunction),
        ("log", c_void_p),
        ("user", c_void_p),
        ("labels", POINTER(c_char_p)),
        ("n_labels", c_size_t),
        ("nested", c_bool),
        ("multi_label", c_bool),
        ("text_labels", POINTER(LabelList)),
        ("characters", c_bool),
    ]


class Entity(ctypes.Structure):
    _fields_ = [
        ("start", c_uint32),
        ("end", c_uint32),
        ("byte_start", c_size_t),
        ("byte_end", c_size_t),
        ("label", c_char_p),
        ("score", c_double),
    ]


class Token(ctypes.Structure):
    _fields_ = [
        ("start", c_uint32),
        ("end", c_uint32),
        ("id", c_int32),
        ("label", c_char_p),
        ("score", c_double),
    ]


class Prediction(ctypes.Structure):
    _fields_ = [
        ("entities", POINTER(Entity)),
        ("n_entities", c_size_t),
        ("tokens", POINTER(Token)),
        ("n_tokens", c_size_t),
    ]


class Span(ctypes.Structure):
    _fields_ = [("start", c_int64), ("end", c_int64), ("label", c_char_p)]


class Report(ctypes.Structure):
    _fields_ = [
        ("text", c_void_p),
        ("json", c_void_p),
        ("precision", c_double),
        ("recall", c_double),
        ("f1", c_double),
        ("scores", c_void_p),
        ("analysis", c_void_p),
        ("mistakes", c_void_p),
        ("n_mistakes", c_size_t),
        ("memory", c_void_p),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("kind", c_int),
        ("stage", c_int),
        ("stage_name", c_char_p),
        ("step", c_int64),
        ("total_steps", c_int64),
        ("epoch", c_double),
        ("loss", c_double),
        ("json", c_char_p),
        ("path", c_char_p),
        ("fold", c_int),
        ("folds", c_int),
    ]


EventFunction = CFUNCTYPE(c_bool, c_void_p, POINTER(Event))


class Callbacks(Options):
    _fields_ = [
        ("size", c_size_t),
        ("log", LogFunction),
        ("event", EventFunction),
        ("parse", c_void_p),  # texts are parsed before they are handed over: see _data.py
        ("transfer", TransferFunction),
        ("user", c_void_p),
    ]


class ReadOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("format", c_char_p),
        ("overlap", c_char_p),
        ("tagging", c_char_p),
        ("max_errors", c_size_t),
        ("finding", c_void_p),
        ("user", c_void_p),
        ("offsets", c_char_p),
        ("word_column", c_char_p),
        ("label_column", c_char_p),
    ]


class Finding(ctypes.Structure):
    _fields_ = [
        ("is_error", c_bool),
        ("file", c_char_p),
        ("line", c_long),
        ("column", c_long),
        ("kind", c_char_p),
        ("message", c_char_p),
    ]


FindingFunction = CFUNCTYPE(None, c_void_p, POINTER(Finding))


class Format(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("title", c_char_p),
        ("endings", c_char_p),
        ("folder", c_bool),
        ("is_read", c_bool),
        ("is_written", c_bool),
        ("recognised", c_char_p),
        ("kept", c_char_p),
        ("lost", c_char_p),
        ("advice", c_char_p),
        ("by_ending", c_bool),
    ]


FormatFunction = CFUNCTYPE(None, c_void_p, POINTER(Format))


DescribedFunction = CFUNCTYPE(c_bool, c_void_p, c_char_p, c_char_p, c_size_t, c_size_t)


class DescribeOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("llm", c_char_p),
        ("seed", c_uint64),
        ("file", c_char_p),
        ("labels", POINTER(c_char_p)),
        ("descriptions", POINTER(c_char_p)),
        ("n_known", c_size_t),
        ("format", c_char_p),
        ("log", LogFunction),
        ("transfer", TransferFunction),
        ("described", DescribedFunction),
        ("user", c_void_p),
    ]


class TrainResult(ctypes.Structure):
    _fields_ = [
        ("model_folder", c_void_p),
        ("report", Report),
        ("report_of", c_char_p),
        ("seconds", c_double),
        ("page", c_void_p),
    ]


class Benchmark(ctypes.Structure):
    _fields_ = [("text", c_void_p), ("json", c_void_p)]


class Quantization(ctypes.Structure):
    _fields_ = [("f1", c_double), ("f1_int8", c_double)]


class FewshotOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("k", c_char_p),
        ("seeds", c_char_p),
        ("recipes", c_char_p),
        ("samples", c_char_p),
        ("pretrained", c_char_p),
        ("negatives", c_char_p),
    ]


class FewshotProgress(ctypes.Structure):
    _fields_ = [
        ("finished", c_size_t),
        ("runs", c_size_t),
        ("k", c_size_t),
        ("texts", c_size_t),
        ("seed", c_uint64),
        ("recipe", c_char_p),
        ("done", c_bool),
        ("earlier", c_bool),
        ("f1", c_double),
        ("seconds", c_double),
        ("seconds_left", c_double),
        ("event", POINTER(Event)),
    ]


FewshotFunction = CFUNCTYPE(c_bool, c_void_p, POINTER(FewshotProgress))


class FewshotResult(ctypes.Structure):
    _fields_ = [("text", c_void_p), ("markdown", c_void_p), ("json", c_void_p)]


# ------------------------------------------------------------------ loading

_STATUS = (
    None,
    errors.OutOfMemoryError,
    errors.FileError,
    errors.FormatError,
    errors.ArgumentError,
    errors.UnsupportedError,
    errors.CancelledError,
    errors.NumericError,
    errors.InternalError,
)

_FOLDER = Path(__file__).resolve().parent

_texts = POINTER(c_char_p)
_error = POINTER(Error)

STATUS = object()  # the result of a function that takes an error record last, and may fail

# name: (result, arguments)
_FUNCTIONS = {
    "nerfit_version": (c_char_p, []),
    "nerfit_free": (None, [c_void_p]),
    "nerfit_model_find": (
        STATUS,
        [c_char_p, c_char_p, POINTER(ModelOptions), POINTER(c_void_p), _error],
    ),
    "nerfit_describe": (
        STATUS,
        [POINTER(c_void_p), c_size_t, POINTER(DescribeOptions), POINTER(c_void_p), _error],
    ),
    "nerfit_model_load": (
        STATUS,
        [POINTER(c_void_p), c_char_p, POINTER(ModelOptions), _error],
    ),
    "nerfit_model_free": (None, [c_void_p]),
    "nerfit_weights_new": (STATUS, [POINTER(c_void_p), POINTER(ModelOptions), _error]),
    "nerfit_weights_free": (None, [c_void_p]),
    "nerfit_model_label_count": (c_size_t, [c_void_p]),
    "nerfit_model_label": (c_char_p, [c_void_p, c_size_t]),
    "nerfit_session_new": (STATUS, [POINTER(c_void_p), c_void_p, _error]),
    "nerfit_session_free": (None, [c_void_p]),
    "nerfit_session_reset_thresholds": (None, [c_void_p]),
    "nerfit_session_set_threshold": (STATUS, [c_void_p, c_char_p, c_double, _error]),
    "nerfit_session_set_rules": (STATUS, [c_void_p, c_char_p, _error]),
    "nerfit_predict_with": (
        STATUS,
        [
            c_void_p,
            POINTER(CallOptions),
            _texts,
            POINTER(c_size_t),
            c_size_t,
            POINTER(POINTER(Prediction)),
            _error,
        ],
    ),
    "nerfit_evaluate_with": (
        STATUS,
        [
            c_void_p,
            POINTER(CallOptions),
            c_void_p,
            c_char_p,
            c_bool,
            POINTER(Report),
            _error,
        ],
    ),
    "nerfit_corpus_new": (STATUS, [POINTER(c_void_p), LogFunction, c_void_p, _error]),
    "nerfit_corpus_free": (None, [c_void_p]),
    "nerfit_corpus_size": (c_size_t, [c_void_p]),
    "nerfit_corpus_entity_count": (c_size_t, [c_void_p]),
    "nerfit_corpus_add": (
        STATUS,
        [c_void_p, c_char_p, c_size_t, POINTER(Span), c_size_t, c_char_p, c_long, _error],
    ),
    "nerfit_corpus_parse": (
        STATUS,
        [c_void_p, c_char_p, c_size_t, c_char_p, c_char_p, _error],
    ),
    "nerfit_corpus_read": (
        STATUS,
        [c_void_p, c_char_p, POINTER(ReadOptions), _error],
    ),
    "nerfit_corpus_write": (STATUS, [c_void_p, c_char_p, c_char_p, _error]),
    "nerfit_corpus_format": (
        STATUS,
        [c_void_p, c_char_p, POINTER(c_void_p), POINTER(c_size_t), _error],
    ),
    "nerfit_corpus_check": (
        STATUS,
        [POINTER(c_void_p), c_size_t, c_char_p, FindingFunction, c_void_p, _error],
    ),
    "nerfit_corpus_statistics": (
        STATUS,
        [POINTER(c_void_p), _texts, c_size_t, POINTER(c_void_p), POINTER(c_void_p), _error],
    ),
    "nerfit_corpus_split": (
        STATUS,
        [c_void_p, _texts, c_size_t, c_uint64, POINTER(c_void_p), _error],
    ),
    "nerfit_corpus_sample": (
        STATUS,
        [c_void_p, c_size_t, c_uint64, c_char_p, POINTER(c_void_p), _error],
    ),
    "nerfit_formats": (STATUS, [FormatFunction, c_void_p, _error]),
    "nerfit_encoder_load": (STATUS, [POINTER(c_void_p), c_char_p, POINTER(ModelOptions), _error]),
    "nerfit_encoder_free": (None, [c_void_p]),
    "nerfit_encoder_size": (c_size_t, [c_void_p]),
    "nerfit_encode": (
        STATUS,
        [c_void_p, _texts, c_size_t, POINTER(c_float), POINTER(c_size_t), _error],
    ),
    "nerfit_entities_css": (c_char_p, []),
    "nerfit_entities_html": (
        STATUS,
        [
            *(c_char_p, c_size_t, POINTER(Entity), c_size_t, POINTER(c_char_p), c_size_t),
            *(POINTER(c_void_p), _error),
        ],
    ),
    "nerfit_tokenizer_load": (STATUS, [POINTER(c_void_p), c_char_p, _error]),
    "nerfit_tokenizer_free": (None, [c_void_p]),
    "nerfit_tokenize": (STATUS, [c_void_p, c_char_p, c_size_t, POINTER(c_void_p), _error]),
    "nerfit_score_files": (STATUS, [c_char_p, c_char_p, c_char_p, POINTER(Report), _error]),
    "nerfit_model_quantize": (
        STATUS,
        [
            c_char_p,
            c_char_p,
            c_char_p,
            POINTER(ModelOptions),
            c_bool,
            POINTER(Quantization),
            _error,
        ],
    ),
    "nerfit_model_benchmark": (
        STATUS,
        [c_char_p, POINTER(ModelOptions), c_double, POINTER(Benchmark), _error],
    ),
    "nerfit_benchmark_free": (None, [POINTER(Benchmark)]),
    "nerfit_pretrain": (
        STATUS,
        [c_void_p, POINTER(Callbacks), POINTER(TrainResult), _error],
    ),
    "nerfit_fewshot": (
        STATUS,
        [
            c_void_p,
            POINTER(FewshotOptions),
            LogFunction,
            FewshotFunction,
            c_void_p,
            POINTER(FewshotResult),
            _error,
        ],
    ),
    "nerfit_fewshot_result_free": (None, [POINTER(FewshotResult)]),
    "nerfit_report_free": (None, [POINTER(Report)]),
    "nerfit_config_new": (STATUS, [POINTER(c_void_p), _error]),
    "nerfit_config_join_mpi": (
        STATUS,
        [c_void_p, POINTER(c_size_t), POINTER(c_size_t), _error],
    ),
    "nerfit_config_free": (None, [c_void_p]),
    "nerfit_config_load": (STATUS, [c_void_p, c_char_p, _error]),
    "nerfit_config_set": (STATUS, [c_void_p, c_char_p, c_char_p, _error]),
    "nerfit_config_set_corpus": (STATUS, [c_void_p, c_char_p, c_void_p, _error]),
    "nerfit_config_set_embeddings": (
        STATUS,
        [c_void_p, _texts, c_size_t, c_size_t, POINTER(c_float), _error],
    ),
    "nerfit_config_set_descriptions": (STATUS, [c_void_p, _texts, _texts, c_size_t, _error]),
    "nerfit_config_options": (c_void_p, []),
    "nerfit_config_values": (c_void_p, [c_void_p]),
    "nerfit_config_given": (c_void_p, [c_void_p]),
    "nerfit_train": (
        STATUS,
        [c_void_p, POINTER(Callbacks), POINTER(TrainResult), _error],
    ),
    "nerfit_train_result_free": (None, [POINTER(TrainResult)]),
}


def _open() -> ctypes.CDLL:
    path = os.environ.get("NERFIT_LIBRARY") or str(_FOLDER / "libnerfit.so")
    # OpenMP's threads wait for each other by spinning, for milliseconds, and starve on a machine that
    # does other work besides; the run-time reads its settings as it is loaded. As the program does.
    short = not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ)
    if short:
        os.environ["GOMP_SPINCOUNT"] = "2000"
    try:
        library = ctypes.CDLL(path)
    except OSError as reason:
        raise ImportError(
            f"nerfit's library cannot be loaded: {reason}. It takes the Debian packages libdnnl3 "
            "(Debian 12: libdnnl2), libjansson4, libyaml-0-2, libutf8proc2 (or 3), libcurl4 and "
            "libgomp1, or their like; if "
            "those are there, install nerfit again, so that it is built for them."
        ) from None
    finally:
        if short:
            del os.environ["GOMP_SPINCOUNT"]
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = c_int if result is STATUS else result
        function.argtypes = arguments
    return library


_library = _open()


def declare(functions: dict[str, tuple[Any, list[Any]]]) -> None:
    """Makes more functions of nerfit.h known to ``call``."""
    for name, (result, arguments) in functions.items():
        function = getattr(_library, name)
        function.restype = c_int if result is STATUS else result
        function.argtypes = arguments
    _FUNCTIONS.update(functions)


def exception(error: Error) -> errors.NerfitError:
    """The exception that says what the error record says."""
    known = 0 < error.code < len(_STATUS)
    kind = _STATUS[error.code] if known else errors.InternalError
    assert kind is not None
    made = kind(error.text.decode("utf-8", "replace"))
    made.file = error.file.decode("utf-8", "replace")
    made.line = error.line
    made.column = error.column
    return made


def call(name: str, *arguments: Any) -> Any:
    """Calls a function of nerfit.h by its name without ``nerfit_``. One that returns a status gets
    its error record here, and raises."""
    full = "nerfit_" + name
    if _FUNCTIONS[full][0] is not STATUS:
        return getattr(_library, full)(*arguments)
    error = Error()
    status = getattr(_library, full)(*arguments, byref(error))
    if status != 0:
        raise exception(error)
    return None


# ------------------------------------------------------------------ values


def take_text(address: int | None) -> str:
    """The text at an address that the library handed out; frees it."""
    if not address:
        raise errors.OutOfMemoryError("out of memory")
    try:
        return ctypes.string_at(address).decode("utf-8")
    finally:
        call("free", address)


def encode(text: str, what: str) -> bytes:
    """UTF-8 for the library's texts that end with NUL; `what` stands for the text in messages."""
    if "\0" in text:
        raise errors.ArgumentError(f"{what}: a text with a NUL character: {text!r}")
    return encode_text(text, what)


def encode_text(text: str, what: str) -> bytes:
    """UTF-8; half a surrogate pair, which Python allows in texts, is an error."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as reason:
        code = ord(text[reason.start])
        raise errors.FormatError(
            f"{what}: character {reason.start} is U+{code:04X}, half a surrogate pair"
        ) from None


def encode_given(text: str | None, what: str) -> bytes | None:
    """As `encode`; None for what was not given."""
    return None if text is None else encode(text, what)


def encode_path(path: str | os.PathLike[str] | None) -> bytes | None:
    """None for what was not given."""
    return None if path is None else os.fsencode(path)


def texts_array(texts: list[bytes]) -> Any:
    return (c_char_p * len(texts))(*texts)


class Handle:
    """Owns an object of the library: ``nerfit_KIND_free`` is called when Python drops it."""

    kind = ""

    def __init__(self, *arguments: Any, create: str = "new") -> None:
        self.address = c_void_p()
        call(f"{self.kind}_{create}", byref(self.address), *arguments)

    def __del__(self) -> None:
        # at the interpreter's end the module's names may be gone already
        if getattr(self, "address", None) and call is not None:
            call(f"{self.kind}_free", self.address)
            self.address = c_void_p()


def options_table() -> list[dict[str, Any]]:
    """Every option of a training run: the one table in src/recipe/options.c."""
    table: list[dict[str, Any]] = json.loads(take_text(call("config_options")))
    return table


def version() -> str:
    return str(call("version"), "ascii")
