#!/usr/bin/env python3
"""Which labels of test sets a corpus for pre-training has, too: what zero-shot scores on them owe to
labels seen before.

    tools/pretrain/label_overlap.py [--corpus corpora/open-types] [--synonyms] [--list]
                                    DESCRIPTIONS ...

DESCRIPTIONS are JSON files of {label: description}, one for each test set; without any, those of
docs/evaluation.md's sets in ../shared/data/fewshot. For each label it tells

    same name     a label of the corpus is the same but for case, "_" and plural
    within        one name's words are all in the other's ("artist" in "artist name", "recipe" in
                  "recipe name" and "saved recipe")
    near          the descriptions' cosine, words weighted by their rarity in all descriptions, is at
                  least 0.6; "same text" if the words are the same

and prints a table of the counts (each label in its first column that fits), or all pairs (--list).
Needs Python alone.
"""
import argparse
import collections
import json
import math
import os
import re

SETS = ("slurp", "snips", "wnut17", "ncbi", "mit-movie")
NEAR = 0.6
STOP = set("a an and as at by for from in is it its of on or such that the this to used with be which "
           "like e g etc including other".split())


def singular(word):
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def name_words(label):
    parts = re.sub(r"([a-z])([A-Z])", r"\1 \2", label)
    return tuple(singular(w) for w in re.findall(r"[^\W_]+", parts.lower()))


def text_words(text):
    return [singular(w) for w in re.findall(r"[^\W_]+", text.lower()) if w not in STOP]


def read_synonyms(folder, name):
    """[(set, synonym, further description)], of the layout that check_corpus.py requires."""
    out, names = [], []
    path = os.path.join(folder, name + ".synonyms.yaml")
    if not os.path.exists(path):
        return out
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("  synonyms: ["):
                names = [n.strip() for n in line.strip()[len("synonyms: ["):-1].split(",")]
            elif line.startswith("  - "):
                out += [(name, n, line[4:].strip()) for n in names]
                names = names[:1]
    return out


def read_corpus(folder, synonyms):
    """[(set, label, description)]: plain YAML, as check_corpus.py requires it."""
    out = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".yaml") or name.endswith(".synonyms.yaml"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file:
                if ": " in line and not line.startswith("#"):
                    label, text = line.rstrip("\n").split(": ", 1)
                    out.append((name[:-5], label, text))
        if synonyms:
            out += read_synonyms(folder, name[:-5])
    return out


class Weights:
    """Words' weights: log(N / texts that have them)."""

    def __init__(self, texts):
        self.count = collections.Counter(w for t in texts for w in set(text_words(t)))
        self.total = len(texts)

    def vector(self, text):
        words = collections.Counter(text_words(text))
        v = {w: n * math.log((1 + self.total) / (1 + self.count[w])) for w, n in words.items()}
        norm = math.sqrt(sum(x * x for x in v.values())) or 1.0
        return {w: x / norm for w, x in v.items()}


def cosine(a, b):
    return sum(x * b[w] for w, x in a.items() if w in b)


def compare(labels, corpus, weights, vectors):
    """[(label, kind, how near, where)], the nearest of each kind first."""
    found = []
    for label, text in labels.items():
        words, vector = name_words(label), weights.vector(text)
        for (source, other, description), v in zip(corpus, vectors):
            words2, where = name_words(other), f"{source}: {other}"
            if words == words2:
                found.append((label, "same name", 1.0, where))
            elif set(words) <= set(words2) or set(words2) <= set(words):
                found.append((label, "within", 1.0, where))
            near = cosine(vector, v)
            if sorted(text_words(text)) == sorted(text_words(description)):
                found.append((label, "same text", 1.0, where + ": " + description))
            elif near >= NEAR:
                found.append((label, "near", near, where + ": " + description))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("descriptions", nargs="*")
    parser.add_argument("--corpus", default="corpora/open-types")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--synonyms", action="store_true",
                        help="names and descriptions of NAME.synonyms.yaml count, too")
    parser.add_argument("--list", action="store_true", help="every pair")
    args = parser.parse_args()
    files = args.descriptions or [os.path.join(args.data, "fewshot", s, "descriptions.json") for s in SETS]
    corpus = read_corpus(args.corpus, args.synonyms)
    tests = []
    for path in files:
        with open(path, encoding="utf-8") as file:
            name = os.path.basename(path).rsplit(".", 1)[0]
            tests.append((os.path.basename(os.path.dirname(path)) if name == "descriptions" else name,
                          json.load(file)))
    weights = Weights([t for _, _, t in corpus] + [t for _, d in tests for t in d.values()])
    vectors = [weights.vector(t) for _, _, t in corpus]
    print("| set | labels | same name | within a name, or one within it | neither | same description | "
          "near description |\n|---|---|---|---|---|---|---|")
    for name, labels in tests:
        found = compare(labels, corpus, weights, vectors)
        having = lambda *kinds: {l for l, kind, _, _ in found if kind in kinds}
        same, within = having("same name"), having("within")
        text, near = having("same text"), having("near")
        print(f"| {name} | {len(labels)} | {len(same)} | {len(within - same)} | "
              f"{len(labels) - len(same | within)} | {len(text)} | {len(near - text)} |")
        if args.list:
            for label, kind, much, where in sorted(found, key=lambda f: (f[0], f[1], -f[2])):
                print(f"    {label}\t{kind}\t{much:.2f}\t{where}")


if __name__ == "__main__":
    main()
