"""transformers' callbacks, and the trackers of report_to."""

import types

import pytest

from nerfit import Trainer, TrainingArguments
from nerfit.errors import ArgumentError, CancelledError


class Recorder:
    """The hooks of transformers' TrainerCallback, which needs no import to be written."""

    def __init__(self):
        self.told = []

    def on_init_end(self, args, state, control, **kwargs):
        self.told.append("init_end")

    def on_train_begin(self, args, state, control, **kwargs):
        self.told.append(f"train_begin {state.stage}")

    def on_step_begin(self, args, state, control, **kwargs):
        self.told.append("step_begin")

    def on_step_end(self, args, state, control, **kwargs):
        self.told.append(f"step_end {state.global_step}/{state.max_steps}")

    def on_log(self, args, state, control, logs=None, **kwargs):
        assert state.log_history[-1]["loss"] == logs["loss"]
        self.told.append(f"log {state.global_step}")

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        assert "eval_loss" in metrics
        self.told.append(f"evaluate {state.global_step}")

    def on_save(self, args, state, control, **kwargs):
        self.told.append(f"save {state.global_step}")

    def on_train_end(self, args, state, control, **kwargs):
        self.told.append(f"train_end {state.stage}")


def test_hooks_of_transformers(options):
    recorder = Recorder()
    Trainer(TrainingArguments(**options), callbacks=[recorder], progress=False).train()
    told = recorder.told
    assert told[0] == "init_end"
    first = told[1 : told.index("train_end 1") + 1]
    steps = [t for t in first if t.startswith("step")]
    assert steps == [s for i in range(1, 7) for s in ("step_begin", f"step_end {i}/6")]
    assert first[0] == "train_begin 1" and "log 2" in first and "evaluate 4" in first
    second = told[told.index("train_begin 2") :]
    assert [t for t in second if t.startswith("step_end")][-1] == "step_end 8/8"
    assert "save 4" in second and second[-1] == "train_end 2"


def test_stop_and_what_does_not_act(options, caplog):
    class Stopper:
        def on_step_end(self, args, state, control, **kwargs):
            control.should_save = True
            control.should_training_stop = state.global_step >= 3
            return control

    trainer = Trainer(TrainingArguments(**options), callbacks=[Stopper], progress=False)
    with pytest.raises(CancelledError):
        trainer.train()
    assert sum("only should_training_stop acts" in r.message for r in caplog.records) == 1
    with pytest.raises(ArgumentError, match="in a list"):
        Trainer(TrainingArguments(**options), callbacks=Stopper())


def test_a_real_callback_of_transformers(options):
    transformers = pytest.importorskip("transformers")

    class Early(transformers.TrainerCallback):
        steps = 0

        def on_step_end(self, args, state, control, **kwargs):
            type(self).steps += 1

    Trainer(TrainingArguments(**options), callbacks=[Early], progress=False).train()
    assert Early.steps == 14


def test_report_to_names(options):
    with pytest.raises(ArgumentError, match="none, all, tensorboard, wandb, mlflow"):
        Trainer(TrainingArguments(**options, report_to="comet"))
    Trainer(TrainingArguments(**options, report_to=["none"]))


def test_tensorboard(options):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    args = TrainingArguments(**options, report_to="tensorboard")
    Trainer(args, progress=False).train()
    (run,) = (options["output_dir"] / "runs").iterdir()
    assert sorted(p.name for p in run.iterdir()) == ["stage1", "stage2"]
    events = EventAccumulator(str(run / "stage2"))
    events.Reload()
    assert {"train/loss", "eval/overall_f1"} <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("train/loss")] == [2, 4, 6, 8]


def test_trackers_by_stand_ins(options, monkeypatch):
    """wandb's and mlflow's calls, in the order that they expect them."""
    told = []
    run = types.SimpleNamespace(log=lambda values: told.append(("log", values)),
                                finish=lambda: told.append(("finish",)))  # fmt: skip
    wandb = types.ModuleType("wandb")
    wandb.run, wandb.init = None, lambda **given: (told.append(("init", given)), run)[1]
    mlflow = types.ModuleType("mlflow")
    mlflow.active_run = lambda: None
    mlflow.start_run = lambda run_name: told.append(("start", run_name))
    mlflow.log_params = lambda given: told.append(("params", given))
    mlflow.log_metric = lambda name, value, step: told.append(("metric", name, step))
    mlflow.end_run = lambda: told.append(("end",))
    monkeypatch.setitem(__import__("sys").modules, "wandb", wandb)
    monkeypatch.setitem(__import__("sys").modules, "mlflow", mlflow)
    Trainer(TrainingArguments(**options, report_to=["wandb", "mlflow"]), progress=False).train()
    kinds = [t[0] for t in told]
    assert kinds[0] == "init" and kinds[-2:] == ["finish", "end"]
    assert ("metric", "stage2/train/loss", 8) in told
    assert dict(t for t in told if t[0] == "params")["params"]["max_steps"] == "(6, 8)"
    assert any("stage2/eval/overall_f1" in t[1] for t in told if t[0] == "log")
