r"""Python's \w and \s over all code points, and words by GLiNER's pattern.

Writes OUT_FOLDER/word-pattern.json: `word` and `space` are the code points that \w and \s match,
`unassigned` those that this Python's Unicode does not know, all as [first, last, first, last, ...];
`splits` are texts with the places of r"\w+(?:[-_]\w+)*|\S" in them.
Usage: word_pattern.py OUT_FOLDER
"""
import json
import platform
import random
import re
import sys
import unicodedata
from pathlib import Path

PATTERN = re.compile(r"\w+(?:[-_]\w+)*|\S")
FIXED = ["", " ", "a", "-", "--", "a-", "-a", "a-b", "a--b", "a-b-c", "a_-b", "a-_", "_", "__-__", "a_b c-d_e",
         "don't stop", "x\x1cy\x1dz", "a\u200bb", "e\u0301te\u0301", "हिन्दी भाषा", "กรุงเทพ", "東京タワー-1",
         "a\u2010b", "½-¼ ①-Ⅻ", "👩‍👩‍👧 ok", "a\u3000b\u0085c\u00a0d", "<<ENT>>", "3.5e-10",
         "\U0001d7d8-\U0001d7d9", "naïve\u00adly"]


def ranges(found):
    flat = []
    for c in found:
        if flat and flat[-1] == c - 1:
            flat[-1] = c
        else:
            flat += [c, c]
    return flat


def matching(pattern):
    compiled = re.compile(pattern)
    return ranges(c for c in range(0x110000)
                  if not 0xD800 <= c < 0xE000 and compiled.match(chr(c)))


def texts():
    generator = random.Random(7)
    alphabet = "ab-_-_ \t\n.1٣é́漢'’\u200d\u2028\x1f—🙂ǅⅷ²ªª"
    return FIXED + ["".join(generator.choices(alphabet, k=generator.randint(2, 24))) for _ in range(120)]


if __name__ == "__main__":
    golden = {
        "versions": {"python": platform.python_version(), "unicode": unicodedata.unidata_version},
        "word": matching(r"\w"),
        "space": matching(r"\s"),
        "unassigned": ranges(c for c in range(0x110000) if unicodedata.category(chr(c)) == "Cn"),
        "splits": [[t, [list(m.span()) for m in PATTERN.finditer(t)]] for t in texts()],
    }
    with open(Path(sys.argv[1]) / "word-pattern.json", "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
