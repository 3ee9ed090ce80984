"""Trainings under Open MPI's mpirun."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import ANNOTATIONS, EMBEDDINGS

pytestmark = pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not here")

TRAIN = """
import json, os, sys
import nerfit

class Hooks:
    def on_train_end(self, args, state, control, **kwargs):
        told.append(state.is_world_process_zero)

told, (options, annotations, embeddings) = [], json.load(open("given.json"))
args = nerfit.TrainingArguments(train_annotations=annotations, val_annotations=annotations,
                                ent2emb=embeddings, **{**options, **json.loads(sys.argv[1])})
trainer = nerfit.Trainer(args, callbacks=[Hooks])
result = trainer.train()
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", 0))
assert result.rank == rank and {*told} == {rank == 0}
assert os.path.exists(os.path.join(str(args.output_dir), "best", "model.safetensors"))
try:
    said = f"{len(trainer.predict(annotations))} texts"  # what it learned hangs on the last bit
except nerfit.errors.ArgumentError as error:
    said = str(error)
with open(f"said-{rank}", "w") as file:
    file.write(said)
"""
OPTIONS = {"recipe": "original", "max_steps": [4, 6], "learning_rate": 5e-3, "eval_steps": 3,
           "logging_steps": 1, "precision": "f32", "threads": 1, "calibration": "none",
           "save_steps": 3}  # fmt: skip


@pytest.fixture
def run(encoder, tmp_path):
    given = [{**OPTIONS, "model_name": str(encoder)}, ANNOTATIONS, EMBEDDINGS]
    (tmp_path / "given.json").write_text(json.dumps(given))
    yields = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
              "OMPI_MCA_mpi_yield_when_idle": "1"}  # fmt: skip

    def started(program, ranks, **options):
        (tmp_path / "program.py").write_text(program)
        mpi = ["mpirun", "--oversubscribe", "--bind-to", "none", "--tag-output", "-n", str(ranks)] if ranks else []
        return subprocess.run([*mpi, sys.executable, "program.py", json.dumps(options)], cwd=tmp_path,
                              env={**os.environ, **yields}, capture_output=True, text=True, timeout=300)  # fmt: skip

    return started


def test_processes_train_one_model(run, tmp_path):
    one = run(TRAIN, 0, output_dir="one", per_device_train_batch_size=4)
    assert one.returncode == 0, one.stderr
    two = run(TRAIN, 2, output_dir="two", per_device_train_batch_size=2)
    assert two.returncode == 0, two.stderr
    assert (tmp_path / "said-0").read_text() == f"{len(ANNOTATIONS)} texts"
    assert "rank 1 has no model" in (tmp_path / "said-1").read_text()
    losses = [[json.loads(line).get("loss") for line in (tmp_path / out / "metrics.jsonl").open()]
              for out in ("one", "two")]  # fmt: skip
    assert any(losses[0]) and losses[1] == [loss and pytest.approx(loss, rel=1e-5) for loss in losses[0]]
    assert "[1,0]<stderr>" in two.stderr and "[1,1]<stderr>" not in two.stderr  # rank 0 alone speaks


def test_what_a_job_cannot_do(run):
    twice = run(TRAIN + "trainer.train()", 2, output_dir="out", per_device_train_batch_size=2)
    assert twice.returncode != 0
    assert "this process has left its MPI job" in twice.stderr
    few = run(TRAIN.replace("trainer.train()", "nerfit.fewshot(args)"), 2, output_dir="few")
    assert few.returncode != 0
    assert "fewshot is the work of one process" in few.stderr


def test_an_error_of_one_ends_all(run):
    fails = TRAIN.replace("told.append(", 'os.environ["OMPI_COMM_WORLD_RANK"] == "1" and bad(')
    done = run(fails, 2, output_dir="out", per_device_train_batch_size=2)
    assert done.returncode != 0 and "NameError" in done.stderr
