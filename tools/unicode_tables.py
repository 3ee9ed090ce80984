#!/usr/bin/env python3
"""Writes src/text/unicode_data.c: what Hugging Face `tokenizers` knows of each code point.

`tokenizers` mixes four Unicode versions (the Rust standard library's, and those of the crates
unicode-normalization-alignments, unicode_categories and onig), so no single library's tables give
the same ids and offsets. This script asks the package itself, code point by code point, and writes
the answers as compact tables. Run it with a Python that has `tokenizers`:

    python3 tools/unicode_tables.py > src/text/unicode_data.c
"""
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)


def probe(normalizer):
    return {c: normalizer.normalize_str(chr(c)) for c in CODE_POINTS}


def matches(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return {c for c in CODE_POINTS if not split.pre_tokenize_str(chr(c))}


def pieces(pre_tokenizer):
    """How many pieces `a`, the code point, `a` give: 1 joined, 2 it separates, 3 it stands alone."""
    return {c: len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a")) for c in CODE_POINTS}


def combining_classes(nfd):
    """The combining class that the package's reordering shows; unicodedata says which to try."""
    order = normalizers.NFD()
    known = {}  # class -> a code point of it
    for c in CODE_POINTS:
        k = unicodedata.combining(chr(c))
        if k and nfd[c] == chr(c) and c < 0x1000:
            known.setdefault(k, c)

    def swaps(a, b):
        return order.normalize_str("a" + chr(a) + chr(b)) == "a" + chr(b) + chr(a)

    classes = {}
    for c in CODE_POINTS:
        if nfd[c] != chr(c) or c in HANGUL:
            continue
        nonzero = swaps(c, known[1]) or swaps(known[230], c) or swaps(c, known[230])
        if not nonzero:
            continue
        k = unicodedata.combining(chr(c))
        assert k, f"U+{c:04X} has a class that unicodedata does not know"
        for other, d in known.items():
            agrees = c == d or (swaps(c, d) == (k > other) and swaps(d, c) == (other > k))
            assert agrees, f"U+{c:04X}: {k}, {other}"
        classes[c] = k
    return classes


def main():
    nfd, nfkd = probe(normalizers.NFD()), probe(normalizers.NFKD())
    nfc = normalizers.NFC()
    lower = probe(normalizers.Lowercase())
    clean = probe(normalizers.BertNormalizer(True, False, False, False))
    cjk = probe(normalizers.BertNormalizer(False, True, False, False))
    marks = probe(normalizers.BertNormalizer(False, False, True, False))
    combining = probe(normalizers.StripAccents())
    bert = pieces(pre_tokenizers.BertPreTokenizer())
    word = pieces(pre_tokenizers.Whitespace())
    space = pieces(pre_tokenizers.WhitespaceSplit())
    letter, number, onig_space = matches(r"\p{L}"), matches(r"\p{N}"), matches(r"\s")
    classes = combining_classes(nfd)

    compositions = []
    seconds = set()
    for c in CODE_POINTS:
        pair = unicodedata.decomposition(chr(c))
        if not pair or pair.startswith("<") or " " not in pair or c in HANGUL:
            continue
        a, b = (int(x, 16) for x in pair.split())
        if nfc.normalize_str(chr(a) + chr(b)) == chr(c):
            compositions.append((a, b, c))
            seconds.add(b)
    seconds |= set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))

    flags = {}
    for c in CODE_POINTS:
        s = chr(c)
        assert (space[c] == 2) == (c in onig_space), f"U+{c:04X}: two ideas of white space"
        assert (space[c] == 2) == (bert[c] == 2) == (word[c] == 2)
        f = 0
        f |= 1 if space[c] == 2 else 0
        f |= 2 if clean[c] == "" else 0
        f |= 4 if bert[c] == 3 else 0
        f |= 8 if marks[c] == "" and nfd[c] == s else 0
        f |= 16 if combining[c] == "" else 0
        f |= 32 if c in letter else 0
        f |= 64 if c in number else 0
        f |= 128 if word[c] == 1 else 0
        f |= 256 if lower[c] != s else 0
        f |= 512 if nfd[c] != s else 0
        f |= 1024 if nfkd[c] != s else 0
        f |= 2048 if c in classes else 0
        f |= 4096 if nfc.normalize_str(s) != s or c in classes or c in seconds else 0
        f |= 8192 if cjk[c] != s else 0
        flags[c] = f

    blocks, index = {}, []
    for start in range(0, 0x110000, 128):
        block = tuple(flags.get(c, 0) for c in range(start, start + 128))
        index.append(blocks.setdefault(block, len(blocks)))

    out = sys.stdout

    def array(declaration, values):
        out.write(f"\nconst {declaration} = {{\n")
        line = "   "
        for value in values:
            item = f" {value},"
            if len(line) + len(item) > 99:
                out.write(line + "\n")
                line = "   "
            line += item
        out.write(line + "\n};\n")

    out.write(
        "/* Written by tools/unicode_tables.py from the answers of `tokenizers` "
        f"{tokenizers.__version__}; do not edit. */\n"
        '#include "text/unicode_data.h"\n\n/* clang-format off */\n'
    )
    array(f"uint16_t nf_unicode_block[{len(index)}]", index)
    array(f"uint16_t nf_unicode_flags[{len(blocks) * 128}]", [f for b in blocks for f in b])

    # Only U+0130 has a lower case of two code points; src/text/unicode.c knows it.
    long = [c for c in CODE_POINTS if len(lower[c]) > 1]
    assert long == [0x130] and lower[0x130] == "i\u0307"
    pairs = [(c, ord(lower[c])) for c in CODE_POINTS if lower[c] != chr(c) and c != 0x130]
    array(f"nf_unicode_pair nf_unicode_lower[{len(pairs)}]", [f"{{{a}, {b}}}" for a, b in pairs])
    out.write(f"const size_t nf_unicode_lower_count = {len(pairs)};\n")

    pool, offsets = [], {}

    def place(text):
        if text not in offsets:
            offsets[text] = len(pool)
            pool.extend(map(ord, text))
        return offsets[text]

    for name, table in (("nfd", nfd), ("nfkd", nfkd)):
        rows = []
        for c in CODE_POINTS:
            if table[c] != chr(c) and c not in HANGUL and (name == "nfd" or table[c] != nfd[c]):
                rows.append(f"{{{c}, {place(table[c])}, {len(table[c])}}}")
        array(f"nf_unicode_decomposition nf_unicode_{name}[{len(rows)}]", rows)
        out.write(f"const size_t nf_unicode_{name}_count = {len(rows)};\n")
    array(f"uint32_t nf_unicode_pool[{len(pool)}]", pool)

    rows = [f"{{{a}, {b}, {c}}}" for a, b, c in sorted(compositions)]
    array(f"nf_unicode_composition nf_unicode_compose[{len(rows)}]", rows)
    out.write(f"const size_t nf_unicode_compose_count = {len(rows)};\n")

    ranges = []
    for c, k in sorted(classes.items()):
        if ranges and ranges[-1][1] == c - 1 and ranges[-1][2] == k:
            ranges[-1][1] = c
        else:
            ranges.append([c, c, k])
    array(f"nf_unicode_class nf_unicode_classes[{len(ranges)}]", [f"{{{a}, {b}, {k}}}" for a, b, k in ranges])
    out.write(f"const size_t nf_unicode_class_count = {len(ranges)};\n/* clang-format on */\n")


if __name__ == "__main__":
    main()
