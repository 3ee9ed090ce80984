"""A tiny BERT with a vocabulary of letters, and annotations to train it on."""

import os
import shutil
import signal
import string
from pathlib import Path

import pytest

# a shell's background job ignores it, and what it starts does so, too
signal.signal(signal.SIGINT, signal.default_int_handler)

# on a machine that does other work, OpenMP's threads must not wait for each other by spinning
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parents[2]

os.environ["HF_HUB_OFFLINE"] = "1"  # what a test downloads comes from a server of its own

WORDS = ["wake", "me", "up", "at", "nine", "in", "madrid", "play", "jazz", "now", "please", "ten",
         "call", "rome", "bob"]  # fmt: skip

ANNOTATIONS = [
    "wake me up at [time : nine]",
    "play [song : jazz] in [place : madrid]",
    "call [person : bob] at [time : ten] please",
    "please wake me up",
    "[person : bob] is in [place : rome]",
    "play [song : jazz] now",
    "call me at [time : nine]",
    "wake [person : bob] in [place : rome]",
]

DESCRIPTIONS = {
    "time": "a time of day",
    "song": "a song or kind of music",
    "place": "a city",
    "person": "a name",
}

EMBEDDINGS = {
    "time": [1.0, 0.0, 0.5, 0.0],
    "song": [0.0, 1.0, 0.0, 0.25],
    "place": [0.0, 0.0, 1.0, 0.0],
    "person": [0.5, 0.0, 0.0, 1.0],
}


def make_encoder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(ROOT / "tests" / "golden" / "bert" / name, folder / name)
    letters = string.ascii_lowercase
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters,
                  *("##" + letter for letter in letters)]  # fmt: skip
    vocabulary += [f"[unused{i}]" for i in range(100 - len(vocabulary))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    return folder


def put_into_cache(cache, name, folder):
    """The hub's cache with a model, laid out as huggingface_hub does it."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    model = cache / ("models--" + name.replace("/", "--"))
    snapshot = model / "snapshots" / commit
    for place in (model / "refs", model / "blobs", snapshot):
        place.mkdir(parents=True)
    (model / "refs" / "main").write_text(commit)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, model / "blobs" / f"{number:040}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number:040}")
    return snapshot


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture
def options(encoder, tmp_path):
    """Arguments of a run of seconds."""
    return dict(
        model_name=encoder,
        train_annotations=ANNOTATIONS,
        val_annotations=ANNOTATIONS,
        ent2emb=EMBEDDINGS,
        output_dir=tmp_path / "run",
        recipe="original",
        max_steps=(6, 8),
        warmup_steps=2,
        learning_rate=5e-3,
        eval_steps=4,
        logging_steps=2,
        save_strategy="steps",
        save_steps=4,
        per_device_train_batch_size=3,
        save_total_limit=0,
        precision="f32",
        threads=1,
    )


@pytest.fixture(scope="session")
def program():
    """The program of the package, or of the build beside the library that is tested."""
    import nerfit

    installed = Path(nerfit.__file__).parent / "bin" / "nerfit"
    built = Path(os.environ.get("NERFIT_LIBRARY", "")).parent / "nerfit"
    path = built if "NERFIT_LIBRARY" in os.environ else installed
    assert path.exists(), path
    return str(path)


@pytest.fixture(scope="session")
def unsure(encoder, tmp_path_factory):
    """The folder of a model of the recipe nerfit that has learned little: some of its entities are
    less probable than its least_probability."""
    from nerfit import Trainer, TrainingArguments

    output = tmp_path_factory.mktemp("runs") / "unsure"
    args = TrainingArguments(
        model_name=encoder,
        train_annotations=ANNOTATIONS * 4,
        ent2emb=EMBEDDINGS,
        output_dir=output,
        max_steps=(0, 60),
        learning_rate=2e-3,
        precision="f32",
        threads=1,
    )
    return Trainer(args, progress=False).train().model_folder


@pytest.fixture(scope="session")
def trained(encoder, tmp_path_factory):
    """A model that knows its training texts."""
    from nerfit import Trainer, TrainingArguments

    args = TrainingArguments(
        model_name=encoder,
        train_annotations=ANNOTATIONS,
        ent2emb=EMBEDDINGS,
        output_dir=tmp_path_factory.mktemp("runs") / "trained",
        recipe="original",
        max_steps=(20, 250),
        warmup_steps=5,
        learning_rate=1e-2,
        weight_decay=0,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        logging_steps=100,
        precision="f32",
        threads=1,
    )
    trainer = Trainer(args, progress=False)
    trainer.train()
    return trainer
