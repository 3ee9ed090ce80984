#!/usr/bin/env python3
"""Faults in the program's commands that write a file: the n-th open, write, fsync, rename, unlink or
allocation fails, or the process is killed there. The file of before, or the new one, is there and whole;
a failure is told, and nothing is left beside it. A library that ends the program where memory runs out is
listed by its name. (Trainings: tests/test_io_faults.c.)

Usage: test_faults.py NERFIT [--long]      --long: every call instead of some of each kind
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent
GOLDEN = TESTS / "golden/bert/token-classification"
KINDS = ("open", "write", "fsync", "rename", "unlink")
SHORT = {"malloc": 25}  # calls a command and kind without --long; else 6


def make_files(root):
    model = root / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors"):
        (model / name).write_bytes((GOLDEN / name).read_bytes())
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] wake me up at nine".split()
    words += [f"[unused{i}]" for i in range(100 - len(words))]
    (model / "vocab.txt").write_text("\n".join(words) + "\n")
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

    def run(self, arguments, fault):
        counts = self.root / "counts"
        counts.unlink(missing_ok=True)
        environment = {**os.environ, "LD_PRELOAD": str(self.shim), "FAULT": fault, "FAULT_COUNTS": str(counts),
                       "HF_HUB_OFFLINE": "1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run([self.program, *arguments, "--output", self.target], env=environment, cwd=self.root,
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
        if done.returncode < 0 and kind == "malloc":
            caller = re.search(rb"fault in (\S+)", done.stderr)
            if caller and caller[1] != os.path.basename(self.program).encode():
                self.aborted[f"{name}, signal {-done.returncode} in {caller[1].decode()}"] += 1
                return None  # not ours to mend: listed
            return f"ended by signal {-done.returncode}"
        if done.returncode not in (0, 1):
            return f"exit status {done.returncode}"
        if done.returncode == 1 and b"error" not in done.stderr:
            return "fails without a word"
        if done.returncode == 0 and content != new:
            return "exit status 0, and the old file is there"
        if len(list(self.folder.iterdir())) != 1 and kind != "unlink":
            return "something is left beside the file"
        return None

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
    program, every = os.path.realpath(sys.argv[1]), "--long" in sys.argv
    with tempfile.TemporaryDirectory() as root:
        sweep = Sweep(program, pathlib.Path(root), every)
        sweep.command("convert", ["data", "convert", "data.txt", "--to", "jsonl"], True)
        sweep.command("predict", ["predict", "model", "texts.txt", "--backend", "ref", "--threads", "1"], True)
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
