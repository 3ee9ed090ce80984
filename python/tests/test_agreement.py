"""Python and the program say the same, to the last digit, of a model that leaves out entities."""

import json
import subprocess

import pytest

import nerfit
from nerfit import Trainer, TrainingArguments

from conftest import ANNOTATIONS, EMBEDDINGS

WORDS = "wake me up at nine in madrid play jazz now please ten call rome bob".split()
TEXTS = [" ".join(WORDS[(7 * i + k * (i % 5 + 1)) % len(WORDS)] for k in range(3 + i % 6)) for i in range(60)]  # fmt: skip


@pytest.fixture(scope="module")
def model(unsure):
    return nerfit.load(unsure, precision="f32", threads=1)


def run(program, *arguments, text=None):
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


SETTINGS = ["--precision", "f32", "--threads", "1", "--quiet"]

THRESHOLDS = [
    (None, []),
    (0, ["--threshold", "0"]),
    (0.4, ["--threshold", "0.4"]),
    ({"time": 0.6}, ["--threshold", "time=0.6"]),
    ({"time": 0.6, None: 0.3}, ["--threshold", "0.3,time=0.6"]),
    ({"song": 1}, ["--threshold", "song=1"]),
]


def test_the_model_leaves_out_something(model, unsure):
    limit = json.loads((open(unsure + "/nerfit.json")).read())["least_probability"]
    assert limit > 0
    few, all_of_them = model.predict(TEXTS), model.predict(TEXTS, threshold=0)
    assert 0 < sum(map(len, few)) < sum(map(len, all_of_them))


@pytest.mark.parametrize("threshold, flags", THRESHOLDS, ids=str)
def test_predictions(program, model, unsure, threshold, flags):
    lines = run(program, "predict", unsure, *SETTINGS, *flags, text="\n".join(TEXTS) + "\n")
    theirs = [json.loads(line)["entities"] for line in lines.splitlines()]
    ours = [
        [dict(zip(("start", "end", "label", "text"), e[:4]), score=float(f"{e.score:.4f}")) for e in found]
        for found in model.predict(TEXTS, threshold=threshold)
    ]  # fmt: skip
    assert ours == theirs
    alone = [model.predict(text, threshold=threshold) for text in TEXTS]
    assert [[e[:4] for e in found] for found in alone] == [
        [e[:4] for e in found] for found in model.predict(TEXTS, threshold=threshold)
    ]


@pytest.mark.parametrize("threshold, flags", THRESHOLDS, ids=str)
@pytest.mark.parametrize("words", [False, True])
def test_scores(program, model, unsure, tmp_path, threshold, flags, words):
    path = tmp_path / "test.txt"
    path.write_text("\n".join(ANNOTATIONS * 3))
    flags = [*flags, *(["--words"] if words else [])]
    theirs = json.loads(run(program, "eval", unsure, str(path), "--json", *SETTINGS, *flags))
    assert model.evaluate(path, words=words, threshold=threshold).details == theirs
    in_memory = model.evaluate(ANNOTATIONS * 3, words=words, threshold=threshold)
    assert in_memory.details["micro"] == theirs["micro"]


def test_the_limit_comes_back(model):
    """A threshold is of its call alone, of whatever kind that was."""
    few, every = model.predict(TEXTS), model.predict(TEXTS, threshold=0)
    score = model.evaluate(ANNOTATIONS).f1
    with pytest.raises(nerfit.errors.ArgumentError, match='no entity type "tiem"; did you mean "time"'):
        model.predict(TEXTS, threshold={"time": 0, "tiem": 0.5})
    assert model.predict(TEXTS) == few
    assert model.predict(TEXTS, threshold={}) == few
    model.evaluate(ANNOTATIONS, threshold=1)
    assert model.evaluate(ANNOTATIONS).f1 == score
    assert model.predict(TEXTS, threshold=0) == every
    model.tokens(TEXTS)
    assert model.predict(TEXTS) == few


@pytest.mark.parametrize(
    "threshold, message",
    [
        ("0.5", "threshold: '0.5' is not a number; expected a number from 0 to 1, or a dictionary"),
        (True, "threshold: True is not a number"),
        ({"time": None}, "threshold: None is not a number"),
        ({3: 0.5}, "threshold: 3 is not a label"),
        ([0.5], "threshold: [0.5] is not a number"),
        (float("nan"), "threshold: nan is not a number from 0 to 1"),
        (1.5, "threshold: 1.5 is not a number from 0 to 1"),
        ({"O": 0.5}, 'threshold: the model has no entity type "O"'),
    ],
    ids=str,
)
def test_what_is_no_threshold(model, threshold, message):
    with pytest.raises(nerfit.errors.ArgumentError) as caught:
        model.predict(TEXTS[0], threshold=threshold)
    assert str(caught.value).startswith(message) and str(caught.value).count('"O"') < 2


def test_a_trainer_and_its_model_say_the_same(encoder, tmp_path, program):
    args = TrainingArguments(
        model_name=encoder, train_annotations=ANNOTATIONS * 4, val_annotations=ANNOTATIONS,
        ent2emb=EMBEDDINGS, output_dir=tmp_path / "run", max_steps=(0, 40), learning_rate=2e-3,
        calibration="none", precision="f32", threads=1,
    )  # fmt: skip
    trainer = Trainer(args, progress=False)
    result = trainer.train()
    path = tmp_path / "val.txt"
    path.write_text("\n".join(ANNOTATIONS))
    theirs = json.loads(run(program, "eval", result.model_folder, str(path), "--json", *SETTINGS))
    assert trainer.evaluate().f1 == theirs["micro"]["f1"]
    assert trainer.evaluate(words=True).f1 == pytest.approx(result.report.f1, abs=1e-12)
    assert trainer.predict(TEXTS, threshold=0) == trainer.model.predict(TEXTS, threshold=0)
