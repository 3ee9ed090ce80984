"""Trainings of several processes under Open MPI's mpirun: what they compute is what one process with the
whole batch computes, they resume to the same bits, and a rank that ends takes the others along.

Usage: test_mpi.py NERFIT
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import made_model

NERFIT = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/nerfit"
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none"]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_mpi_yield_when_idle": "1", "HF_HUB_OFFLINE": "1", "LC_ALL": "C.UTF-8"}  # fmt: skip
TEXTS = """\
wake me up at [time : nine]
play [song : jazz] in [place : madrid]
call [person : bob] at [time : ten] please
please wake me up
[person : bob] is in [place : rome]
play [song : jazz] now
call me at [time : nine] in [place : rome] or in [place : madrid] please
wake [person : bob] in [place : rome]
now
me at [time : ten] please
play me up in [place : rome] please now
"""
DESCRIPTIONS = {"time": "nine ten", "song": "jazz", "place": "madrid rome", "person": "bob"}


class Mpi(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = Path(place.name)
        encoder = self.root / "encoder"
        encoder.mkdir()
        words = TEXTS.replace("[", " ").replace("]", " ").replace(":", " ").split()
        made_model.bert(encoder, ",".join(dict.fromkeys(words)))
        (self.root / "texts.txt").write_text(TEXTS)
        (self.root / "few.txt").write_text("".join(TEXTS.splitlines(True)[:5]))
        (self.root / "labels.json").write_text(json.dumps(DESCRIPTIONS))

    def command(self, out, batch, recipe="original", *more):
        return [NERFIT, "train", "--model_name", "encoder", "--train_annotations", "texts.txt",
                "--val_annotations", "few.txt", "--ent2emb", "labels.json", "--st_model_name", "encoder", "--output_dir", out,
                "--recipe", recipe, "--max_steps", "6,8", "--warmup_steps", "2", "--eval_steps", "4",
                "--learning_rate", "5e-3", "--logging_strategy", "steps", "--logging_steps", "1",
                "--save_strategy", "steps", "--save_steps", "4", "--calibration", "none",
                "--per_device_train_batch_size", str(batch), "--precision", "f32", "--threads", "1",
                *more]  # fmt: skip

    def run_it(self, command, ranks=0, code=0):
        full = [*MPIRUN, "-n", str(ranks), *command] if ranks else command
        done = subprocess.run(full, cwd=self.root, env=ENVIRONMENT, capture_output=True, text=True,
                              timeout=300)  # fmt: skip
        if code is not None:
            self.assertEqual(done.returncode, code, done.stderr)
        return done

    def metrics(self, out):
        lines = (self.root / out / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def same(self, ours, theirs, tolerance):
        self.assertEqual(len(ours), len(theirs))
        for a, b in zip(ours, theirs):
            self.assertEqual(a.keys(), b.keys())
            for name, value in a.items():
                if isinstance(value, float):
                    self.assertLessEqual(abs(value - b[name]), tolerance * max(1, abs(value)), (name, a, b))

    def test_equal_to_one_process(self):
        """Losses, gradients' norms and evaluations, of full trainings and of adapters; two and three ranks."""
        for ranks, recipe, more in ((2, "original", []), (3, "nerfit", []),
                                    (2, "nerfit", ["--peft_lora", "true"]),
                                    (2, "original", ["--gradient_accumulation_steps", "2"])):  # fmt: skip
            with self.subTest(ranks=ranks, recipe=recipe, more=more):
                for out in ("one", "many"):
                    shutil.rmtree(self.root / out, ignore_errors=True)
                self.run_it(self.command("one", 2 * ranks, recipe, *more))
                told = self.run_it(self.command("many", 2, recipe, *more), ranks)
                self.assertIn(f"{ranks} processes train together", told.stderr)
                self.assertEqual(told.stdout.count("The model is in"), 1)
                self.same(self.metrics("many"), self.metrics("one"), 1e-5)
                self.assertEqual(self.predictions("many"), self.predictions("one"))
                names = lambda out: sorted(p.name for p in (self.root / out).iterdir())
                self.assertEqual(names("many"), names("one"))

    def test_sums_in_bf16(self):
        """They begin as f32's do (the first loss is of the same weights), and go where those go."""
        for out, sums in (("f32", "f32"), ("bf16", "bf16"), ("again", "bf16")):
            self.run_it(self.command(out, 2, "original", "--gradient_sums", sums), 2)
        exact, rounded = ([m["loss"] for m in self.metrics(out) if "loss" in m] for out in ("f32", "bf16"))
        self.assertEqual(exact[0], rounded[0])
        self.assertNotEqual(exact, rounded)
        for a, b in zip(exact, rounded):
            self.assertLessEqual(abs(a - b), 0.01 * a, (exact, rounded))
        self.assertEqual(self.weights("bf16"), self.weights("again"))
        told = self.run_it(self.command("one", 4, "original", "--gradient_sums", "bf16"))
        self.assertIn("one process has no sums to send", told.stderr)

    def predictions(self, out):
        command = [NERFIT, "predict", f"{out}/best", "texts.txt", "--format", "brackets", "--precision", "f32"]
        return self.run_it(command).stdout

    def weights(self, out):
        return (self.root / out / "best" / "model.safetensors").read_bytes()

    def test_resumed_to_the_bit(self):
        steps = ["--max_steps", "6,60"]
        self.run_it(self.command("whole", 2, "original", *steps), 2)
        stopping = self.command("stopped", 2, "original", *steps)
        run = subprocess.Popen([*MPIRUN, "-n", "2", *stopping], cwd=self.root, env=ENVIRONMENT,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.wait_for("stopped/stage2/checkpoint-4", run)
        victim = self.ranks_of(run)[-1]
        os.kill(victim, signal.SIGKILL)  # as a machine that is lost
        told = run.communicate(timeout=300)[1]
        if run.returncode:  # else it was done before
            self.assertIn("signal 9", told)
        self.run_it([*stopping, "--resume_from_checkpoint", "true"], 2)
        self.assertEqual(self.weights("stopped"), self.weights("whole"))
        self.same(self.metrics("stopped"), self.metrics("whole"), 0.0)

    def wait_for(self, path, run):
        for _ in range(30000):
            if (self.root / path).exists():
                return
            self.assertIsNone(run.poll())
            time.sleep(0.01)
        self.fail(f"{path} does not come")

    def ranks_of(self, run):
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True)
        return sorted(int(p) for p in listed.stdout.split())

    def test_stopped_by_a_signal(self):
        """Every rank ends after the same step, with one checkpoint to go on from."""
        command = self.command("stopped", 2, "original", "--max_steps", "6,100000", "--save_steps",
                               "100000", "--quiet")  # fmt: skip
        run = subprocess.Popen([*MPIRUN, "-n", "2", *command], cwd=self.root, env=ENVIRONMENT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.wait_for("stopped/stage2/checkpoint-4", run)  # the best so far
        os.kill(self.ranks_of(run)[-1], signal.SIGTERM)
        told = run.communicate(timeout=300)[1]
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(told.count("the run can be resumed"), 1, told)
        steps = [int(p.name[11:]) for p in (self.root / "stopped" / "stage2").glob("checkpoint-*")]
        self.assertIn(f"step {max(steps)} of stage 2", told)  # the other one is the best

    def test_errors_end_the_job(self):
        """Of all ranks: told once. Of one: the others do not wait."""
        (self.root / "out" / "best").mkdir(parents=True)
        done = self.run_it(self.command("out", 2), 2, code=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("nerfit: error:"), 1, done.stderr)
        (self.root / "one.sh").write_text(
            'cd "$1"; shift; [ $OMPI_COMM_WORLD_RANK = 1 ] && rm -rf mine && cp -r encoder mine && '
            ': > mine/model.safetensors && exec "$@" --model_name mine; exec "$@"')  # fmt: skip
        done = self.run_it(["sh", "one.sh", str(self.root), *self.command("other", 2)], 2, code=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("rank 1 failed", done.stderr)

    def test_self_training_is_refused(self):
        more = ["--max_steps", "0,4", "--unlabelled_annotations", "few.txt"]
        told = self.run_it(self.command("out", 2, "nerfit", *more), 2, code=None)
        self.assertNotEqual(told.returncode, 0)
        self.assertIn("unlabelled_annotations: the teacher is a run of one process", told.stderr)
        self.assertFalse((self.root / "out" / "teacher").exists())

    def test_fewshot_is_refused(self):
        told = self.run_it([NERFIT, "fewshot", "--output_dir", "out"], 2, code=None)
        self.assertNotEqual(told.returncode, 0)
        self.assertIn("fewshot is the work of one process", told.stderr)

    def test_other_ranks_are_refused(self):
        self.run_it(self.command("out", 2, "original", "--max_steps", "0,4"), 2)
        shutil.rmtree(self.root / "out" / "best")
        (self.root / "out" / "stage2" / "finished.json").unlink()
        resumed = self.command("out", 2, "original", "--max_steps", "0,4", "--resume_from_checkpoint", "true")
        self.assertIn("ranks", self.run_it(resumed, code=1).stderr)

    def test_pretrain(self):
        (self.root / "types.txt").write_text(TEXTS)
        (self.root / "types.json").write_text(json.dumps(DESCRIPTIONS))
        options = ["--model_name", "encoder", "--pretrain_annotations", "types.txt", "--pretrain_ent2emb",
                   "types.json", "--st_model_name", "encoder", "--max_steps", "6", "--logging_steps", "1",
                   "--precision", "f32", "--threads", "1"]  # fmt: skip
        one = [NERFIT, "pretrain", *options, "--output_dir", "one", "--per_device_train_batch_size", "4"]
        many = [NERFIT, "pretrain", *options, "--output_dir", "many", "--per_device_train_batch_size", "2"]
        self.run_it(one)
        self.run_it(many, 2)
        self.same(self.metrics("many"), self.metrics("one"), 1e-5)


if __name__ == "__main__":
    if not shutil.which("mpirun"):
        print("skipped: mpirun is not here (Debian: openmpi-bin)")
        sys.exit(0)
    unittest.main(verbosity=0)
