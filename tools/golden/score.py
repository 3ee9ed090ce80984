#!/usr/bin/env python3
"""Writes tests/golden/score.json: random label sequences, legal and illegal, with seqeval's scores.

Made with seqeval 1.2.2 and numpy 2.4.6. Each case has a scheme (null: the default mode), sequences
(labels separated by spaces), and for every type and average
[precision, recall, f1, support, predicted, correct]; `text` is classification_report(digits=4).

    python3 tools/golden/score.py
"""
import json
import os
import random
import warnings

from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE1, IOE2, Entities

PATH = os.path.join(os.path.dirname(__file__), "../../tests/golden/score.json")
SCHEMES = {"IOB1": (IOB1, "IB"), "IOB2": (IOB2, "IB"), "IOE1": (IOE1, "IE"), "IOE2": (IOE2, "IE"),
           "BIOES": (IOBES, "BIES"), "BILOU": (BILOU, "BILU")}
# No prefix, no type, several hyphens, prefixes that no scheme has, letters outside ASCII.
ODD = ["PER", "LOC", "B", "I", "E", "S", "P", "_", "-", ".", "B-", "I-", "B--x", "I--x", "B-foo-bar",
       "I-foo-bar", "I-bar", "O-foo", "L-foo", "U-foo", "I-foo", "I-_", "L-_", ".-foo", "É-foo", "Éfoo",
       "I-é", "B-é", "OO"]
ODD_STRICT = ["{}", "{}-", "{}--x", "{}-x-", "{}x", "{}-foo-bar", "{}-_", "{}-é"]


def sequences(rng, labels, count, longest):
    return [[rng.choice(labels) for _ in range(rng.randint(0 if i else 1, longest))]
            for i in range(count)]


def noise(rng, gold, labels, share):
    return [[rng.choice(labels) if rng.random() < share else label for label in s] for s in gold]


def entity_sets(case, scheme):
    """Of gold and predicted sequences: {(sequence, type, start, end)}."""
    if scheme:
        return [{e.to_tuple() for s in Entities(y, scheme).entities for e in s} for y in case]
    return [{(0, *e) for e in get_entities(y)} for y in case]


def score(name, gold, predicted, with_text=False):
    scheme = SCHEMES[name][0] if name else None
    golds, preds = entity_sets((gold, predicted), scheme)

    def scores(average):
        if scheme:
            return strict_scores(gold, predicted, average=average, scheme=scheme, zero_division=0)
        return precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)

    types = sorted({e[1] for e in golds | preds})
    if not types:
        return None  # seqeval has no report for it
    sets = golds, preds, golds & preds
    counts = {t: [sum(e[1] == t for e in s) for s in sets] for t in types}
    all_counts = [len(s) for s in sets]
    case = {"scheme": name, "gold": [" ".join(s) for s in gold],
            "predicted": [" ".join(s) for s in predicted],
            "accuracy": accuracy_score(gold, predicted),
            "types": {t: [float(p), float(r), float(f), *counts[t]]
                      for t, p, r, f, _ in zip(types, *scores(None))}}
    for average in ("micro", "macro", "weighted"):
        p, r, f, support = scores(average)
        assert support == len(golds)
        case[average] = [float(p), float(r), float(f), *all_counts]
    if with_text:
        case["text"] = classification_report(gold, predicted, digits=4, zero_division=0,
                                             mode="strict" if scheme else None, scheme=scheme)
    return case


def cases():
    rng = random.Random(1)
    for i in range(60):  # default mode, every legal prefix in any order
        labels = ["O"] * (i % 4) + [f"{p}-{t}" for p in "BIES" for t in "ab"]
        gold = sequences(rng, labels, rng.randint(1, 4), 12)
        yield None, gold, noise(rng, gold, labels, rng.choice([0, 0.2, 1])), i % 10 == 0
    for i in range(80):  # default mode, odd labels
        labels = rng.sample(ODD, rng.randint(2, 8)) + ["O"] * (i % 3)
        gold = sequences(rng, labels, rng.randint(1, 6), 8)
        yield None, gold, noise(rng, gold, labels, rng.choice([0.2, 1])), i % 10 == 0
    for name, (_, prefixes) in SCHEMES.items():
        for i in range(40):
            labels = ["O"] * (1 + i % 4) + [f"{p}-{t}" for p in prefixes for t in "abc"[:1 + i % 3]]
            if i >= 30:
                labels = [form.format(p) for p in prefixes for form in rng.sample(ODD_STRICT, 3)] + ["O"]
            gold = sequences(rng, labels, rng.randint(1, 4), 12)
            yield name, gold, noise(rng, gold, labels, rng.choice([0, 0.2, 1])), i % 20 == 0
    for n_types in (7, 8, 9, 33, 150):  # averages over many types: the order of a sum shows
        labels = ["O"] + [f"{p}-t{t}" for p in "BI" for t in range(n_types)]
        gold = [[rng.choice(labels) for _ in range(4 * n_types)]]
        yield None, gold, noise(rng, gold, labels, 0.3), n_types == 33


def main():
    warnings.simplefilter("ignore")
    out = [case for case in (score(*c) for c in cases()) if case]
    with open(PATH, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":"))
                                      for c in out) + "\n]\n")
    print(f"{len(out)} cases, {os.path.getsize(PATH)} bytes")


if __name__ == "__main__":
    main()
