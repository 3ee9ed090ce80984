#!/usr/bin/env python3
"""Writes tests/golden/tag-groups.json: sequences of labels of words, and the entities that the
token-classification pipeline of transformers makes of them.

Made with transformers 5.23.0. A case has the labels of a model, sequences of indices into them, and for
each sequence its groups [first word, last word + 1, type]; groups of "O" are left out, as the pipeline
does by default. The type is get_tag's, by which it groups; what it prints as "entity_group" is cut at
the first dash even where that is no prefix ("mail" of "E-mail"), which is not followed.

    python3 tools/golden/tag_groups.py
"""
import json
import os
import random

import transformers
from transformers import TokenClassificationPipeline

PATH = os.path.join(os.path.dirname(__file__), "../../tests/golden/tag-groups.json")
LABELS = [
    ["O", "B-time", "I-time", "B-song", "I-song"],
    ["B-a", "I-a", "O", "I-b"],  # another order, a type without B-
    ["O", "time", "room", "quantity"],
    ["LABEL_0", "LABEL_1", "LABEL_2"],
    ["O", "ORG", "OCLOCK", "OTHER"],
    ["O", "EVENT", "SINGLE", "LOC", "UNIT", "Song", "event"],
    ["O", "B_LOC", "I_LOC", "B_PER"],
    ["O", "PER", "B-PER", "I-PER", "I-LOC", "LOC"],  # a type with and without prefixes
    ["O", "E-mail", "S-Bahn", "U-boat", "L-shape", "X-ray", "M-theory", "W-2"],
    ["o", "b-per", "i-per", "PER-B", "PER-I"],
    ["O", "B-foo-bar", "I-foo-bar", "B-bar", "I-bar"],
    ["O", "B", "City"],
]


class Tokenizer:
    @staticmethod
    def convert_tokens_to_string(words):
        return " ".join(words)


def groups(pipeline, names):
    words = [{"entity": name, "score": 1.0, "word": "w", "start": i, "end": i + 1}
             for i, name in enumerate(names)]
    return [[g["start"], g["end"], pipeline.get_tag(names[g["start"]])[1]]
            for g in pipeline.group_entities(words) if names[g["start"]] != "O"]


def main():
    pipeline = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
    pipeline.tokenizer = Tokenizer
    rng = random.Random(1)
    lines = []
    for labels in LABELS:
        sequences = [[rng.randrange(len(labels)) for _ in range(rng.randrange(1, 13))]
                     for _ in range(20)]
        # runs, as models give them
        sequences += [sum(([rng.randrange(len(labels))] * rng.randrange(1, 4) for _ in range(4)), [])
                      for _ in range(10)]
        found = [groups(pipeline, [labels[i] for i in s]) for s in sequences]
        lines.append(json.dumps({"labels": labels, "sequences": sequences, "groups": found},
                                separators=(",", ":")))
    with open(PATH, "w", encoding="utf-8") as file:
        file.write('{"versions": {"transformers": "%s"},\n "cases": [\n' % transformers.__version__)
        file.write(",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
