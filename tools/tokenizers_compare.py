#!/usr/bin/env python3
"""Holds nerfit's tokenizers against Hugging Face `tokenizers` (and, for folders without
tokenizer.json, against transformers): ids, offsets and word ids of every line of the given data and
of generated garbage must be equal.

    python3 tools/tokenizers_compare.py --tool build/tests/tool_tokenize --data DATA [NAME ...]

DATA is laid out as docs/testing.md tells: DATA/tokenizers/NAME/..., DATA/text, DATA/ner. Texts are
the lines of all files under the latter two, and under DATA/fewshot and DATA/descriptions. Needs
tokenizers, numpy, and transformers for the cases made from vocabularies alone.
"""
import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np
import tokenizers

# name: files of DATA/tokenizers (FILE:NAME in the folder), tokenizer_config.json, model type in config.json
JSON_CASES = {
    "bert-base-uncased": "bert-base-uncased/tokenizer.json",
    "bert-base-cased": "bert-base-cased/DERIVED-tokenizer.json",
    "bert-base-multilingual-cased": "bert-base-multilingual-cased/DERIVED-tokenizer.json",
    "all-MiniLM-L6-v2": "all-MiniLM-L6-v2/tokenizer.json",
    "roberta-base": "roberta-base/tokenizer.json",
    "modernbert-base": "modernbert-base/DERIVED-tokenizer.json",
    "xlm-roberta-base": "xlm-roberta-base/DERIVED-tokenizer.json",
    "deberta-v3": "deberta-v3/DERIVED-tokenizer.json",
    "t5-small": "t5-small/tokenizer.json",
}
FOLDER_CASES = {
    "bert-vocab": (["bert-base-uncased/vocab.txt"], None, "bert"),
    "bert-vocab-cased": (["bert-base-cased/vocab.txt"], {"do_lower_case": False}, "bert"),
    "bert-vocab-accents": (
        ["bert-base-multilingual-cased/vocab.txt"],
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": True,
         "tokenize_chinese_chars": False, "additional_special_tokens": ["[E1]", "[E2]"],
         "sep_token": "[NEW]"},
        None,
    ),
    "roberta-vocab": (["roberta-base/vocab.json", "roberta-base/merges.txt"], None, "roberta"),
    "roberta-vocab-prefix": (
        ["roberta-base/vocab.json", "roberta-base/merges.txt"],
        {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True, "trim_offsets": False},
        None,
    ),
    "roberta-json-prefix": (
        ["roberta-base/tokenizer.json"],
        {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True}, None,
    ),
    "bert-json-cased": (
        ["bert-base-uncased/tokenizer.json"],
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False}, None,
    ),
    # The same file under the names of other classes: the ids differ, the file's pieces do not.
    "deberta-model": (["deberta-v3/spm.model"], None, "deberta-v2"),
    "deberta-model-options": (["deberta-v3/spm.model"], {
        "tokenizer_class": "DebertaV2TokenizerFast", "do_lower_case": True, "split_by_punct": True,
        "add_prefix_space": False, "additional_special_tokens": ["[E1]"]}, None),
    "xlm-roberta-model": (["deberta-v3/spm.model:sentencepiece.bpe.model"], None, "xlm-roberta"),
    "camembert-model": (["deberta-v3/spm.model:sentencepiece.bpe.model"], None, "camembert"),
    "albert-model": (["deberta-v3/spm.model:spiece.model"], None, "albert"),
    "t5-model": (["deberta-v3/spm.model:spiece.model"], None, "t5"),
    "any-model": (["deberta-v3/spm.model:tokenizer.model"], {"tokenizer_class": "PreTrainedTokenizerFast"}, None),
    "gpt2": (["gpt2/vocab.json", "gpt2/merges.txt"], None, "gpt2"),
    "gpt2-bos": (
        ["gpt2/vocab.json", "gpt2/merges.txt"],
        {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "pad_token": "<pad>",
         "add_bos_token": True},
        None,
    ),
}


def variant(base, change=None, **parts):
    """A tokenizer.json with other parts, for what the published files don't use."""
    return (base, parts, change)


def with_map(normalizer, own):
    """Puts the file's own normalizer Precompiled where a chain names it."""
    if isinstance(normalizer, dict) and "normalizers" in normalizer:
        steps = own["normalizers"] if "normalizers" in own else [own]
        (character_map,) = [step for step in steps if step["type"] == "Precompiled"]
        return {**normalizer, "normalizers": [character_map if n == "Precompiled" else n for n in normalizer["normalizers"]]}
    return normalizer


