"""Runs: callbacks, progress, stopping, resuming."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from nerfit import Event, Trainer, TrainingArguments
from nerfit.errors import ArgumentError, CancelledError

from conftest import ANNOTATIONS, DESCRIPTIONS, EMBEDDINGS


def model_bytes(result):
    with open(os.path.join(result.model_folder, "model.safetensors"), "rb") as file:
        return file.read()


def test_events(options):
    events = []
    trainer = Trainer(TrainingArguments(**options), callbacks=[events.append], progress=False)
    result = trainer.train()
    assert all(isinstance(e, Event) for e in events)
    for stage, name, steps in ((1, "contrastive", 6), (2, None, 8)):
        own = [e for e in events if e.stage == stage]
        assert own[0].kind == "begin" and own[-1].kind == "end"
        assert name is None or own[0].stage_name == name
        assert [e.step for e in own if e.kind == "step"] == list(range(1, steps + 1))
        assert all(e.total_steps == steps and e.loss > 0 for e in own if e.kind == "step")
        logs = [e for e in own if e.kind == "log"]
        assert [e.step for e in logs] == list(range(2, steps + 1, 2))
        assert all(e.metrics["loss"] > 0 for e in logs)
        assert [e.step for e in own if e.kind == "evaluate"] == list(range(4, steps + 1, 4))
        assert all(os.path.isdir(e.path) for e in own if e.kind == "save")
    assert {e.kind for e in events if e.metrics} == {"log", "evaluate"}
    assert result.report_of == "validation" and result.seconds > 0
    assert result.report.details["micro"]["f1"] == result.report.f1
    assert "precision" in str(result.report)
    assert trainer.result is result


def test_evaluation_without_a_model(options):
    trainer = Trainer(TrainingArguments(**options))
    with pytest.raises(ArgumentError, match="call train"):
        trainer.predict("wake me up")


def test_test_data_and_no_data_to_score(options, tmp_path):
    changes = dict(val_annotations=None, test_annotations=ANNOTATIONS)
    result = Trainer(TrainingArguments(**{**options, **changes}), progress=False).train()
    assert result.report_of == "test"
    changes = dict(val_annotations=None, output_dir=tmp_path / "other")
    trainer = Trainer(TrainingArguments(**{**options, **changes}), progress=False)
    assert trainer.train().report is None
    with pytest.raises(ArgumentError, match="no validation data"):
        trainer.evaluate()


def stopped_by_answer(event):
    return not (event.kind == "step" and event.stage == 2 and event.step == 3)


def stopped_by_error(event):
    if event.kind == "step" and event.stage == 1 and event.step == 5:
        raise RuntimeError("enough")


def stopped_by_interrupt(event):
    if event.kind == "step" and event.stage == 2 and event.step == 5:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "callback, kind, message, checkpoint",
    [
        (stopped_by_answer, CancelledError, "stopped at step 3 of stage 2", "stage2/checkpoint-3"),
        (stopped_by_error, RuntimeError, "enough", "stage1/checkpoint-5"),
        (stopped_by_interrupt, KeyboardInterrupt, "resume_from_checkpoint", "stage2/checkpoint-5"),
    ],
)
def test_stopped_and_resumed_runs_end_with_the_same_bits(
    options, tmp_path, callback, kind, message, checkpoint
):
    whole = Trainer(TrainingArguments(**options), progress=False).train()
    args = TrainingArguments(**{**options, "output_dir": tmp_path / "parts"})
    with pytest.raises(kind) as caught:
        Trainer(args, callbacks=[callback], progress=False).train()
    assert message in str(caught.value)
    assert (tmp_path / "parts" / checkpoint).is_dir()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    parts = Trainer(args, progress=False).train(resume_from_checkpoint=True)
    assert model_bytes(parts) == model_bytes(whole)


def test_an_interrupt_while_the_library_works(options):
    """From outside, at any moment: not while Python runs."""
    begun = threading.Event()

    def interrupt():
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    long = {**options, "max_steps": 100000, "save_strategy": "no", "load_best_model_at_end": False}
    trainer = Trainer(TrainingArguments(**long), callbacks=[lambda e: begun.set()], progress=False)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    thread.join()
    assert any(
        name.startswith("checkpoint-") for name in os.listdir(options["output_dir"] / "stage1")
    )


def test_a_handler_of_ones_own_is_left_alone(options):
    hits = []
    previous = signal.signal(signal.SIGINT, lambda *_: hits.append(1))
    try:
        trainer = Trainer(
            TrainingArguments(**options), callbacks=[stopped_by_interrupt], progress=False
        )
        trainer.train()
    finally:
        signal.signal(signal.SIGINT, previous)
    assert hits == [1]


def test_training_in_another_thread(options):
    results = []
    trainer = Trainer(TrainingArguments(**options), progress=False)
    thread = threading.Thread(target=lambda: results.append(trainer.train()))
    thread.start()
    thread.join()
    assert results[0].model_folder == str(options["output_dir"] / "best")


def test_progress_in_lines(options, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as if it were not installed
    Trainer(TrainingArguments(**options)).train()
    out, err = capfd.readouterr()
    assert out == ""
    assert "stage 1: contrastive, 6 steps\n" in err
    assert "stage 2  step 8/8  epoch " in err and "eval_overall_f1" in err


def test_progress_in_bars(options, capfd):
    pytest.importorskip("tqdm")
    Trainer(TrainingArguments(**options)).train()
    err = capfd.readouterr().err
    assert "stage 1: contrastive: 100%" in err and "6/6" in err and "8/8" in err


def test_messages_go_to_the_logger(options, caplog):
    annotations = [{"text": "wake me at nine ", "entities": [[11, 16, "time"]]}]
    caplog.set_level(logging.INFO, "nerfit")
    Trainer(
        TrainingArguments(**{**options, "train_annotations": annotations}), progress=False
    ).train()
    messages = [(r.levelno, r.getMessage()) for r in caplog.records if r.name == "nerfit"]
    assert any(
        level == logging.WARNING
        and "train_annotations[0]: entity 1" in text
        and "white space" in text
        for level, text in messages
    )
    assert any(level == logging.INFO and "1 training texts" in text for level, text in messages)


def test_an_earlier_run_is_not_overwritten(options):
    Trainer(TrainingArguments(**options), progress=False).train()
    with pytest.raises(ArgumentError, match="holds an earlier run"):
        Trainer(TrainingArguments(**options), progress=False).train()


def test_adapters(options):
    args = TrainingArguments(
        **options,
        peft_lora=True,
        peft_config={"lora_r": 4, "use_dora": True, "target_modules": ["query"]},
    )
    Trainer(args, progress=False).train()
    assert (options["output_dir"] / "adapter" / "adapter_model.safetensors").exists()


def record_of(result):
    return os.path.join(os.path.dirname(result.model_folder), "training_args.json")


@pytest.mark.parametrize("recipe", ["nerfit", "original"])
def test_a_run_is_repeated_from_its_record(options, tmp_path, program, recipe, monkeypatch):
    """By Python and by the program, from another folder, with what the recipe chose chosen again."""
    data, labels = tmp_path / "train.txt", tmp_path / "labels.json"
    data.write_text("\n".join(ANNOTATIONS))
    labels.write_text(json.dumps(DESCRIPTIONS))
    monkeypatch.chdir(tmp_path)
    own = {} if recipe == "nerfit" else {"max_steps": (2, 3), "warmup_steps": 1}
    args = TrainingArguments(
        model_name=options["model_name"], st_model_name=options["model_name"],
        train_annotations="train.txt", ent2emb="./labels.json", output_dir="first", recipe=recipe,
        calibration="none", precision="f32", threads=1, **own,
    )  # fmt: skip
    first = Trainer(args, progress=False).train()
    monkeypatch.chdir("/")
    record = tmp_path / "first" / "training_args.json"
    again = TrainingArguments.from_yaml(record, output_dir=tmp_path / "second")
    assert again.train_annotations == str(data) and again.ent2emb == str(labels)
    second = Trainer(again, progress=False).train()
    done = subprocess.run(
        [program, "train", str(record), "--output_dir", str(tmp_path / "third"), "--quiet"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for folder in ("second", "third"):
        for name in ("model.safetensors", "config.json"):
            theirs, ours = (tmp_path / f / "best" / name for f in ("first", folder))
            assert theirs.read_bytes() == ours.read_bytes(), (folder, name)
    if recipe == "nerfit":
        chosen = first.options["chosen_by_recipe"]
        assert chosen["max_steps"] == [0, 200] and chosen["warmup_steps"] == [0, 0]
        assert chosen["least_probability"] == 0.35  # few entities
        assert "max_steps" not in repr(again)
        written = json.loads(record.read_text())
        written["max_steps"] = [0, 3]  # edited: that counts
        record.write_text(json.dumps(written))
        assert TrainingArguments.from_yaml(record).max_steps == (0, 3)
        assert "max_steps=(0, 3)" in repr(TrainingArguments.from_yaml(record))
    assert second.options["seed"] == [123, 123]
    state = json.loads((tmp_path / "first" / "trainer_state.json").read_text())
    assert state["global_step"] == state["max_steps"] and state["best_model_checkpoint"] is None


OTHERS = {
    "labels": {"ent2emb": {name: EMBEDDINGS[name] for name in ("song", "time", "place", "person")}},
    "train_annotations": {"train_annotations": [*ANNOTATIONS[:-1], "wake [person : rome] in [place : bob]"]},
    "val_annotations": {"val_annotations": ANNOTATIONS[:4]},
    "descriptions": {"ent2emb": {**EMBEDDINGS, "song": [0.0, 1.0, 0.0, 0.5]}},
    "per_device_train_batch_size [3,3], this run has [4,4]": {"per_device_train_batch_size": 4},
    "seed [123,123], this run has [123,7]": {"seed": (123, 7)},
    "learning_rate": {"learning_rate": 4e-3},
    "weight_decay": {"weight_decay": 0.0},
}  # fmt: skip


def test_an_unfinished_run_is_resumed_with_its_own_alone(options, tmp_path, encoder):
    args = TrainingArguments(**options)
    with pytest.raises(CancelledError):
        Trainer(args, callbacks=[stopped_by_answer], progress=False).train()
    record = (options["output_dir"] / "training_args.json").read_bytes()
    for what, changes in OTHERS.items():
        for resume in (True, options["output_dir"] / "stage2" / "checkpoint-3"):
            trainer = Trainer(TrainingArguments(**{**options, **changes}), progress=False)
            with pytest.raises(ArgumentError) as caught:
                trainer.train(resume_from_checkpoint=resume)
            assert "cannot be resumed from: it was made with" in str(caught.value)
            assert what in str(caught.value), (what, str(caught.value))
    other = shutil.copytree(encoder, tmp_path / "other")
    data = bytearray((other / "model.safetensors").read_bytes())
    data[-3] ^= 1
    (other / "model.safetensors").write_bytes(data)
    with pytest.raises(ArgumentError, match="other weights of model_name"):
        Trainer(TrainingArguments(**{**options, "model_name": other}), progress=False).train(True)
    assert (options["output_dir"] / "training_args.json").read_bytes() == record
    same = shutil.copytree(encoder, tmp_path / "same")  # elsewhere, of the same weights
    changes = {"model_name": same, "logging_steps": 3, "save_total_limit": 2}
    parts = Trainer(TrainingArguments(**{**options, **changes}), progress=False).train(True)
    whole = Trainer(
        TrainingArguments(**{**options, "output_dir": tmp_path / "whole"}), progress=False
    ).train()
    assert model_bytes(parts) == model_bytes(whole)


def test_a_finished_first_stage_is_taken_by_its_own_run_alone(options):
    def stop(event):
        return not (event.kind == "begin" and event.stage == 2)

    with pytest.raises(CancelledError):
        Trainer(TrainingArguments(**options), callbacks=[stop], progress=False).train()
    shutil.rmtree(options["output_dir"] / "stage2")
    changes = {"ent2emb": OTHERS["labels"]["ent2emb"]}
    with pytest.raises(ArgumentError, match="stage1/finished/.*made with labels"):
        Trainer(TrainingArguments(**{**options, **changes}), progress=False).train(True)
    Trainer(TrainingArguments(**options), progress=False).train(True)


def test_another_runs_checkpoint_is_gone_on_from(options, tmp_path):
    """Where the best model is an earlier checkpoint of that run, and stays it."""
    options = {**options, "learning_rate": (5e-3, 0.5), "max_steps": (6, 12), "eval_steps": 2,
               "save_steps": 2, "metric_for_best_model": "loss"}  # fmt: skip
    first = Trainer(TrainingArguments(**options), progress=False).train()
    run = options["output_dir"]
    state = json.loads((run / "stage2" / "checkpoint-12" / "trainer_state.json").read_text())
    best = state["best_global_step"]
    assert best < 8 and state["best_model_checkpoint"] == f"checkpoint-{best}"
    args = TrainingArguments(**{**options, "output_dir": tmp_path / "second"})
    checkpoint = run / "stage2" / "checkpoint-10"

    def stop(event):
        return not (event.kind == "save" and event.step == 12)

    with pytest.raises(CancelledError):
        Trainer(args, callbacks=[stop], progress=False).train(resume_from_checkpoint=checkpoint)
    second = Trainer(args, progress=False).train(resume_from_checkpoint=True)
    assert model_bytes(second) == model_bytes(first)
    third = TrainingArguments(**{**options, "output_dir": tmp_path / "third"})
    shutil.rmtree(run / "stage2" / f"checkpoint-{best}")
    with pytest.raises(ArgumentError, match=f"checkpoint-{best}, is not there"):
        Trainer(third, progress=False).train(resume_from_checkpoint=checkpoint)


def test_calibrations_trainings_are_told_apart(options, capfd):
    events = []
    changes = {"calibration": "cross-validation", "calibration_folds": 2, "val_annotations": None}
    args = TrainingArguments(**{**options, **changes})
    Trainer(args, callbacks=[events.append]).train()
    own = [e for e in events if not e.fold]
    assert own == events[: len(own)]  # first the run's own
    assert [e.stage for e in own if e.kind == "end"] == [1, 2] and own[-1].kind == "end"
    folds = events[len(own) :]
    assert [e.fold for e in folds if e.kind == "begin"] == [1, 1, 2, 2]
    assert {e.kind for e in folds} == {"begin", "step", "end"} and {e.folds for e in folds} == {2}
    assert folds[0].title == "calibration: training 1 of 2"
    assert own[0].title == "stage 1: contrastive"
    err = capfd.readouterr().err
    assert "calibration: training 2 of 2" in err and err.count("stage 2: ") < err.count("calibration")


def test_a_calibration_that_is_interrupted(options):
    """The model is there by then, and the message says so."""
    changes = {"calibration": "cross-validation", "calibration_folds": 2, "val_annotations": None}
    args = TrainingArguments(**{**options, **changes})

    def interrupt(event):
        if event.fold == 2 and event.step == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        Trainer(args, callbacks=[interrupt], progress=False).train()
    best = str(options["output_dir"] / "best")
    assert f"stopped in training 2 of 2 for the calibration of scores; the model in {best} is " in str(
        caught.value
    )
    assert os.path.exists(f"{best}/model.safetensors")
    Trainer(args, progress=False).train(resume_from_checkpoint=True)


def test_two_runs_in_one_folder(options):
    """The second one is refused while the first is at work, and may begin after it."""
    second = []

    def begin(event):
        if event.kind == "step" and event.stage == 2 and event.step == 2:
            try:
                other = TrainingArguments(**{**options, "overwrite_output_dir": True})
                Trainer(other, progress=False).train()
            except ArgumentError as error:
                second.append(str(error))

    Trainer(TrainingArguments(**options), callbacks=[begin], progress=False).train()
    (message,) = second
    assert message.startswith(f"{options['output_dir']}: another run is at work in this folder")
    Trainer(TrainingArguments(**options, overwrite_output_dir=True), progress=False).train()
