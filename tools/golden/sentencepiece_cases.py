#!/usr/bin/env python3
"""Writes tests/golden/sentencepiece: small SentencePiece models (trained here) and tokenizers made
of such parts, and what Hugging Face `tokenizers` (and for folders without tokenizer.json,
transformers) make of hard texts with them.

    python3 tools/golden/sentencepiece_cases.py
"""
import json
import os
import shutil
import tempfile

import sentencepiece
import tokenizers
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from tokenizer_cases import ADDED, CORPUS, TEXTS

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/sentencepiece")
MORE = [
    "\u2122 \u2122\u0301 \u2122\x1eg \x1e\u2122", "\ufb01\u0301ne ﬁne", "e\u0301 e\u0301\u0323 e\u0323\u0301", "\r\n a\r\n\r\nb\n\r",
    "\u00ad\u00adsoft\u00ad \u00ad", "a\u0301\u0301", "Ａ\u200dＡ Ａ\u0301Ａ", "\u00a9\u200d\u2122\u0301", "\u0915\u094d\u0915\u0301 \u0915\u0301\u094d\u0915",
    "\u0600a\u0301 \u0600e\u0301", "\u1100\u1100\u0301 \u1161e\u0301", "a``b''c '' ``", "\u2581a \u2581\u2581b\u2581", " \u2581 ", "tab\t\ttab \t x\n",
    "aaaaaaaaaaaaaaaaa abababab", "1,2,3, 4,", "<extra_id_0> <extra_id_99> <m> <mask>  x", "zzzz  qqqq ééé", "unk<unk>unk <unk>", "\x00a\x00",
]


def rules(folder):
    """A character map with replacements that grow, shrink, vanish, and reach over two characters."""
    rows = {"FF21": "41", "2122": "54 4D", "FB01": "66 69", "AD": "", "1E": "", "65 301": "E9", "9": "20", "A": "20",
            "D": "20", "200B": "", "3000": "20", "2F800": "4E3D", "600": "2E"}
    path = os.path.join(folder, "rules.tsv")
    with open(path, "w") as file:
        file.writelines(f"{a}\t{b}\n" for a, b in rows.items())
    return path


def train(folder, name, **options):
    corpus = os.path.join(folder, "corpus.txt")
    with open(corpus, "w") as file:
        file.write("\n".join(CORPUS * 3))
    prefix = os.path.join(folder, name)
    sentencepiece.SentencePieceTrainer.train(input=corpus, model_prefix=prefix, minloglevel=2, num_threads=1,
                                             hard_vocab_limit=False, **options)
    with open(f"{prefix}.model", "rb") as file:
        proto = sentencepiece_model_pb2.ModelProto.FromString(file.read())
    proto.trainer_spec.ClearField("input")  # a path of the machine
    proto.trainer_spec.ClearField("model_prefix")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString(deterministic=True)


def models(folder):
    own = {"normalization_rule_tsv": rules(folder)}
    return {
        "unigram": train(folder, "unigram", vocab_size=180, pad_id=3, **own),
        "bytes": train(folder, "bytes", vocab_size=420, pad_id=3, byte_fallback=True, normalization_rule_name="identity"),
        "t5": train(folder, "t5", vocab_size=170, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, **own),
        "albert": train(folder, "albert", vocab_size=190, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
                        control_symbols=["[CLS]", "[SEP]"], user_defined_symbols=["[MASK]", "(", '"', "-"], **own),
        "deberta": train(folder, "deberta", vocab_size=200, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
                         bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", **own),
        "bpe": train(folder, "bpe", vocab_size=420, model_type="bpe", byte_fallback=True, pad_id=3,
                     normalization_rule_name="identity", remove_extra_whitespaces=False),
        "bpe-plain": train(folder, "bpe-plain", vocab_size=160, model_type="bpe", **own),
    }


def folders():
    """name: (model, file, tokenizer_config.json, model type)"""
    return {
        "xlm-roberta": ("unigram", "sentencepiece.bpe.model", None, "xlm-roberta"),
        "xlm-roberta-options": ("bytes", "sentencepiece.bpe.model", {
            "tokenizer_class": "XLMRobertaTokenizerFast", "add_prefix_space": False, "mask_token": {
                "__type": "AddedToken", "content": "<m>", "lstrip": True, "rstrip": False, "normalized": True,
                "single_word": False}}, None),
        "camembert": ("unigram", "sentencepiece.bpe.model", None, "camembert"),
        "deberta": ("deberta", "spm.model", None, "deberta-v2"),
        "deberta-options": ("deberta", "spm.model", {
            "tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": True, "split_by_punct": True,
            "add_prefix_space": False}, None),
        "albert": ("albert", "spiece.model", None, "albert"),
        "albert-accents": ("albert", "spiece.model", {"keep_accents": True, "do_lower_case": False}, "albert"),
        "t5": ("t5", "spiece.model", None, "t5"),
        "t5-options": ("t5", "spiece.model", {"extra_ids": 2, "additional_special_tokens": ["zz", "<extra_id_1>"]}, "mt5"),
        "llama": ("bpe", "tokenizer.model", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}, None),
        "any-bpe": ("bpe", "tokenizer.model", {"tokenizer_class": "PreTrainedTokenizerFast", "add_eos_token": True}, None),
        "any-bpe-plain": ("bpe-plain", "tokenizer.model", {"tokenizer_class": "TokenizersBackend", "legacy": False}, None),
        "any-unigram": ("albert", "tokenizer.model", {"tokenizer_class": "TokenizersBackend"}, None),
        "any-bytes": ("bytes", "tokenizer.model", None, "umt5"),
    }