BERT, ROBERTA = "bert-base-uncased/tokenizer.json", "roberta-base/tokenizer.json"


def token(content, **options):
    properties = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"id": 0, "content": content, **properties, **options}


def bert_normalizer(**options):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": True, **options}


ADDED = [token("[MASK]", special=True), token("Ünit", normalized=True), token("the", single_word=True),
         token("<a>", lstrip=True), token("<b>", rstrip=True), token("<c>", lstrip=True, rstrip=True),
         token("</c>", single_word=True, lstrip=True, normalized=True), token("an", normalized=True),
         token("and", normalized=True, single_word=True), token("  "), token("東京", normalized=True)]
TEMPLATE = {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "y", "type_id": 0}}],
            "pair": [], "special_tokens": {"x": {"id": "x", "ids": [0, 2], "tokens": ["<s>", "</s>"]},
                                           "y": {"id": "y", "ids": [2], "tokens": ["</s>"]}}}


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
            **options}


def chain(key, *steps):
    return {"type": "Sequence", key: list(steps)}


VARIANTS = {
    "bert-plain": variant(BERT, normalizer=None),
    "bert-unclean": variant(BERT, normalizer=bert_normalizer(clean_text=False)),
    "bert-accents": variant(BERT, normalizer=bert_normalizer(strip_accents=False)),
    "bert-strip": variant(BERT, normalizer=bert_normalizer(strip_accents=True, lowercase=False)),
    "bert-no-chinese": variant(BERT, normalizer=bert_normalizer(handle_chinese_chars=False)),
    "bert-added": variant(BERT, added_tokens=ADDED),
    "bert-nfc": variant(BERT, normalizer={"type": "NFC"}),
    "bert-nfd": variant(BERT, normalizer={"type": "NFD"}),
    "bert-nfkc": variant(BERT, normalizer={"type": "NFKC"}, added_tokens=ADDED),
    "bert-nfkd": variant(BERT, normalizer={"type": "NFKD"}),
    "bert-chain": variant(BERT, normalizer=chain("normalizers", {"type": "NFKD"}, {"type": "StripAccents"},
                                                 chain("normalizers", {"type": "Lowercase"}), {"type": "NFC"}),
                          added_tokens=ADDED),
    "bert-chain-bert": variant(BERT, normalizer=chain("normalizers", {"type": "NFKC"}, bert_normalizer())),
    "bert-whitespace": variant(BERT, pre_tokenizer={"type": "WhitespaceSplit"},
                               post_processor={"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}),
    "roberta-added": variant(ROBERTA, added_tokens=ADDED),
    "roberta-added-prefix": variant(
        ROBERTA, added_tokens=ADDED, pre_tokenizer=byte_level(add_prefix_space=True),
        post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                        "trim_offsets": True, "add_prefix_space": True}),
    "roberta-no-regex": variant(ROBERTA, pre_tokenizer=byte_level(use_regex=False), post_processor=byte_level()),
    "roberta-chain": variant(
        ROBERTA, normalizer={"type": "NFKC"}, added_tokens=ADDED,
        pre_tokenizer=chain("pretokenizers", {"type": "WhitespaceSplit"}, byte_level(add_prefix_space=True)),
        post_processor=chain("processors", byte_level(add_prefix_space=True), TEMPLATE)),
    "roberta-chain-after": variant(ROBERTA, added_tokens=ADDED, normalizer={"type": "Lowercase"},
                                   post_processor=chain("processors", TEMPLATE, byte_level())),
    "roberta-untrimmed": variant(ROBERTA, post_processor=byte_level(trim_offsets=False)),
}


# Every word is unknown: what is compared is where the pre-tokenizers split.
WORDS = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
         "pre_tokenizer": None, "post_processor": None, "decoder": None,
         "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "the": 1, "a": 2, " ": 3, "東": 4}}}
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
# The patterns of well-known tokenizers, and one for each construct.
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "clip": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "falcon": r"[0-9][0-9][0-9]",
    "deepseek": r"[一-龥\u0800-\u4e00\uac00-\ud7ff]+|\s?[!-/:-~！-／：-～‘-‟　-。]+|\s+$",
    "lazy": r"a.*?b|\w{2,4}?e|x{0,3}?y", "possessive": r"a++b|\w*+é|[^e]?+e|(?:ab)*+a", "atomic": r"(?>a|ab)c|(?>\p{L}+)\d",
    "groups": r"(?:ab|a)(c|bcd)?(?<name>d*)e", "counts": r"\p{L}{3}|\d{2,}|[ ]{,2}x|(?:ab){1,2}|\p{N}{1,3}+",
    "behind": r"(?<=a)\w|(?<!\s)\p{P}|(?<=ab|é|東京)c", "ahead": r"\w+(?=\.)|a(?!b|c)|(?=.*z)y",
    "edges": r"\b|\Bt", "lines": r"^.|.$|\Aa|e\z|\s\Z", "dot": r".(?m:.)", "empty": r"x*", "nothing": r"",
    "ignore-case": r"(?i)sk|[k-m]+|[^a-y\s]|the|a(?-i:B)",
    "scripts": r"\p{Han}+|\p{^Latin}\p{Greek}|[\p{Hiragana}\p{Katakana}ー]+|\P{Common}{4}",
    "classes": r"[\]\-a-c\x{6771}\u00e9\x41]+|[^\S\n]+|[\D]{5}|\W\w|[-+]|[+-]|[\^]",
    "categories": r"\p{Lu}\p{Ll}+|\p{Mn}|\p{Nd}+|\p{Pd}|\p{Sc}|\p{So}+|\p{Zs}|\p{Cc}|\p{Cf}|\p{Co}|\p{Cn}|[\p{P}&]\p{S}|\p{Letter}",
    "escapes": r"\t|\n|\r\n|\f|\v|\.|\*|\\|\/|\{|\e|\a|\x0A", "choice": r"||a|b", "backtracking": r"(?:a|ab)(?:c|bcd)(?:d*)e|(?:\w+ )+\d",
}


