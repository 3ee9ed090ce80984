#!/usr/bin/env python3
"""What `nerfit suggest` is worth: a person annotates some texts at a time, those it suggests or any.

    tools/simulate_suggest.py NERFIT ENCODER TRAIN.jsonl TEST.jsonl DESCRIPTIONS [--seed 0] [--steps 100]
                              [--name SET] [--pretrained ADAPTER] [--out RESULTS.jsonl]

Of 500 texts drawn from TRAIN the first 16 are annotated, then up to 30, 44 and 64: for one arm those that
the model trained last suggests, for the other the next ones drawn. After each round a model is trained from
the encoder, and its F1 on words of the first 300 texts of TEST printed, a line of JSON each. With --out the
lines are added to a file when all are there; a set and seed that it has already is not run again.
`tools/plot_suggest.py` makes the table and the plot of docs/evaluation.md of it.
"""

import argparse
import json
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

ROUNDS = (16, 30, 44, 64)


def read(path):
    return [json.loads(line) for line in open(path)]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(r) + "\n" for r in rows))


class Simulation:
    def __init__(self, a):
        self.a, self.root, self.lines = a, Path(tempfile.mkdtemp()), []
        by_text = {r["text"]: r for r in read(a.train)}
        pool = [by_text[t] for t in sorted(by_text)]
        random.Random(a.seed).shuffle(pool)
        self.pool = pool[:500]
        self.by_text = by_text
        write(self.root / "test.jsonl", read(a.test)[:300])

    def run(self, *arguments):
        done = subprocess.run(
            [self.a.nerfit, *map(str, arguments)], cwd=self.root, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def train(self, rows, arm):
        write(self.root / "train.jsonl", rows)
        self.run("train", "--model_name", self.a.encoder, "--train_annotations", "train.jsonl", "--ent2emb",
                 self.a.descriptions, "--output_dir", "run", "--calibration", "none", "--threads", 1,
                 "--pretrained", self.a.pretrained, "--max_steps", f"0,{self.a.steps}",
                 "--seed", self.a.seed, "--overwrite_output_dir", "true", "--quiet")  # fmt: skip
        report = json.loads(
            self.run("eval", "run/best", "test.jsonl", "--threads", 1, "--words", "--json", "--quiet")
        )
        entities = sum(len(r["entities"]) for r in rows)
        words = sum(len(r["text"].split()) for r in rows)
        self.lines.append({"set": self.a.name, "seed": self.a.seed, "arm": arm, "texts": len(rows),
                           "entities": entities, "words": words, "f1": report["micro"]["f1"]})  # fmt: skip
        print(json.dumps(self.lines[-1]), flush=True)

    def suggest(self, known, count):
        """The texts that the model trained last wants to have annotated next."""
        texts = {r["text"] for r in known}
        write(self.root / "rest.jsonl", [{"text": r["text"]} for r in self.pool if r["text"] not in texts])
        write(self.root / "known.jsonl", known)
        self.run("suggest", "rest.jsonl", "--model", "run/best", "--known", "known.jsonl", "--texts", count,
                 *(["--st_model_name", self.a.encoder] if self.a.embeddings == "yes" else []),
                 "--threads", 1, "--quiet", "-o", "next.jsonl")  # fmt: skip
        return [self.by_text[r["text"]] for r in read(self.root / "next.jsonl")]

    def both(self):
        chosen = self.pool[: ROUNDS[0]]
        self.train(chosen, "both")
        for n in ROUNDS[1:]:
            chosen = chosen + self.suggest(chosen, n - len(chosen))
            self.train(chosen, "suggested")
        if self.a.drawn == "yes":
            for n in ROUNDS[1:]:
                self.train(self.pool[:n], "random")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("nerfit", "encoder", "train", "test", "descriptions"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--name", help="of the set in what is printed (the folder of TEST)")
    parser.add_argument("--pretrained", default="none", help="an adapter to start from")
    parser.add_argument("--embeddings", choices=["yes", "no"], default="yes", help="suggest by them")
    parser.add_argument("--drawn", choices=["yes", "no"], default="yes", help="texts at random, too")
    parser.add_argument("--out", help="results of several sets and seeds")
    a = parser.parse_args()
    a.name = a.name or Path(a.test).resolve().parent.name
    for name in ("nerfit", "encoder", "descriptions"):
        setattr(a, name, str(Path(getattr(a, name)).resolve()))
    if a.pretrained != "none":
        a.pretrained = str(Path(a.pretrained).resolve())
    there = read(a.out) if a.out and Path(a.out).exists() else []
    if any((r["set"], r["seed"]) == (a.name, a.seed) for r in there):
        return
    simulation = Simulation(a)
    try:
        simulation.both()
    finally:
        shutil.rmtree(simulation.root)
    if a.out:
        write(a.out, there + simulation.lines)


if __name__ == "__main__":
    main()
