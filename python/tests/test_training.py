"""Runs: callbacks, progress, stopping, resuming."""

import logging
import os
import signal
import sys
import threading

import pytest

from nerfit import Event, Trainer, TrainingArguments
from nerfit.errors import ArgumentError, CancelledError

from conftest import ANNOTATIONS


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
    assert 0 <= events[-1].metrics.get("eval_overall_f1", 0) <= 1 if events[-1].metrics else True
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
