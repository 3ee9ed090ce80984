#!/usr/bin/env python3
"""What a student learns from an annotator of known quality, beside plain training on the same texts.

    tools/known_student.py NERFIT ENCODER KNOWN GOLD.jsonl TEST.jsonl DESCRIPTIONS [--seed 0] [--arms ...]

KNOWN is a folder that `tools/known_annotator.py --out` wrote. Texts of GOLD are left out of its texts. The
arms, each one model that is trained with nerfit's defaults (no adapter that comes along, no calibration)
and scored on TEST, a line of JSON each:

    plain    the annotator's texts as they are
    gold     the few gold texts alone
    mixed    the annotator's texts and the gold texts, in one file
    student  the annotator's texts in two halves: models of two seeds learn one half and the gold texts, and
             annotate the other one beside the annotator (`nerfit annotate --llm --model A,B`), so that two of
             three must agree, and what is disputed is unknown; then everything and the gold texts are learned
    clean    the annotator's texts without its mistakes
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path


def read(path):
    return [json.loads(line) for line in open(path)]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(r) + "\n" for r in rows))


class Student:
    def __init__(self, a):
        self.a, self.root = a, Path(tempfile.mkdtemp())
        self.nerfit, self.encoder, self.known, self.test, self.descriptions = (
            str(Path(p).resolve()) for p in (a.nerfit, a.encoder, a.known, a.test, a.descriptions)
        )
        self.gold = read(a.gold)
        known = {r["text"] for r in self.gold}
        self.silver, self.clean = (
            [r for r in read(Path(self.known) / name) if r["text"] not in known]
            for name in ("silver.jsonl", "clean.jsonl")
        )

    def run(self, *arguments):
        environment = {"OLLAMA_API_BASE": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin", "HOME": str(self.root)}
        done = subprocess.run(
            [self.nerfit, *map(str, arguments)], cwd=self.root, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def train(self, rows, folder, seed):
        write(self.root / "train.jsonl", rows)
        self.run("train", "--model_name", self.encoder, "--train_annotations", "train.jsonl", "--ent2emb",
                 self.descriptions, "--output_dir", folder, "--pretrained", "none", "--calibration", "none",
                 "--threads", 1, "--seed", seed, "--overwrite_output_dir", "true", "--quiet")  # fmt: skip

    def score(self, arm, rows):
        self.train(rows, "run", self.a.seed)
        report = json.loads(
            self.run("eval", "run/best", self.test, "--threads", 1, "--words", "--json", "--quiet")
        )
        line = {"corpus": Path(self.known).name, "arm": arm, "seed": self.a.seed, "texts": len(rows)}
        print(json.dumps({**line, "f1": report["micro"]["f1"]}), flush=True)

    def annotate(self, rows, folders, output):
        """As known_annotator.py asked: all answers are there already."""
        shutil.copy(Path(self.known) / "silver.jsonl.answers.jsonl", self.root / "answers.jsonl")
        write(self.root / "texts.jsonl", [{"text": r["text"]} for r in rows])
        self.run("annotate", "texts.jsonl", "--llm", "ollama/known", "--model", ",".join(folders), "--labels",
                 Path(self.known) / "labels.json", "--answers", "answers.jsonl", "--occurrences", "ordered",
                 "--threads", 1, "--quiet", "-o", output)  # fmt: skip
        return read(self.root / output)

    def student(self):
        halves, both = (self.silver[0::2], self.silver[1::2]), []
        for i, half in enumerate(halves):
            folders = [f"half{i}-{seed}" for seed in (self.a.seed, self.a.seed + 100)]
            for k, folder in enumerate(folders):
                self.train(half + self.gold, folder, self.a.seed + 100 * k)
            both += self.annotate(halves[1 - i], [f"{f}/best" for f in folders], f"other{i}.jsonl")
        self.score("student", both + self.gold)

    def arm(self, name):
        if name == "student":
            self.student()
        else:
            rows = {"plain": self.silver, "clean": self.clean, "gold": self.gold, "mixed": self.silver + self.gold}
            self.score(name, rows[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("nerfit", "encoder", "known", "gold", "test", "descriptions"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", default=["plain", "gold", "mixed", "student", "clean"])
    a = parser.parse_args()
    student = Student(a)
    for name in a.arms:
        student.arm(name)
    shutil.rmtree(student.root)


if __name__ == "__main__":
    main()
