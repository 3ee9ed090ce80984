"""nerfit: teach a transformer to find your entities in text, from a handful of examples.

    from nerfit import Trainer, TrainingArguments

    args = TrainingArguments(
        model_name="sentence-transformers/all-MiniLM-L6-v2",  # from the hub, or a folder
        train_annotations=["wake me at [time : nine]", "call me at [time : ten thirty]"],
        ent2emb={"time": "A time of day, such as seven thirty."},
    )
    trainer = Trainer(args)
    trainer.train()
    trainer.predict("wake me at ten")   # [Entity(start=11, end=14, label='time', text='ten', ...)]

Later: ``nerfit.load("output_dir/best").predict(texts)``. The work is done by a C library that comes
with the package; messages go to the logger "nerfit".
"""

from . import errors
from ._annotate import Annotated, annotate, suggest
from ._arguments import TrainingArguments
from ._corpus import Corpus, Finding, formats
from ._describe import describe
from ._experiments import FewshotProgress, FewshotResult, fewshot, pretrain
from ._library import version as _version
from ._model import Model, Report, Token, Weights, download, load
from ._predictions import Entities, Entity, Predictions
from ._tools import Encoder, Tokenizer, benchmark, quantize, read, score
from ._trainer import Event, Trainer, TrainResult
from .errors import NerfitError

__version__ = _version()

__all__ = [
    "Annotated",
    "Corpus",
    "Encoder",
    "Entities",
    "Entity",
    "Event",
    "FewshotProgress",
    "FewshotResult",
    "Finding",
    "Model",
    "NerfitError",
    "Predictions",
    "Report",
    "Token",
    "Tokenizer",
    "TrainResult",
    "Trainer",
    "TrainingArguments",
    "Weights",
    "annotate",
    "benchmark",
    "describe",
    "download",
    "errors",
    "fewshot",
    "formats",
    "load",
    "pretrain",
    "quantize",
    "read",
    "score",
    "suggest",
]