def split(pattern, behavior="Isolated", invert=False):
    kind = {"String": pattern[1:]} if pattern.startswith("=") else {"Regex": pattern}
    return {"type": "Split", "pattern": kind, "behavior": behavior, "invert": invert}


def pre(name, *steps, **parts):
    return {f"pre-{name}": variant(WORDS, pre_tokenizer=steps[0] if len(steps) == 1 else chain("pretokenizers", *steps), **parts)}


for name_, pattern_ in PATTERNS.items():
    VARIANTS |= pre(f"regex-{name_}", split(pattern_))
for behavior_ in BEHAVIORS:
    for invert_ in (False, True):
        VARIANTS |= pre(f"split-{behavior_}-{invert_}", split(r"\p{P}|ab?|\s\s?", behavior_, invert_))
        VARIANTS |= pre(f"split-text-{behavior_}-{invert_}", split("=the", behavior_, invert_))
        VARIANTS |= pre(f"split-empty-{behavior_}-{invert_}", split(r"a*", behavior_, invert_))
    VARIANTS |= pre(f"punctuation-{behavior_}", {"type": "Punctuation", "behavior": behavior_})
VARIANTS |= {
    **pre("split-nothing", split("=")), **pre("split-dots", split("=. ", "MergedWithNext")),
    **pre("punctuation", {"type": "Punctuation"}), **pre("whitespace", {"type": "Whitespace"}),
    **pre("whitespace-split", {"type": "WhitespaceSplit"}), **pre("scripts", {"type": "UnicodeScripts"}),
    **pre("digits", {"type": "Digits", "individual_digits": False}),
    **pre("digits-each", {"type": "Digits", "individual_digits": True}),
    **pre("delimiter", {"type": "CharDelimiterSplit", "delimiter": " "}),
    **pre("delimiter-wide", {"type": "CharDelimiterSplit", "delimiter": "東"}),
    **pre("fixed", {"type": "FixedLength", "length": 3}), **pre("fixed-default", {"type": "FixedLength"}),
    **pre("bytes", byte_level(add_prefix_space=True), added_tokens=ADDED),
    **pre("falcon", {"type": "Punctuation", "behavior": "Contiguous"}, byte_level(),
          {"type": "Digits", "individual_digits": False}, split(r"[0-9][0-9][0-9]"), added_tokens=ADDED),
    **pre("bytes-twice", byte_level(), chain("pretokenizers", {"type": "Whitespace"}, byte_level(add_prefix_space=True)),
          {"type": "UnicodeScripts"}),
    **pre("chain", {"type": "UnicodeScripts"}, {"type": "Digits", "individual_digits": True}, {"type": "Whitespace"},
          {"type": "Punctuation", "behavior": "MergedWithNext"}, added_tokens=ADDED, normalizer={"type": "NFKD"}),
    "norm-nmt": variant(WORDS, normalizer={"type": "Nmt"}, pre_tokenizer=split(r".", "Isolated")),
    "norm-nmt-chain": variant(WORDS, normalizer=chain("normalizers", {"type": "NFKC"}, {"type": "Nmt"}, {"type": "StripAccents"}),
                              pre_tokenizer=split(r"(?m:.)"), added_tokens=ADDED),
    "norm-bytes": variant(WORDS, normalizer={"type": "ByteLevel"}, pre_tokenizer=split(r"."), added_tokens=ADDED),
    "norm-bytes-chain": variant(WORDS, normalizer=chain("normalizers", {"type": "NFD"}, {"type": "ByteLevel"}, {"type": "Lowercase"}),
                                pre_tokenizer=split(r"."), added_tokens=ADDED),
    "roberta-norm-bytes": variant(ROBERTA, normalizer={"type": "ByteLevel"}, pre_tokenizer=split("Ġ?[a-zA-Z]+|Ġ"), added_tokens=ADDED),
    "roberta-llama3": variant(ROBERTA, pre_tokenizer=chain("pretokenizers", split(PATTERNS["llama3"]), byte_level(use_regex=False)),
                              post_processor=chain("processors", byte_level(), TEMPLATE), added_tokens=ADDED),
    "roberta-falcon": variant(ROBERTA, pre_tokenizer=chain(
        "pretokenizers", {"type": "Punctuation", "behavior": "Contiguous"}, byte_level(),
        {"type": "Digits", "individual_digits": False}, split(r"[0-9][0-9][0-9]")), added_tokens=ADDED),
    "bert-bytes": variant(BERT, pre_tokenizer=byte_level()),
}
for norm_ in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
    VARIANTS[f"norm-{norm_}"] = variant(WORDS, normalizer={"type": norm_}, pre_tokenizer=split(r"(?m:.)"))


