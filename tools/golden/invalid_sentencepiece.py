#!/usr/bin/env python3
"""Writes the broken SentencePiece folders of tests/invalid/tokenizer (folder-sp-*), and broken
tokenizer.json files with their parts. The .error files beside them say what must come out.

    python3 tools/golden/invalid_sentencepiece.py
"""
import base64
import json
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/invalid/tokenizer")


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A field: text and bytes, a float, or a number."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def piece(text, score=0.0, kind=None):
    body = field(1, text) + field(2, score) + (field(3, kind) if kind else b"")
    return field(1, body)


GOOD = piece(b"<unk>", kind=2) + piece(b"<s>", kind=3) + piece(b"</s>", kind=3) + piece(b"\xe2\x96\x81", -1.0)
MODELS = {
    "cut": GOOD[:-3],
    "cut-number": GOOD + b"\x80",
    "long-number": GOOD + b"\x10" + b"\xff" * 10,
    "field-0": GOOD + b"\x00\x01",
    "form": GOOD + b"\x0b",
    "empty": b"",
    "not-a-message": GOOD + field(2, 7),
    "no-text": GOOD + field(1, field(2, -1.0)),
    "utf8": GOOD + piece(b"a\xff"),
    "nul": GOOD + piece(b"a\0b"),
    "score-form": GOOD + field(1, field(1, b"a") + field(2, 3)),
    "score": GOOD + piece(b"abc", float("nan")),
    "type": GOOD + piece(b"a", kind=9),
    "word-model": GOOD + field(2, field(3, 3)),
    "unknown": GOOD + field(2, field(40, 4)),
    "charsmap": GOOD + field(3, field(2, b"\x08\0\0\0ab")),
    "charsmap-form": GOOD + field(3, field(2, 1)),
}


def tokenizer(**parts):
    base = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": None, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["the", -1]]}}
    return {**base, **parts}


def normalizer(**fields):
    return tokenizer(normalizer=fields)


def character_map(data):
    return normalizer(type="Precompiled", precompiled_charsmap=base64.b64encode(data).decode())


def metaspace(**fields):
    return tokenizer(pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", **fields})


def model(**fields):
    return tokenizer(model={"type": "Unigram", **fields})


FILES = {
    "precompiled-number": normalizer(type="Precompiled", precompiled_charsmap=1),
    "precompiled-base64": normalizer(type="Precompiled", precompiled_charsmap="QUJD!A=="),
    "precompiled-short": character_map(b"\4"),
    "precompiled-length": character_map(struct.pack("<II", 8, 0)),
    "precompiled-value": character_map(struct.pack("<III", 8, 0, 1 << 31 | 3) + b"ab"),
    "precompiled-utf8": character_map(struct.pack("<II", 4, 0) + b"\xff\0"),
    "strip-missing": normalizer(type="Strip", strip_left=True),
    "prepend-missing": normalizer(type="Prepend"),
    "replace-pattern": normalizer(type="Replace", pattern="a", content="b"),
    "replace-both": normalizer(type="Replace", pattern={"String": "a", "Regex": "a"}, content="b"),
    "replace-content": normalizer(type="Replace", pattern={"String": "a"}),
    "replace-empty": normalizer(type="Replace", pattern={"String": ""}, content="b"),
    "replace-regex": normalizer(type="Replace", pattern={"Regex": "("}, content="b"),
    "metaspace-two": metaspace(replacement="ab"),
    "metaspace-missing": tokenizer(pre_tokenizer={"type": "Metaspace"}),
    "metaspace-scheme": metaspace(prepend_scheme="sometimes"),
    "metaspace-prefix": metaspace(add_prefix_space=False),
    "metaspace-split": metaspace(split=1),
    "unigram-object": model(unk_id=0, vocab={"a": 1}),
    "unigram-pair": model(unk_id=0, vocab=[["a", 1.0], ["b"]]),
    "unigram-score": model(unk_id=0, vocab=[["a", "1"]]),
    "unigram-unknown": model(unk_id=1, vocab=[["a", 1.0]]),
    "unigram-no-unknown": model(vocab=[["the", 1.0]]),
    "unigram-fallback": model(unk_id=0, vocab=[["a", 1.0]], byte_fallback="no"),
}


def main():
    for name, data in MODELS.items():
        folder = os.path.join(HERE, f"folder-sp-{name}")
        os.makedirs(folder, exist_ok=True)
        # DeBERTa's recipe does not look at the character map, ALBERT's and T5's do.
        with open(os.path.join(folder, "spiece.model" if name == "charsmap" else "spm.model"), "wb") as file:
            file.write(data)
    folder = os.path.join(HERE, "folder-sp-class")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "spm.model"), "wb") as file:
        file.write(GOOD)
    with open(os.path.join(folder, "config.json"), "w") as file:
        file.write('{"model_type": "xlm-roberta"}\n')
    for name, value in FILES.items():
        with open(os.path.join(HERE, f"{name}.json"), "w") as file:
            json.dump(value, file, ensure_ascii=False)
            file.write("\n")


if __name__ == "__main__":
    main()
