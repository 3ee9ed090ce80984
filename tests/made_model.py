#!/usr/bin/env python3
"""Models made on the spot, for cases that need another tokenizer or other labels than the tiny ones
under tests/golden have. Only Python's own library is used.

    made_model.py encoder FOLDER TOKENIZER [TOKENS]
        A BERT encoder with random weights (hidden 64, 2 layers), to be trained. Unused tokens fill a vocabulary
        of words.
    made_model.py lookup FOLDER TOKENIZER LABELS TOKEN=LABEL ...
        A token classifier that gives every sub-word the label named for its text, "O" (or else the
        first of LABELS, names divided by commas) if none is: the embeddings are the labels, the
        only layer adds nothing. LABEL "nan" and "inf" make an embedding of that value.

    made_model.py bert FOLDER TOKENIZER [token-classification]
        tests/golden/bert's encoder of 100 words, or its tagger (a, b, c), with words of its own.

TOKENIZER: a tokenizer.json, or words divided by commas for an uncased WordPiece vocabulary.
"""

import array
import json
import os
import random
import shutil
import struct
import sys

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")


def save(path, tensors):
    """tensors: {name: (shape, values)}, as float32."""
    header, data = {}, b""
    for name, (shape, values) in sorted(tensors.items()):
        block = array.array("f", values)
        if sys.byteorder == "big":
            block.byteswap()
        block = block.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(block)]}
        data += block
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def tokenizer(folder, source, size=0):
    """Writes the tokenizer's file, a vocabulary of `size` tokens at least; returns {token: id}."""
    if not source.endswith(".json"):
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + source.split(",")
        words += [f"[unused{i}]" for i in range(size - len(words))]
        with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
            file.write("".join(word + "\n" for word in words))
        return {word: i for i, word in enumerate(words)}
    shutil.copy(source, os.path.join(folder, "tokenizer.json"))
    with open(source, encoding="utf-8") as file:
        described = json.load(file)
    vocabulary = described["model"]["vocab"]
    if isinstance(vocabulary, list):  # Unigram: pairs of token and score
        vocabulary = {token: i for i, (token, _) in enumerate(vocabulary)}
    for added in described.get("added_tokens", []):
        vocabulary[added["content"]] = added["id"]
    return vocabulary


def parameters(size, hidden, layers, normal):
    """All of BERT's but the word embeddings; normal: a function that gives a weight."""
    out = {}

    def matrix(name, *shape):
        count = 1
        for n in shape:
            count *= n
        out[name] = (list(shape), [normal() for _ in range(count)])

    def linear(name, rows, columns):
        matrix(name + ".weight", rows, columns)
        out[name + ".bias"] = ([rows], [0.0] * rows)

    def norm(name):
        out[name + ".weight"] = ([hidden], [1.0] * hidden)
        out[name + ".bias"] = ([hidden], [0.0] * hidden)

    matrix("embeddings.position_embeddings.weight", size, hidden)
    matrix("embeddings.token_type_embeddings.weight", 2, hidden)
    norm("embeddings.LayerNorm")
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        for part in ("query", "key", "value"):
            linear(layer + "attention.self." + part, hidden, hidden)
        linear(layer + "attention.output.dense", hidden, hidden)
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "intermediate.dense", 2 * hidden, hidden)
        linear(layer + "output.dense", hidden, 2 * hidden)
        norm(layer + "output.LayerNorm")
    return out


def configure(folder, words, hidden, layers, size, labels=None):
    config = {
        "model_type": "bert",
        "architectures": ["BertForTokenClassification" if labels else "BertModel"],
        "vocab_size": words,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * hidden,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": size,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    if labels:
        config["id2label"] = {str(i): label for i, label in enumerate(labels)}
        config["label2id"] = {label: i for i, label in enumerate(labels)}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, ensure_ascii=False)


def encoder(folder, source, at_least=0):
    draw = random.Random(0)
    words, hidden, size = max(tokenizer(folder, source, int(at_least)).values()) + 1, 64, 128
    tensors = parameters(size, hidden, 2, lambda: draw.gauss(0, 0.1))
    tensors["embeddings.word_embeddings.weight"] = (
        [words, hidden], [draw.gauss(0, 0.1) for _ in range(words * hidden)])
    save(os.path.join(folder, "model.safetensors"), tensors)
    configure(folder, words, hidden, 2, size)


def lookup(folder, source, labels, *given):
    vocabulary, labels, hidden, size = tokenizer(folder, source), labels.split(","), 16, 512
    while hidden < len(labels):
        hidden *= 2
    words = max(vocabulary.values()) + 1
    rest = labels.index("O") if "O" in labels else 0
    rows = [[float(i == rest) for i in range(hidden)] for _ in range(words)]
    for pair in given:
        token, _, label = pair.rpartition("=")
        if label in ("nan", "inf"):
            rows[vocabulary[token]] = [float(label)] * hidden
        else:
            at = labels.index(label)
            rows[vocabulary[token]] = [float(i == at) for i in range(hidden)]
    tensors = {"bert." + name: value for name, value in parameters(size, hidden, 1, lambda: 0.0).items()}
    tensors["bert.embeddings.word_embeddings.weight"] = ([words, hidden], [x for row in rows for x in row])
    tensors["classifier.weight"] = (
        [len(labels), hidden], [4.0 * (i == k) for i in range(len(labels)) for k in range(hidden)])
    tensors["classifier.bias"] = ([len(labels)], [0.0] * len(labels))
    save(os.path.join(folder, "model.safetensors"), tensors)
    configure(folder, words, hidden, 1, size, labels)


def bert(folder, source, part=""):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(os.path.join(GOLDEN, "bert", part, name), folder)
    tokenizer(folder, source, 100)


if __name__ == "__main__":
    kinds = {"encoder": encoder, "lookup": lookup, "bert": bert}
    if len(sys.argv) < 4 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    kinds[sys.argv[1]](*sys.argv[2:])