# What SentencePiece-derived tokenizers are made of.
XLMR, T5, DEBERTA = ("xlm-roberta-base/DERIVED-tokenizer.json", "t5-small/tokenizer.json",
                     "deberta-v3/DERIVED-tokenizer.json")


def metaspace(**options):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True, **options}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def with_bytes(description):
    """The model takes what it does not know as bytes."""
    model = description["model"]
    model["byte_fallback"] = True
    known = {token for token, _ in model["vocab"]}
    model["vocab"] += [[f"<0x{b:02X}>", -20.5] for b in range(256) if f"<0x{b:02X}>" not in known]


SPACES = chain("normalizers", {"type": "Strip", "strip_left": False, "strip_right": True},
               replace(" {2,}", "\u2581", "Regex"), replace("a", ""), replace("the", "that"))
VARIANTS |= {
    "t5-first": variant(T5, added_tokens=ADDED, pre_tokenizer=metaspace(prepend_scheme="first")),
    "t5-never": variant(T5, added_tokens=ADDED, pre_tokenizer=metaspace(prepend_scheme="never")),
    "t5-whole": variant(T5, pre_tokenizer=metaspace(split=False), normalizer=None),
    "t5-old": variant(T5, pre_tokenizer={"type": "Metaspace", "replacement": "_", "str_rep": "_", "add_prefix_space": True}),
    "t5-plain": variant(T5, pre_tokenizer=None),
    "t5-bytes": variant(T5, with_bytes, pre_tokenizer=metaspace(prepend_scheme="first", split=False)),
    "t5-byte-level": variant(T5, pre_tokenizer=byte_level()),
    "t5-edits": variant(T5, normalizer=SPACES, added_tokens=ADDED),
    "t5-strip": variant(T5, added_tokens=ADDED, normalizer={"type": "Strip", "strip_left": True, "strip_right": False},
                        pre_tokenizer=metaspace(prepend_scheme="first")),
    "t5-prepend": variant(T5, added_tokens=ADDED, pre_tokenizer=None, normalizer=chain(
        "normalizers", {"type": "Prepend", "prepend": "\u2581"}, replace(" ", "\u2581"))),
    "t5-prepend-more": variant(T5, normalizer=chain("normalizers", {"type": "Prepend", "prepend": "xy "}, {"type": "NFKD"},
                                                    {"type": "Prepend", "prepend": ""})),
    "t5-after-map": variant(T5, added_tokens=ADDED, normalizer=chain(
        "normalizers", {"type": "NFD"}, "Precompiled", {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "NFC"}, replace("\\s{2,}|[\\n\\r\\t]", " ", "Regex"))),
    "t5-ends": variant(T5, added_tokens=ADDED, normalizer=chain(
        "normalizers", replace("\\A +| +\\z", "", "Regex"), replace(" ", "\u2581"), replace("\\A\u2581", "\u2581\u2581", "Regex")),
        pre_tokenizer=metaspace(split=False)),
    "t5-letters": variant(T5, normalizer=chain("normalizers", replace("[0-9]+|x*", "<>", "Regex"))),
    "albert-like": variant(XLMR, normalizer=chain(
        "normalizers", replace("``", '"'), replace("''", '"'), {"type": "NFKD"}, {"type": "StripAccents"},
        {"type": "Lowercase"}, "Precompiled", replace(" {2,}", " ", "Regex"))),
    "deberta-punctuation": variant(DEBERTA, pre_tokenizer=chain(
        "pretokenizers", {"type": "Punctuation", "behavior": "Isolated"}, metaspace())),
}


