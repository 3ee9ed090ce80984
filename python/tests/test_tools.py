"""What the program's other commands do, from Python, held against the program."""

import json
import os
import signal
import subprocess
import sys
import threading
import types

import pytest

import nerfit
from conftest import ANNOTATIONS, EMBEDDINGS
from nerfit.errors import ArgumentError, UnsupportedError


def test_tokenizer(encoder, program):
    tokenizer = nerfit.Tokenizer(encoder)
    found = tokenizer.encode("wake bob ü")
    shown = subprocess.run([program, "tokenize", encoder], input="wake bob ü\n",
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert found["ids"] == json.loads(shown.stdout)["ids"]
    assert found["offsets"][1] == [0, 4]


def test_encoder(encoder, program):
    encoder_ = nerfit.Encoder(encoder, precision="f32", threads=1)
    one, many = encoder_.encode("wake me"), encoder_.encode(["wake me", "play jazz"])
    assert len(one) == encoder_.size and many[0] == one
    shown = subprocess.run([program, "embed", encoder, "--precision", "f32", "--threads", "1"],
                           input="wake me\n", capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(shown.stdout) == pytest.approx(one, abs=1e-5)
    with pytest.raises(ArgumentError, match="NUL"):
        encoder_.encode("a\0b")


def test_score(tmp_path):
    (tmp_path / "gold").write_text("a B-x\nb O\n\nc B-y\n")
    (tmp_path / "found").write_text("a B-x\nb B-y\n\nc B-y\n")
    report = nerfit.score(tmp_path / "gold", tmp_path / "found")
    assert (report.precision, report.recall) == (pytest.approx(2 / 3), 1.0)


def test_quantize_and_benchmark(trained, tmp_path):
    folder = trained.result.model_folder
    path = tmp_path / "dev.txt"
    path.write_text("\n".join(ANNOTATIONS) + "\n")
    try:
        found = nerfit.quantize(folder, path, threads=1)
        assert 0 <= found["f1_int8"] <= 1 and found["f1"] > 0.9
    except UnsupportedError as reason:  # it loses more than half a point
        assert "int8 loses" in str(reason)
    measured = nerfit.benchmark(folder, seconds=0.05, precision="f32", threads=1)
    assert {row["name"] for row in measured["rows"]} and measured["threads"] == 1


def test_numbers_of_threads(encoder):
    for threads in (-1, True):
        with pytest.raises(ArgumentError, match="not a number of threads"):
            nerfit.Encoder(encoder, threads=threads)
        with pytest.raises(ArgumentError, match="not a number of threads"):
            nerfit.benchmark(encoder, threads=threads)


def test_pretrain(encoder, tmp_path):
    texts = tmp_path / "set.txt"
    texts.write_text("\n".join(ANNOTATIONS) + "\n")
    (tmp_path / "set.json").write_text(json.dumps(EMBEDDINGS))
    (tmp_path / "set.yaml").write_text("time: a time\nsong: a song\nplace: a place\nperson: a name\n")
    told = []
    result = nerfit.pretrain(
        encoder, texts, tmp_path / "set.yaml", output_dir=tmp_path / "out", max_steps=4,
        st_model_name=encoder, precision="f32", threads=1, progress=False,
        callbacks=[lambda event: told.append(event.kind)],
    )  # fmt: skip
    assert "step" in told and result.report is None
    model = nerfit.load(result.model_folder, labels=["time", "place"], threads=1)
    assert model.labels == ["O", "B-time", "I-time", "B-place", "I-place"]


def test_a_pretraining_has_trackers_and_transformers_callbacks(encoder, tmp_path, monkeypatch, capfd):
    texts = tmp_path / "set.txt"
    texts.write_text("\n".join(ANNOTATIONS) + "\n")
    (tmp_path / "set.yaml").write_text("time: a time\nsong: a song\nplace: a place\nperson: a name\n")
    logged, given, ends = [], [], []

    class Hooks:
        def on_train_begin(self, args, state, control, **kwargs):
            given.append(args)

    run = types.SimpleNamespace(log=logged.append, finish=lambda: ends.append(1))
    wandb = types.ModuleType("wandb")
    wandb.run, wandb.init = None, lambda **_: run
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    own = dict(st_model_name=encoder, max_steps=4, logging_steps=2, precision="f32", threads=1,
               disable_tqdm=True)  # fmt: skip
    inputs = encoder, texts, tmp_path / "set.yaml"
    nerfit.pretrain(*inputs, output_dir=tmp_path / "out", report_to="wandb", callbacks=[Hooks], **own)
    assert any(name.endswith("train/loss") for values in logged for name in values) and ends == [1]
    assert {type(args) for args in given} == {nerfit.TrainingArguments}
    assert given[0].max_steps == (4, 4)
    assert capfd.readouterr().err == ""
    with pytest.raises(ArgumentError, match="none, all, tensorboard, wandb, mlflow"):
        nerfit.pretrain(*inputs, output_dir=tmp_path / "other", report_to="comet", **own)
    with pytest.raises(KeyError):
        nerfit.pretrain(*inputs, output_dir=tmp_path / "stopped", report_to="wandb",
                        callbacks=[lambda event: {}["stop"]], **own)  # fmt: skip
    assert ends == [1]  # none was open yet


@pytest.fixture
def few(options):
    del options["val_annotations"]
    return nerfit.TrainingArguments(
        **{**options, "max_steps": (0, 4), "recipe": "nerfit", "test_annotations": ANNOTATIONS,
           "train_annotations": ANNOTATIONS * 2, "eval_strategy": "no",
           "save_strategy": "no", "load_best_model_at_end": False}
    )  # fmt: skip


@pytest.mark.parametrize("late", [False, True])
def test_a_fewshot_is_interrupted(few, monkeypatch, late):
    """Also where Ctrl-C comes behind the last of its runs."""
    call = nerfit._library.call

    def called(name, *arguments):
        result = call(name, *arguments)
        if name == "fewshot":
            signal.raise_signal(signal.SIGINT)
        return result

    def tell(progress):
        signal.raise_signal(signal.SIGINT)

    if late:
        monkeypatch.setattr(nerfit._library, "call", called)
    with pytest.raises(KeyboardInterrupt):
        nerfit.fewshot(few, k=[1], seeds=1, recipes=["plain:max_steps=4"],
                       callback=None if late else tell)  # fmt: skip
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_fewshot(few):
    told = []
    result = nerfit.fewshot(few, k=[1], seeds=2, recipes=["plain:max_steps=4"],
                            callback=told.append)  # fmt: skip
    assert len(result.runs) == 2 and {run["seed"] for run in result.runs} == {0, 1}
    assert sum(p.done for p in told) == 2
    assert "plain" in str(result) and result.markdown
    with pytest.raises(KeyError):
        nerfit.fewshot(few, k=[2], seeds=1, recipes=["plain:max_steps=4"],
                       callback=lambda p: {}["stop"])  # fmt: skip


def test_an_encoding_can_be_interrupted(encoder):
    """And a list that is divided into batches has the vectors of its texts."""
    encoder_ = nerfit.Encoder(encoder, precision="f32", threads=1)
    texts = ["wake me at nine"] * 40 + ["play jazz"]
    vectors = encoder_.encode(texts)
    assert vectors[0] == vectors[39] and vectors[40] != vectors[0] and encoder_.encode([]) == []
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("SIGINT is ignored here")
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        while True:  # also where a machine is so fast that one call ends before
            encoder_.encode(["wake me at nine " * 40] * 2000)
