#!/usr/bin/env python3
"""What `nerfit suggest` is worth: a person annotates 16 texts at a time, those it suggests or any.

    tools/simulate_suggest.py NERFIT ENCODER TRAIN.jsonl TEST.jsonl DESCRIPTIONS [--seed 0] [--steps 100]

Of 500 texts drawn from TRAIN the first 16 are annotated, then 16 at a time up to 64: for one arm those that
the model trained last suggests, for the other the next ones drawn. After each round a model is trained from
the encoder, and its F1 on words of the first 300 texts of TEST printed, a line of JSON each.
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path


def read(path):
    return [json.loads(line) for line in open(path)]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(r) + "\n" for r in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("nerfit", "encoder", "train", "test", "descriptions"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100)
    a = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    nerfit, encoder, descriptions = (str(Path(p).resolve()) for p in (a.nerfit, a.encoder, a.descriptions))
    by_text = {r["text"]: r for r in read(a.train)}
    pool = [by_text[t] for t in sorted(by_text)]
    random.Random(a.seed).shuffle(pool)
    pool = pool[:500]
    write(root / "test.jsonl", read(a.test)[:300])

    def run(*arguments):
        done = subprocess.run([nerfit, *map(str, arguments)], cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def train(rows, arm):
        write(root / "train.jsonl", rows)
        run("train", "--model_name", encoder, "--train_annotations", "train.jsonl", "--ent2emb", descriptions,
            "--output_dir", "run", "--calibration", "none", "--threads", 1, "--max_steps", f"0,{a.steps}",
            "--seed", a.seed, "--overwrite_output_dir", "true", "--quiet")  # fmt: skip
        report = json.loads(
            run("eval", "run/best", "test.jsonl", "--threads", 1, "--words", "--json", "--quiet")
        )
        line = {"arm": arm, "seed": a.seed, "texts": len(rows), "f1": report["micro"]["f1"]}
        print(json.dumps(line), flush=True)

    chosen = pool[:16]
    train(chosen, "both")
    for n in (32, 48, 64):
        known = {r["text"] for r in chosen}
        write(root / "rest.jsonl", [{"text": r["text"]} for r in pool if r["text"] not in known])
        write(root / "known.jsonl", chosen)
        run("suggest", "rest.jsonl", "--model", "run/best", "--known", "known.jsonl", "--texts", 16,
            "--st_model_name", encoder, "--threads", 1, "--quiet", "-o", "next.jsonl")  # fmt: skip
        chosen = chosen + [by_text[r["text"]] for r in read(root / "next.jsonl")]
        train(chosen, "suggested")
    for n in (32, 48, 64):
        train(pool[:n], "random")


if __name__ == "__main__":
    main()
