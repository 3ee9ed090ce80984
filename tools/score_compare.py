#!/usr/bin/env python3
"""Compares `nerfit score` with seqeval and with conlleval's counts on real CoNLL files.

The gold labels of each corpus are written in each scheme; predictions are the gold with a share of
the labels replaced by random ones, so that every illegal transition occurs. Precision, recall, F1
and counts of every type and average must be equal, to the last bit.

    python3 tools/score_compare.py [--nerfit build/nerfit] [--data FOLDER]

Needs seqeval (1.2.2). FOLDER: NERFIT_TEST_DATA or ../shared/data.
"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.metrics.v1 import unique_labels
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE1, IOE2

# file, column of the word, column of the label
CORPORA = {
    "wnut17": ("ner/wnut17/test.conll", 0, -1),
    "ncbi": ("ner/bio-NCBI-disease-IOB/test.tsv", 0, -1),
    "conll2002-es": ("ner/conll2002-es-nl/resources/corpora/conll2002/esp.testb", 0, -1),
    "conll2002-nl": ("ner/conll2002-es-nl/resources/corpora/conll2002/ned.testb", 0, -1),
    "mit-movie": ("ner/mit-movie/test.txt", 1, 0),
}
SCHEMES = {"iob1": IOB1, "iob2": IOB2, "ioe1": IOE1, "ioe2": IOE2, "bioes": IOBES, "bilou": BILOU}


def read(path, word, label):
    sentences, rows = [], []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in [*file, ""]:
            cells = line.split()
            if cells and not line.startswith("-DOCSTART-"):
                # NCBI's labels are bare B and I: conlleval's reading of those is another
                found = cells[label]
                rows.append((cells[word], found if "-" in found or found == "O" else found + "-X"))
            elif rows:
                sentences.append(rows)
                rows = []
    return sentences


def spans(labels):
    """Of IOB2 labels: (start, end, type)."""
    out = []
    for i, label in enumerate([*labels, "O"]):
        if out and out[-1][1] is None and not label.startswith("I-"):
            out[-1][1] = i
        if label.startswith("B-") or (label.startswith("I-") and not (out and out[-1][1] is None)):
            out.append([i, None, label[2:]])
    return out


def write_in(scheme, labels):
    """IOB2 labels in another scheme."""
    out, before = ["O"] * len(labels), None
    for start, end, kind in spans(labels):
        tags = ["I"] * (end - start)
        follows = before and before[1] == start and before[2] == kind
        if scheme == "iob2" or (scheme == "iob1" and follows):
            tags[0] = "B"
        if scheme == "ioe1" and follows:
            out[start - 1] = "E-" + kind
        if scheme == "ioe2":
            tags[-1] = "E"
        if scheme in ("bioes", "bilou"):
            single, last = ("S", "E") if scheme == "bioes" else ("U", "L")
            tags = [single] if len(tags) == 1 else ["B", *tags[1:-1], last]
        out[start:end] = [f"{tag}-{kind}" for tag in tags]
        before = (start, end, kind)
    return out


def conlleval_counts(gold, predicted):
    """Found, correct and gold phrases by type as conlleval counts them: phrase by phrase in one
    pass, a phrase being correct if both begin together, go on together and end together."""
    def split(label):
        return ("O", "") if label == "O" else tuple(label.split("-", 1))

    def ended(a, b):
        return a[0] in "ES" or a[0] in "BI" and b[0] in "BOS" or a[0] != "O" and a[1] != b[1]

    def begun(a, b):
        return b[0] in "BS" or a[0] in "EOS" and b[0] in "EI" or b[0] != "O" and a[1] != b[1]

    counts = {name: collections.Counter() for name in ("gold", "found", "correct")}
    for g_labels, p_labels in zip(gold, predicted):
        last_g = last_p = ("O", "")
        within = False
        for g, p in zip([*map(split, g_labels), ("O", "")], [*map(split, p_labels), ("O", "")]):
            g_ended, p_ended = ended(last_g, g), ended(last_p, p)
            g_begun, p_begun = begun(last_g, g), begun(last_p, p)
            if within and (g_ended or p_ended):
                if g_ended and p_ended:
                    counts["correct"][last_g[1]] += 1
                within = False
            if g_begun and p_begun and g[1] == p[1]:
                within = True
            elif g_begun or p_begun:
                within = False
            counts["gold"][g[1]] += g_begun
            counts["found"][p[1]] += p_begun
            last_g, last_p = g, p
    return {name: +c for name, c in counts.items()}


def expected(gold, predicted, mode):
    if mode == "default":
        def scores(average):
            return precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
        types = sorted({e[0] for y in (gold, predicted) for e in get_entities(y)})
    else:
        scheme = SCHEMES[mode]

        def scores(average):
            return strict_scores(gold, predicted, average=average, scheme=scheme, zero_division=0)
        types = unique_labels(gold, predicted, scheme)
    out = {"types": {t: list(map(float, s)) for t, *s in zip(types, *scores(None))}}
    for average in ("micro", "macro", "weighted"):
        out[average] = list(map(float, scores(average)))
    out["accuracy"] = accuracy_score(gold, predicted)
    return out


def shown(score):
    return [float(score[k]) for k in ("precision", "recall", "f1", "support")]


def compare(got, wanted, gold, predicted, mode):
    assert {t: shown(s) for t, s in got["types"].items()} == wanted["types"]
    assert list(got["types"]) == list(wanted["types"])
    for average in ("micro", "macro", "weighted"):
        assert shown(got[average]) == wanted[average], (average, shown(got[average]), wanted[average])
    assert got["accuracy"] == wanted["accuracy"]
    assert got["tokens"] == sum(map(len, gold))
    if mode == "default":
        counts = conlleval_counts(gold, predicted)
        for ours, theirs in (("support", "gold"), ("predicted", "found"), ("correct", "correct")):
            by_type = {t: s[ours] for t, s in got["types"].items() if s[ours]}
            assert by_type == counts[theirs], (ours, by_type, counts[theirs])
            assert got["micro"][ours] == sum(counts[theirs].values())


def write(path, words, labels):
    with open(path, "w", encoding="utf-8") as file:
        for sentence, row in zip(words, labels):
            file.writelines(f"{w}\t{t}\n" for w, t in zip(sentence, row))
            file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--data", default=os.environ.get("NERFIT_TEST_DATA", "../shared/data"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rng, n_compared, n_labels = random.Random(1), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("gold.conll", "predicted.conll")]
        for corpus, (path, word, label) in CORPORA.items():
            sentences = read(os.path.join(args.data, path), word, label)
            words = [[re.sub(r"\s", "_", w) for w, _ in s] for s in sentences]
            for scheme in SCHEMES:
                gold = [write_in(scheme, [t for _, t in s]) for s in sentences]
                known = sorted({t for s in gold for t in s})
                for share in (0.0, 0.05, 0.5):
                    predicted = [[rng.choice(known) if rng.random() < share else t for t in s] for s in gold]
                    write(paths[0], words, gold)
                    write(paths[1], words, predicted)
                    # seqeval's default mode knows no L and U
                    for mode in (["default"] if scheme != "bilou" else []) + [scheme]:
                        run = subprocess.run([args.nerfit, "score", *paths, "--mode", mode, "--json"],
                                             capture_output=True, text=True, check=False)
                        if run.returncode:
                            sys.exit(f"{corpus}, {scheme}: {run.stderr}")
                        compare(json.loads(run.stdout), expected(gold, predicted, mode), gold,
                                predicted, mode)
                        n_compared += 1
                        n_labels += sum(map(len, gold))
            print(f"{corpus}: {len(sentences)} sentences: equal in all schemes and modes", flush=True)
    print(f"{n_compared} comparisons, {n_labels} labels: no difference")


if __name__ == "__main__":
    main()
