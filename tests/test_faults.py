#!/usr/bin/env python3
"""Faults in the program's commands that write a file: the n-th open, write, fsync, rename, unlink or
allocation fails, or the process is killed there. The file of before, or the new one, is there and whole;
a failure is told, and nothing is left beside it. And trainings whose n-th allocation fails: an error, or the
same model. A library that ends the program where memory runs out is listed by its name. (Trainings whose files
fail: tests/test_io_faults.c.)

Usage: test_faults.py NERFIT [--long] [--every N] [--backend NAME] [--only NAME]
    --long      every call instead of some of each kind
    --every N   every N-th allocation of a training (1)
    --backend   ref, or cpu: to see where oneDNN ends the program
    --only      convert, predict or train
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import made_model

TESTS = pathlib.Path(__file__).resolve().parent
KINDS = ("open", "write", "fsync", "rename", "unlink")
SHORT = {"malloc": 25}  # calls a command and kind without --long; else 6
TRAIN = ("train --model_name encoder --train_annotations data.txt --val_annotations data.txt --max_steps 2,3 --quiet "
         "--ent2emb labels.yaml --st_model_name encoder --calibration none --pretrained none --threads 1 "
         "--per_device_train_batch_size 2 --eval_steps 2 --save_steps 2 --peft_lora true --lora_r 2 --use_dora true "
         "--recipe original --warmup_steps 0").split()


def make_files(root):
    for name, part in (("model", "token-classification"), ("encoder", "")):
        (root / name).mkdir()
        made_model.bert(root / name, "wake,me,up,at,nine", part)
    (root / "labels.yaml").write_text("a: the first\nb: the second\nc: the last\n")
    (root / "texts.txt").write_text("wake me up at nine\n" * 50)
    (root / "data.txt").write_text("wake [b : me] up\n[a : nine] at [c : nine]\n" * 20)
    shim = root / "shim.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", TESTS / "fault_shim.c", "-o", shim, "-ldl"], check=True)
    return shim


class Sweep:
    def __init__(self, program, root, every):
        self.program, self.root, self.every = program, root, every
        self.shim = make_files(root)
        self.folder = root / "out"
        self.folder.mkdir()
        self.target = self.folder / "result"
        self.wrong, self.tried = [], collections.Counter()
        self.aborted = collections.Counter()

    def run(self, arguments, fault, output="--output"):
        counts = self.root / "counts"
        counts.unlink(missing_ok=True)
        environment = {**os.environ, "LD_PRELOAD": str(self.shim), "FAULT": fault, "FAULT_COUNTS": str(counts),
                       "HF_HUB_OFFLINE": "1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run([self.program, *arguments, output, self.target], env=environment, cwd=self.root,
                              capture_output=True, timeout=300)
        found = dict(line.split() for line in counts.read_text().splitlines()) if counts.exists() else {}
        return done, {kind: int(n) for kind, n in found.items()}

    def put_old(self):
        for entry in self.folder.iterdir():
            entry.unlink()
        self.target.write_text("old\n")

    def judge(self, name, fault, done, new):
        """What is wrong after a fault; None: nothing."""
        kind, n, mode = fault.split(":")
        content = self.target.read_bytes() if self.target.exists() else None
        if content not in (b"old\n", new):
            return "the file is neither the old nor the new one"
        if mode == "kill":
            return None
        if problem := self.judge_exit(name, done):
            return problem
        if done.returncode == 0 and content != new:
            return "exit status 0, and the old file is there"
        if len(list(self.folder.iterdir())) != 1 and kind != "unlink":
            return "something is left beside the file"
        return None

    def judge_exit(self, name, done):
        """What is wrong with how the process ended; None: nothing."""
        if done.returncode < 0:
            return self.judge_signal(name, done)
        if done.returncode not in (0, 1):
            return f"exit status {done.returncode}"
        if done.returncode == 1 and b"error" not in done.stderr and b"Out of memory" not in done.stderr:
            return "fails without a word"  # libgomp says the latter
        return None

    def judge_signal(self, name, done):
        """Of a process that a signal ended: a library's end is not ours to mend, and listed."""
        caller = re.search(rb"fault in (\S+) at \S*\+(0x\w+)", done.stderr)
        if not caller or caller[1] == os.path.basename(self.program).encode():
            return f"ended by signal {-done.returncode}"
        found = subprocess.run(["addr2line", "-f", "-e", self.program, caller[2]], capture_output=True, text=True)
        function = found.stdout.split("\n")[0] if found.returncode == 0 else "?"
        self.aborted[f"{name}, signal {-done.returncode} in {caller[1].decode()}, called by {function}"] += 1
        return None

    def training(self, arguments, step):
        """The n-th allocation of a training fails."""
        model = self.target / "best/model.safetensors"
        self.target.unlink(missing_ok=True)  # what a command before wrote
        done, counts = self.run(arguments, "none:0:fail", "--output_dir")
        assert done.returncode == 0, done.stderr
        new, count = model.read_bytes(), counts["malloc"]
        print(f"a training allocates {count} times", flush=True)
        step = step if self.every else max(step, count // SHORT["malloc"])
        for n in range(1, count + 1, step):
            shutil.rmtree(self.target)
            done, _ = self.run(arguments, f"malloc:{n}:fail", "--output_dir")
            whole = model.read_bytes() if model.exists() else None
            problem = self.judge_exit("train", done)
            if done.returncode == 0 and whole != new:
                problem = "exit status 0, and another model"
            elif not problem and done.returncode >= 0 and whole not in (None, new):
                problem = "best/ is neither absent nor whole"
            self.tried["train, malloc fail, " + ("an error" if done.returncode else "no effect")] += 1
            if problem:
                self.wrong.append(f"train, malloc:{n}: {problem}: {done.stderr.decode(errors='replace')[-300:]}")
            self.target.mkdir(exist_ok=True)
        shutil.rmtree(self.target)

    def command(self, name, arguments, with_memory):
        self.put_old()
        done, counts = self.run(arguments, "none:0:fail")
        assert done.returncode == 0, (name, done.stderr)
        new = self.target.read_bytes()
        assert new != b"old\n"
        for kind in KINDS + (("malloc",) if with_memory else ()):
            count = counts[kind]
            most = count if self.every else min(count, SHORT.get(kind, 6))
            places = sorted({1 + i * (count - 1) // max(most - 1, 1) for i in range(most)}) if count else []
            for mode in ("fail",) if kind == "malloc" else ("fail", "kill"):
                for n in places:
                    fault = f"{kind}:{n}:{mode}"
                    self.put_old()
                    done, _ = self.run(arguments, fault)
                    problem = self.judge(name, fault, done, new)
                    self.tried[f"{name}, {kind} {mode}"] += 1
                    if problem:
                        self.wrong.append(f"{name}, {fault}: {problem}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--backend", default="ref")
    parser.add_argument("--only", choices=("convert", "predict", "train"))
    given = parser.parse_args()
    chosen = [given.only] if given.only else ["convert", "predict", "train"]
    backend = ["--backend", given.backend]
    with tempfile.TemporaryDirectory() as root:
        sweep = Sweep(os.path.realpath(given.program), pathlib.Path(root), given.long)
        if "convert" in chosen:
            sweep.command("convert", ["data", "convert", "data.txt", "--to", "jsonl"], True)
        if "predict" in chosen:
            sweep.command("predict", ["predict", "model", "texts.txt", *backend, "--threads", "1"], True)
        if "train" in chosen:
            sweep.training([*TRAIN, *backend], given.every)
    for what, count in sweep.tried.items():
        print(f"{count:6} {what}")
    for what, count in sweep.aborted.most_common():
        print(f"{count:6} aborted: {what}")
    for line in sweep.wrong[:20]:
        print("wrong:", line)
    print(f"{sum(sweep.tried.values())} faults, {len(sweep.wrong)} wrong")
    sys.exit(bool(sweep.wrong))


if __name__ == "__main__":
    main()