def description(tokenizer, **parts):
    return {**json.loads(tokenizer.to_str()), **parts}


def metaspace(**options):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True, **options}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def chain(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


def files(xlm_roberta, with_bytes):
    """name: description as tokenizer.json has it"""
    base = description(xlm_roberta)
    (character_map,) = base["normalizer"]["normalizers"] if "normalizers" in base["normalizer"] else [base["normalizer"]]
    old = {**base, "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "str_rep": "\u2581", "add_prefix_space": True}}
    old["model"] = {key: value for key, value in base["model"].items() if key in ("vocab", "unk_id")}
    added = description(xlm_roberta)
    ends = {"type": "Strip", "strip_left": True, "strip_right": True}
    tokenizer = Tokenizer.from_str(json.dumps(base))
    tokenizer.add_tokens(ADDED)
    added = description(tokenizer, pre_tokenizer=metaspace(prepend_scheme="first"), normalizer=chain(character_map, ends))
    fallback = description(with_bytes, pre_tokenizer=metaspace(split=False), normalizer=None)
    fallback["model"]["byte_fallback"] = True
    # Equal sums, a token that comes twice, the unknown token in the middle, an unknown part that is a
    # token once its neighbours are unknown too.
    scores = [["a", 1.0], ["aa", 2.0], ["b", -1.5], ["ab", -0.5], ["<unk>", 0.0], ["ba", -0.5], ["aab", 0.5], ["a", 1.0],
              ["", 3.0], ["the", -2.0122928619384766], ["zz", -100.0], ["é", -3.46354], ["abab", -1.0], ["cd", 12.5],
              ["e", 90.0], ["o", 90.0], ["t", 120.0]]
    plain = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None}
    positive = [["<unk>", 0.0]] + [[t, 50.0 + i] for i, (t, _) in enumerate(scores) if t not in ("<unk>", "", "a")]
    return {
        "map.json": base,
        "old.json": old,
        "first.json": added,
        "never.json": {**base, "pre_tokenizer": metaspace(prepend_scheme="never", replacement="_")},
        "bytes.json": fallback,
        "prepend.json": {**base, "pre_tokenizer": None, "normalizer": chain(
            {"type": "Prepend", "prepend": "\u2581"}, replace(" ", "\u2581"), {"type": "Prepend", "prepend": ""})},
        "edits.json": {**base, "normalizer": chain(
            replace("``", '"'), replace("''", '"'), {"type": "NFKD"}, {"type": "StripAccents"}, character_map,
            {"type": "Strip", "strip_left": False, "strip_right": True}, replace(" {2,}", " ", "Regex"),
            replace("a", ""), replace("[0-9]+|z*", "<>", "Regex"))},
        "spaces.json": {**base, "normalizer": chain(replace("\\s{2,}|[\\n\\r\\t]", " ", "Regex"), {"type": "NFC"}, character_map)},
        "ties.json": {**plain, "model": {"type": "Unigram", "unk_id": 4, "vocab": scores, "byte_fallback": False}},
        "positive.json": {**plain, "model": {"type": "Unigram", "unk_id": 0, "vocab": positive}},
        "letters.json": {**plain, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", -1.0]]}, "pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
    }


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    os.makedirs(HERE)
    cases = []

    def add(model, tokenizer, texts):
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for special in (True, False):
            rows = []
            for text in texts[:: 1 if special else 7]:
                e = tokenizer.encode(text, add_special_tokens=special)
                rows.append([text, e.ids, [x for pair in e.offsets for x in pair],
                             [-1 if w is None else w for w in e.word_ids]])
            size = max([*tokenizer.get_vocab().values(), tokenizer.get_vocab_size() - 1]) + 1
            cases.append({"model": model, "special": special, "size": size, "texts": rows})

    texts = [t for t in TEXTS if len(t) < 100][::2] + [t for t in MORE if "\x00" not in t]
    backends = {}
    with tempfile.TemporaryDirectory() as temporary:
        trained = models(temporary)
    for name, (model, file, config, model_type) in folders().items():
        folder = os.path.join(HERE, name)
        os.makedirs(folder)
        with open(os.path.join(folder, file), "wb") as out:
            out.write(trained[model])
        for path, content in (("tokenizer_config.json", config), ("config.json", model_type and {"model_type": model_type})):
            if content:
                with open(os.path.join(folder, path), "w") as out:
                    json.dump(content, out)
                    out.write("\n")
        backends[name] = AutoTokenizer.from_pretrained(folder)._tokenizer
        add(name, backends[name], texts)
    for name, content in files(backends["xlm-roberta"], backends["any-bytes"]).items():
        path = os.path.join(HERE, name)
        with open(path, "w") as out:
            json.dump(content, out, ensure_ascii=False, separators=(",", ":"))
            out.write("\n")
        add(name, Tokenizer.from_file(path), texts)
    with open(os.path.join(HERE, "cases.json"), "w") as out:
        out.write(json.dumps({"tokenizers": tokenizers.__version__, "transformers": transformers.__version__,
                              "sentencepiece": sentencepiece.__version__})[:-1])
        out.write(', "cases": [\n')
        for i, case in enumerate(cases):
            rows = case.pop("texts")
            out.write(json.dumps(case)[:-1] + ', "texts": [\n')
            out.write(",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
            out.write("\n]}" + ("," if i + 1 < len(cases) else "") + "\n")
        out.write("]}\n")


if __name__ == "__main__":
    main()