def lines_of(folder):
    """All distinct lines of all files; what is not UTF-8 is read as Latin-1."""
    seen = {}
    for root in ("text", "ner", "fewshot", "descriptions"):
        for path, _, files in sorted(os.walk(os.path.join(folder, root))):
            for name in sorted(files):
                if name.endswith((".safetensors", ".zip")):
                    continue
                with open(os.path.join(path, name), "rb") as file:
                    for line in file.read().split(b"\n"):
                        try:
                            seen.setdefault(line.decode("utf-8"))
                        except UnicodeDecodeError:
                            seen.setdefault(line.decode("latin-1"))
    return list(seen)


def garbage(count, seed=0):
    r = random.Random(seed)
    marks = [c for c in range(0x300, 0x370)] + [0x591, 0x5B0, 0x64B, 0x93C, 0x94D, 0xE31, 0x0F71, 0x0F72,
             0x302A, 0x3099, 0x1D165, 0x1D16D, 0x0DCA, 0x0DCF, 0x09C7, 0x09BE, 0x16FF0, 0x11131, 0x11127]
    pools = [
        lambda: r.randrange(0x20, 0x7F),
        lambda: r.randrange(0x00, 0x20),
        lambda: r.randrange(0x80, 0x250),
        lambda: r.choice(marks),
        lambda: r.randrange(0x370, 0x3000),
        lambda: r.randrange(0x3000, 0xA000),
        lambda: r.choice([*range(0xAC00, 0xAC40), *range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3)]),
        lambda: r.randrange(0xE000, 0x10000),
        lambda: r.randrange(0x1F300, 0x1FA00),
        lambda: r.randrange(0x10000, 0x30000),
        lambda: r.choice([0x20, 0x20, 0xA0, 0x85, 0x3000, 0x2028, 0x200B, 0x200D, 0xFEFF, 0x9, 0xA, 0xD, 0xB, 0x1680]),
        lambda: r.choice([0x130, 0x131, 0x1E9E, 0x3A3, 0x212A, 0x2126, 0x344, 0x1F71, 0xFB01, 0xFDFA, 0x2F800, 0xFA0E]),
        lambda: r.randrange(0x0, 0x110000),
    ]
    strings = ["[MASK]", "[CLS]", "[SEP]", "<mask>", " <mask> ", "<s>", "</s>", "<|endoftext|>", "<unk>", "<a>", "<b>",
               " <c> ", "</c>", "the", "Ünit", "ünit", "U\u0308nit", "and", "  ", "'s", "'re", "'LL", "don't", "東京",
               "##ing", "unaffable", "\u0120", "[NEW]", "[E1]", "|||IP_ADDRESS|||", "1234567", "ʼn"]
    for i in range(count):
        out = []
        pool = r.sample(pools, r.randrange(1, 5))
        for _ in range(r.randrange(1, 40)):
            if r.random() < 0.12:
                out.append(r.choice(strings))
            else:
                c = r.choice(pool)()
                out.append(chr(c) if not 0xD800 <= c < 0xE000 else " ")
        yield "".join(out)
    yield ""
    yield "a" * 300 + " " + "é" * 250 + " " + "x" * 5000
    yield "ab" * 3000 + " " * 500 + "\n" * 200 + "x"
    yield "\u0301" * 2000
    yield "\u0301\u0323" * 300 + "a" + "\u0301\u0323" * 300
    for c in range(0x110000):
        if not 0xD800 <= c < 0xE000 and c % 16 == 0:
            yield "a".join(chr(c + i) for i in range(16)) + " " + "".join(chr(c + i) for i in range(16))


