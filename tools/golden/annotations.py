#!/usr/bin/env python3
"""Documents, entities and digests of the evaluation corpora, for tests/test_corpora.c.

    python tools/golden/annotations.py DATA_FOLDER > tests/golden/corpora.h

CoNLL columns and seq folders are read by lines of Python and seqeval's get_entities, bracket text by
the parser of the original package's README (hedrergudene/nerfit, ef22edd), JSON by Python's json.
The digest is FNV-1a (64 bits) over every document's text, a line break, and for each entity
"start end label" and a line break."""
import glob
import json
import os
import re
import sys

from importlib.metadata import version
from seqeval.metrics.sequence_labeling import get_entities

CONLL = [  # path, label column, word column
    ("ner/wnut17/train.conll", -1, 0),
    ("ner/wnut17/dev.conll", -1, 0),
    ("ner/wnut17/test.conll", -1, 0),
    ("ner/mit-movie/train.txt", 0, 1),
    ("ner/mit-movie/test.txt", 0, 1),
    ("ner/bio-NCBI-disease-IOB/train.tsv", -1, 0),
    ("ner/bio-NCBI-disease-IOB/devel.tsv", -1, 0),
    ("ner/bio-NCBI-disease-IOB/test.tsv", -1, 0),
] + [(f"ner/conll2002-es-nl/resources/corpora/conll2002/{name}", -1, 0)
     for name in ("esp.train", "esp.testa", "esp.testb", "ned.train", "ned.testa", "ned.testb")]
SEQ = [f"ner/snips/data/snips/{name}" for name in ("train", "dev", "test")]
BRACKETS = ["ner/nerfit-artifacts/sample_data.txt", "ner/slurp/train.txt", "ner/slurp/test.txt"]


def lines(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [line.rstrip("\r") for line in file.read().split("\n")]


def document(words, labels):
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    entities = [(starts[first], starts[last] + len(words[last]), label)
                for label, first, last in get_entities(labels)]
    return " ".join(words), entities


def conll(path, label_column, word_column):
    words, labels = [], []
    for line in lines(path) + [""]:
        if line.startswith("-DOCSTART-") or not line.strip():
            if words:
                yield document(words, labels)
            words, labels = [], []
            continue
        columns = line.split("\t") if "\t" in line else line.split(" ")
        words.append(columns[word_column].strip(" "))
        labels.append(columns[label_column].strip(" "))


def seq(folder):
    for words, labels in zip(lines(folder + "/seq.in"), lines(folder + "/seq.out")):
        if words.split():
            yield document(words.split(), labels.split())


def brackets(path):
    for annotation in lines(path):
        if not annotation:
            continue
        pattern = re.compile(r"\[(.*?): (.*?)\]")
        text, entities, offset = annotation, [], 0
        for m in pattern.finditer(annotation):
            entity, label = m.group(2).strip(), m.group(1).strip()
            start = m.start() - offset
            entities.append((start, start + len(entity), label))
            text = text[: m.start() - offset] + entity + text[m.end() - offset :]
            offset += len(m.group(0)) - len(entity)
        yield text, entities


def jsonl(path):
    for line in lines(path):
        if line:
            value = json.loads(line)
            yield value["text"], [tuple(entity) for entity in value["entities"]]


def cluener(path):
    """Objects one after another; the last character's place instead of the end."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    at, decoder = 0, json.JSONDecoder()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        while at < len(text) and text[at].isspace():
            at += 1
        yield value["text"], sorted((first, last + 1, label) for label, names in value["label"].items()
                                    for places in names.values() for first, last in places)


def stockmark(path):
    with open(path, encoding="utf-8") as file:
        for value in json.load(file):
            yield value["text"], sorted((*entity["span"], entity["type"]) for entity in value["entities"])


def digest(documents):
    value = 0xCBF29CE484222325
    for text, entities in documents:
        record = text + "\n" + "".join(f"{s} {e} {label}\n" for s, e, label in entities)
        for byte in record.encode():
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def row(path, documents):
    documents = list(documents)
    n_entities = sum(len(entities) for _, entities in documents)
    print(f'    {{"{path}", {len(documents)}, {n_entities}, 0x{digest(documents):016x}u}},')


def main(data):
    print("/* Made by tools/golden/annotations.py with Python %d.%d and seqeval %s. */"
          % (*sys.version_info[:2], version("seqeval")))
    for path, label, word in CONLL:
        row(path, conll(os.path.join(data, path), label, word))
    for path in SEQ:
        row(path, seq(os.path.join(data, path)))
    for path in BRACKETS:
        row(path, brackets(os.path.join(data, path)))
    # train.json has entities within entities, which are refused unless a policy is chosen
    row("ner/cluener-zh/dev.json", cluener(os.path.join(data, "ner/cluener-zh/dev.json")))
    row("ner/stockmark-ja/ner.json", stockmark(os.path.join(data, "ner/stockmark-ja/ner.json")))
    for path in sorted(glob.glob(os.path.join(data, "fewshot/*/*.jsonl"))):
        row(os.path.relpath(path, data), jsonl(path))


main(sys.argv[1])
