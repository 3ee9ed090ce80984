#!/usr/bin/env python3
"""Writes tests/golden/serde-numbers.json: how numbers of a tokenizer.json are read by the package
`tokenizers` (its serde_json takes them as digits times a power of ten): [spelling, the double as
float.hex has it, or null where the package refuses it].

    python3 tools/golden/serde_numbers.py
"""
import json
import os
import random

import tokenizers

HARD = """0 -0 5 -12 1.5 -1.50 -0.1 1e5 -1E-5 1e+3 123456789012345678901234567890
12345678901234567890123456789.25 18446744073709551615 18446744073709551616 -18446744073709551616
1844674407370955161.5 1844674407370955161.6 1844674407370955161.55 0.1234567890123456789012345
-3.4028234663852886e38 1e-320 4.9e-324 1e-400 123e-330 0e999999 0.0e-999999999999 1e999999999999
1.7976931348623157e308 1.7976931348623159e308 1e309 -8.762729644775391 -0.30000000000000004
100000000000000000000e-20 9007199254740993 -9223372036854775809 0.000000000000000000000000000001234
-1e22 1e23 7e-23 3.3e-25 8381517570140449873184537e289""".split()


def spelling(chance):
    length = chance.choice([1, 3, 8, 16, 17, 18, 19, 20, 21, 25])
    digits = str(chance.randint(1, 9)) + "".join(chance.choice("0123456789") for _ in range(length - 1))
    whole = chance.randint(0, length)
    text = (digits[:whole] or "0") + ("." + digits[whole:] if digits[whole:] else "")
    if chance.random() < 0.4:
        text += chance.choice("eE") + chance.choice(["", "+", "-"]) + str(chance.randint(0, 320))
    return chance.choice(["", "-"]) + text


def read(text):
    model = '{"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [["a", %s]]}' % text
    try:
        tokenizer = tokenizers.Tokenizer.from_str('{"version": "1.0", "model": %s}' % model)
    except Exception:
        return None
    return float(json.loads(tokenizer.to_str())["model"]["vocab"][0][1]).hex()


chance = random.Random(5)
rows = [[text, read(text)] for text in HARD + [spelling(chance) for _ in range(300)]]
path = os.path.join(os.path.dirname(__file__), "../../tests/golden/serde-numbers.json")
with open(path, "w") as file:
    lines = ",\n".join(json.dumps(row) for row in rows)
    file.write('{"tokenizers": "%s", "numbers": [\n%s\n]}\n' % (tokenizers.__version__, lines))