def ours(tool, model, texts):
    data = b"".join(struct.pack("=I", len(b)) + b for b in (t.encode("utf-8") for t in texts))
    run = subprocess.run([tool, model], input=data, stdout=subprocess.PIPE, check=False)
    if run.returncode:
        sys.exit(f"{model}: the tool failed")
    at, view = 0, run.stdout
    for _ in texts:
        (count,) = struct.unpack_from("=I", view, at)
        yield np.frombuffer(view, dtype=np.int32, count=count * 4, offset=at + 4).reshape(count, 4)
        at += 4 + count * 16
    assert at == len(view)


def theirs(tokenizer, texts):
    for start in range(0, len(texts), 2000):
        for e in tokenizer.encode_batch(texts[start : start + 2000]):
            rows = np.empty((len(e.ids), 4), dtype=np.int32)
            rows[:, 0] = e.ids
            if e.ids:
                rows[:, 1:3] = e.offsets
            rows[:, 3] = [-1 if w is None else w for w in e.word_ids]
            yield rows


def compare(name, tool, model, tokenizer, texts):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    wrong = tokens = 0
    for text, a, b in zip(texts, ours(tool, model, texts), theirs(tokenizer, texts)):
        tokens += len(b)
        if a.shape != b.shape or not (a == b).all():
            wrong += 1
            if wrong <= 3:
                print(f"  {name}: {text[:300]!r}\n    ours   {a.tolist()[:40]}\n    theirs {b.tolist()[:40]}")
    print(f"{name}: {len(texts)} texts, {tokens} tokens, {wrong} differ", flush=True)
    return wrong


def random_pattern(r, depth=0):
    """A pattern of the constructs that nerfit knows."""
    atoms = ["a", "b", "c", "é", "s", "k", "ß", ".", r"\s", r"\S", r"\w", r"\W", r"\d", r"\p{L}", r"\P{Lu}", "[ab]", r"[^a\s]",
             "[a-c1]", r"[\p{L}\d]", r"\p{Han}", "(?i:s)", "(?i:[k-m])", "(?m:.)", r"\n", "東"]
    asserts = [r"\b", r"\B", "^", "$", r"\A", r"\z", r"\Z", r"(?=\w)", r"(?!\S)", "(?<=a)", "(?<!ab|c)", "(?<=[a-c])", "(?=a*b)"]
    quantifiers = [""] * 6 + ["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{,2}", "{1,}", "{1,3}?", "{1,2}+"]
    branches = []
    for _ in range(r.choice([1, 1, 2, 3])):
        out = ""
        for _ in range(r.randrange(1, 5)):
            kind = r.random()
            if kind < 0.15:
                out += r.choice(asserts)
            elif kind < 0.35 and depth < 2:
                out += r.choice(["(?:", "(", "(?>"]) + random_pattern(r, depth + 1) + ")" + r.choice(quantifiers)
            else:
                out += r.choice(atoms) + r.choice(quantifiers)
        branches.append(out)
    return "|".join(branches)


def patterns(tool, count, temporary, seed=1):
    """Random patterns on random texts: what is not refused must split them alike."""
    r = random.Random(seed)
    wrong = refused = hard = 0
    path = os.path.join(temporary, "pattern.json")
    for _ in range(count):
        pattern = random_pattern(r)
        texts = ["".join(r.choice("aaabbc sSkKßſ1é.\n A東") for _ in range(r.randrange(1, 30))) for _ in range(60)]
        description = {**WORDS, "pre_tokenizer": split(pattern, r.choice(BEHAVIORS), r.random() < 0.3)}
        with open(path, "w") as file:
            json.dump(description, file)
        try:
            tokenizer = tokenizers.Tokenizer.from_file(path)
        except Exception:
            refused += 1
            continue
        data = b"".join(struct.pack("=I", len(b)) + b for b in (t.encode("utf-8") for t in texts))
        run = subprocess.run([tool, path], input=data, capture_output=True)
        if run.returncode and b"too many steps" in run.stderr:
            hard += 1
            continue
        if run.returncode:
            refused += 1
            continue
        try:
            expected = list(theirs(tokenizer, texts))
        except KeyboardInterrupt:
            raise
        except BaseException:  # the package's own limit of steps back is a panic of Rust
            hard += 1
            continue
        for text, a, b in zip(texts, ours(tool, path, texts), expected):
            if a.shape != b.shape or not (a == b).all():
                wrong += 1
                print(f"  pattern {pattern!r} {description['pre_tokenizer']} on {text!r}\n    ours   {a[:, 1:3].tolist()}"
                      f"\n    theirs {b[:, 1:3].tolist()}")
                break
    print(f"patterns: {count}, of which refused {refused}, too hard {hard}; {wrong} differ", flush=True)
    return wrong


