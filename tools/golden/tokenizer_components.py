#!/usr/bin/env python3
"""Writes tests/golden/tokenizer-components.json: a table of hard texts, and what the package
`tokenizers` makes of them with one small tokenizer for each component of tokenizer.json, and with
the patterns that tokenizers use.

    python3 tools/golden/tokenizer_components.py
"""
import json
import os
import sys

import tokenizers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

ROOT = os.path.join(os.path.dirname(__file__), "../..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
from tokenizers_compare import BEHAVIORS, PATTERNS, TEMPLATE, WORDS, byte_level, chain, split, token  # noqa: E402

HARD = {
    "combining marks": "e\u0301a\u0323\u0307b n\u0303 \u0301x",
    "marks in another order": "q\u0307\u0323 o\u0302\u0301",
    "emoji with joiners": "👩‍👩‍👧‍👦!👍🏽 🇪🇸🇫🇷 ❤️‍🔥",
    "right to left": "שָׁלוֹם, עולם 12 مَرْحَبًا بالعالم",
    "both directions": "abc \u200fעברית\u200e 34 \u202bx\u202c",
    "Thai": "ภาษาไทยไม่มีเว้นวรรค น้ำ ๑๒",
    "Lao, Khmer, Myanmar": "ພາສາລາວ ភាសាខ្មែរ မြန်မာ",
    "Chinese": "彭小军认为，国内银行3家在北京。",
    "Japanese": "東京タワーへ行きましょうABC。ｶﾞ",
    "Korean, composed and not": "한국어 \u1112\u1161\u11ab",
    "full-width digits and letters": "１２３ＡＢｃ　ｆｕｌｌ",
    "digits of many scripts": "3 ٣ ३ ๓ Ⅲ ③ ½ ² 𝟛",
    "Hindi": "देवनागरी हिन्दी में 12",
    "case": "İstanbul I ı ẞ ß ǅ ΣΑΣ ſ K",
    "compatibility forms": "ﬁ ﷺ ½ ① Å Ω ㎏ ℃ …",
    "white space of all kinds": " a\u00a0b\u3000c\u2028d\u0085e\tf\r\ng\u200bh\ufeffi \u180ej  ",
    "controls": "a\u0001b\u007fc\u009fd\u008fe\ufffdf\u2581g",
    "punctuation": "¿qué? «a-b» “c” d... e!!! ~`^ $5 €6 +7 =8 |9 ‚x‛",
    "contractions": "don't we'LL they'Ve I'M x'ſ O'CLOCK",
    "numbers": "1234567 12,345.67 -3 0x1F",
    "spaces and lines": "a  b   c\n\n  d \n e    ",
    "private and unassigned": "\u0378\ue000\U0010ffff\U000e0041a",
    "the word list": "the athe the东 a the",
    "added tokens": "x<l>y  <l> z<r>  w one onetwo two onetwothree Ünit ünit u\u0308nit",
    "nothing": "",
}
ADDED = [token("<l>", lstrip=True), token("<r>", rstrip=True), token("one", single_word=True), token("onetwo"),
         token("twoth"), token("ünit", normalized=True), token("two", single_word=True, lstrip=True)]


def words(**parts):
    return {**WORDS, **parts}


def pre(*steps, **parts):
    return words(pre_tokenizer=steps[0] if len(steps) == 1 else chain("pretokenizers", *steps), **parts)


def characters():
    """A BPE over characters, trained on the hard texts."""
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator([x for x in HARD.values() if x[:1] < "\u0400"] * 2,
                          trainers.BpeTrainer(vocab_size=170, special_tokens=["<unk>"], show_progress=False,
                                              limit_alphabet=70, continuing_subword_prefix="@@", end_of_word_suffix="</w>"))
    return json.loads(t.to_str())


def bytes_(**parts):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(list(HARD.values()), trainers.BpeTrainer(
        vocab_size=360, show_progress=False, special_tokens=["<s>", "<pad>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return {**json.loads(t.to_str()), **parts}


def descriptions():
    each = split(r"(?m:.)")
    out = {
        "nmt": pre(each, normalizer={"type": "Nmt"}), "byte normalizer": pre(each, normalizer={"type": "ByteLevel"}),
        "normalizers": pre(each, normalizer=chain("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Nmt"},
                                                  {"type": "Lowercase"}), added_tokens=ADDED),
        "whitespace": pre({"type": "Whitespace"}), "whitespace split": pre({"type": "WhitespaceSplit"}, added_tokens=ADDED),
        "scripts": pre({"type": "UnicodeScripts"}), "digits": pre({"type": "Digits", "individual_digits": False}),
        "each digit": pre({"type": "Digits", "individual_digits": True}),
        "delimiter": pre({"type": "CharDelimiterSplit", "delimiter": "本"}), "fixed": pre({"type": "FixedLength", "length": 4}),
        "punctuation": pre({"type": "Punctuation"}), "text, empty": pre(split("=")),
        "sequence": pre({"type": "UnicodeScripts"}, {"type": "Digits", "individual_digits": True}, {"type": "Whitespace"},
                        normalizer={"type": "NFKC"}, added_tokens=ADDED),
        "after bytes": pre({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(),
                           {"type": "Digits", "individual_digits": False}, split(r"[0-9][0-9][0-9]"), added_tokens=ADDED),
        "words of bytes": pre(byte_level(add_prefix_space=True)),
        "llama": bytes_(pre_tokenizer=chain("pretokenizers", split(PATTERNS["llama3"]), byte_level(use_regex=False)),
                        post_processor=chain("processors", byte_level(), TEMPLATE), added_tokens=ADDED),
        "bytes normalized": bytes_(normalizer={"type": "ByteLevel"}, pre_tokenizer=None),
    }
    for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
        out[name.lower()] = pre(each, normalizer={"type": name})
    for behavior in BEHAVIORS:
        out[f"punctuation {behavior}"] = pre({"type": "Punctuation", "behavior": behavior})
        out[f"split {behavior}"] = pre(split(r"\p{P}|ab?|\s\s?|x*", behavior))
        out[f"split inverted {behavior}"] = pre(split(r"\p{L}+", behavior, True))
        out[f"text {behavior}"] = pre(split("=the", behavior))
    bpe = characters()
    out["prefix and suffix"] = bpe
    for name, options in {"fused": {"fuse_unk": True}, "silent": {"unk_token": None}, "whole": {"ignore_merges": True}}.items():
        out[f"prefix and suffix, {name}"] = {**bpe, "model": {**bpe["model"], **options}}
    return out


def main():
    texts = list(HARD.values())
    cases, patterns = [], []
    for name, description in descriptions().items():
        t = Tokenizer.from_str(json.dumps(description))
        rows = []
        for text in texts:
            e = t.encode(text)
            rows.append([e.ids, [x for pair in e.offsets for x in pair], [-1 if w is None else w for w in e.word_ids]])
        cases.append({"name": name, "tokenizer": description, "rows": rows})
    for name, pattern in PATTERNS.items():
        found = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        rows = [[x for _, pair in found.pre_tokenize_str(text) for x in pair] for text in texts]
        patterns.append({"name": name, "pattern": pattern, "rows": rows})

    def lines(items):
        return ",\n".join(json.dumps(x, ensure_ascii=False, separators=(",", ":")) for x in items)

    with open(os.path.join(ROOT, "tests/golden/tokenizer-components.json"), "w") as out:
        out.write(f'{{"tokenizers": "{tokenizers.__version__}", "texts": [\n{lines(texts)}\n], "patterns": [\n')
        out.write(f"{lines(patterns)}\n], \"cases\": [\n{lines(cases)}\n]}}\n")


if __name__ == "__main__":
    main()
