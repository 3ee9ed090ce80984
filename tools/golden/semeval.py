#!/usr/bin/env python3
"""Writes tests/golden/semeval.json: entities of generated texts, gold and predicted, with the measures
of SemEval'13 as nervaluate gives them.

Made with nervaluate 1.2.1. An entity is [start, end, label], end exclusive (nervaluate's is inclusive);
scores are [correct, incorrect, partial, missed, spurious, possible, actual, precision, recall, f1].

    python3 tools/golden/semeval.py
"""
import json
import os
import random
from importlib.metadata import version

from nervaluate import Evaluator

PATH = os.path.join(os.path.dirname(__file__), "../../tests/golden/semeval.json")
NAMES = {"strict": "strict", "exact": "exact", "partial": "partial", "ent_type": "type"}
FIELDS = ["correct", "incorrect", "partial", "missed", "spurious", "possible", "actual", "precision",
          "recall", "f1"]


def entities(rng, labels, length, density, overlap=False):
    """In order; without `overlap` none shares a character with another."""
    out, at = [], rng.randrange(3)
    while at < length:
        end = min(length, at + rng.choice([1, 1, 2, 3, 5]))
        if rng.random() < density:
            out.append([at, end, rng.choice(labels)])
        at = at + 1 if overlap and rng.random() < 0.5 else end + rng.randrange(3)
    return out


def noise(rng, gold, labels, length, share):
    """Moved edges, other labels, entities left out, divided, joined and made up."""
    out = []
    for start, end, label in gold:
        kind = rng.random() if rng.random() < share else 1
        if kind < 0.2:
            continue
        if kind < 0.4:
            label = rng.choice(labels)
        elif kind < 0.7:
            start, end = max(0, start + rng.randint(-2, 2)), min(length, end + rng.randint(-2, 2))
        elif kind < 0.8 and end - start > 1:
            middle = rng.randrange(start + 1, end)
            out.append([start, middle, label])
            start = middle
        elif kind < 0.9 and out:
            start = out.pop()[0]
        if start < end:
            out.append([start, end, label])
    if rng.random() < share:
        start = rng.randrange(length)
        out.append([start, min(length, start + 2), rng.choice(labels)])
    return sorted(out)


def measure(case):
    gold, predicted = ([[{"start": s, "end": e - 1, "label": x} for s, e, x in text] for text in side]
                       for side in (case["gold"], case["predicted"]))
    labels = sorted({e[2] for side in ("gold", "predicted") for text in case[side] for e in text})
    result = Evaluator(gold, predicted, tags=labels, loader="dict").evaluate()

    def numbers(scores):
        return {NAMES[k]: [getattr(scores[k], f) for f in FIELDS] for k in NAMES}

    case["overall"] = numbers(result["overall"])
    case["types"] = {label: numbers(result["entities"][label]) for label in labels}
    return case


def hand_made():
    a, b = "a", "b"
    yield [[]], [[]]
    yield [[[0, 2, a]]], [[]]
    yield [[]], [[[0, 2, a]]]
    yield [[[0, 2, a]]], [[[0, 2, b]]]
    yield [[[0, 2, a]]], [[[1, 3, a]]]
    yield [[[0, 2, a]]], [[[1, 3, b]]]
    yield [[[0, 2, a]]], [[[2, 4, a]]]                                 # only touching
    yield [[[0, 4, a]]], [[[0, 2, a], [2, 4, a]]]                      # one found in two parts
    yield [[[0, 2, a], [2, 4, a]]], [[[0, 4, a]]]                      # two found as one
    yield [[[0, 2, a], [2, 6, a]]], [[[1, 6, a]]]                      # the nearest, not the first
    yield [[[0, 2, b], [2, 6, a]]], [[[1, 6, a]]]
    yield [[[0, 3, a], [3, 6, b]]], [[[2, 6, b], [0, 2, a]]]           # predictions out of order
    yield [[[0, 200, a]]], [[[0, 1, a]]]                               # less than 1 % shared
    yield [[[0, 100, a]]], [[[99, 130, a]]]                            # 1 % exactly
    yield [[[0, 3, a], [0, 3, b]]], [[[0, 3, b]]]                      # nested, twice at a place
    yield [[[0, 3, a], [0, 3, a]]], [[[0, 3, a], [0, 3, a], [0, 3, a]]]
    yield [[[0, 1, "é"]], [], [[4, 9, "x y"]]], [[[0, 1, "é"]], [[3, 4, "é"]], [[4, 8, "x y"]]]


def main():
    rng = random.Random(13)
    cases = [{"gold": g, "predicted": p} for g, p in hand_made()]
    for number in range(60):
        labels = list("abcdef")[: rng.randint(1, 6)]
        gold, predicted = [], []
        for _ in range(rng.randint(1, 6)):
            length = rng.choice([4, 12, 30])
            gold.append(entities(rng, labels, length, rng.random(), overlap=number % 5 == 4))
            predicted.append(noise(rng, gold[-1], labels, length, rng.random()) if number % 3
                             else entities(rng, labels, length, rng.random()))
        cases.append({"gold": gold, "predicted": predicted})
    with open(PATH, "w", encoding="utf-8") as file:
        file.write('{"versions": {"nervaluate": "%s"},\n "fields": %s,\n "cases": [\n' %
                   (version("nervaluate"), json.dumps(FIELDS)))
        lines = [json.dumps(measure(c), ensure_ascii=False, separators=(",", ":")) for c in cases]
        file.write(",\n".join(lines) + "\n]}\n")
    print(f"{PATH}: {len(cases)} cases")


if __name__ == "__main__":
    main()