def golden(tool, folder, temporary):
    """Published ids, each with its source."""
    with open(os.path.join(folder, "tokenizers/golden/golden.json")) as file:
        cases = json.load(file)["cases"]
    wrong = done = 0
    for case in cases:
        name = case["tokenizer"]
        model = os.path.join(folder, "tokenizers", JSON_CASES.get(name, f"{name}/"))
        if name not in JSON_CASES and name != "gpt2":
            continue
        (got,) = ours(tool, model, [case["text"]])
        done += 1
        if got[:, 0].tolist() != case["ids"]:
            wrong += 1
            print(f"  golden {name}: {case['text']!r}\n    ours {got[:, 0].tolist()}\n    published {case['ids']}")
    print(f"golden: {done} cases, {wrong} differ")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tool", default="build/tests/tool_tokenize")
    parser.add_argument("--data", default=os.environ.get("NERFIT_TEST_DATA", "../shared/data"))
    parser.add_argument("--garbage", type=int, default=20000)
    parser.add_argument("--no-lines", action="store_true", help="garbage alone")
    parser.add_argument("--patterns", type=int, default=2000, help="random patterns")
    parser.add_argument("--all-lines", action="store_true", help="the made-up tokenizers on real lines, too")
    parser.add_argument("--every", type=int, default=1, help="take every n-th line only")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    print(f"tokenizers {tokenizers.__version__}")
    noise = list(garbage(args.garbage))
    texts = ([] if args.no_lines else lines_of(args.data)[:: args.every]) + noise
    chosen = lambda name: not args.names or name in args.names
    files = os.path.join(args.data, "tokenizers")
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        if chosen("golden"):
            wrong += golden(args.tool, args.data, temporary)
        if chosen("patterns"):
            wrong += patterns(args.tool, args.patterns, temporary)
        for name, path in JSON_CASES.items():
            if chosen(name):
                path = os.path.join(files, path)
                wrong += compare(name, args.tool, path, tokenizers.Tokenizer.from_file(path), texts)
        for name, (base, parts, change) in VARIANTS.items():
            if not chosen(name):
                continue
            if isinstance(base, dict):
                description = dict(base)
            else:
                with open(os.path.join(files, base)) as file:
                    description = json.load(file)
            parts = dict(parts)
            if "normalizer" in parts and any(n == "Precompiled" for n in (parts["normalizer"] or {}).get("normalizers", [])):
                parts["normalizer"] = with_map(parts["normalizer"], description["normalizer"])
            description.update(parts)
            if change:
                change(description)
            path = os.path.join(temporary, f"{name}.json")
            with open(path, "w") as file:
                json.dump(description, file)
            wrong += compare(name, args.tool, path, tokenizers.Tokenizer.from_file(path),
                             texts if args.all_lines else noise)
        for name, (sources, config, model_type) in FOLDER_CASES.items():
            if not chosen(name):
                continue
            from transformers import AutoTokenizer

            folder = os.path.join(temporary, name)
            os.makedirs(folder)
            for source in sources:
                source, _, renamed = source.partition(":")
                shutil.copy(os.path.join(files, source), os.path.join(folder, renamed or os.path.basename(source)))
            if config is not None:
                with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
                    json.dump(config, file)
            if model_type:
                with open(os.path.join(folder, "config.json"), "w") as file:
                    json.dump({"model_type": model_type}, file)
            backend = AutoTokenizer.from_pretrained(folder)._tokenizer
            wrong += compare(name, args.tool, folder, backend, texts if not config else noise)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
