#!/usr/bin/env python3
"""Writes tests/golden/tokenizers: small tokenizers, and what Hugging Face `tokenizers` (and for
folders without tokenizer.json, transformers) make of hard texts with them.

    python3 tools/golden/tokenizer_cases.py
"""
import json
import os
import shutil

import tokenizers
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

HERE = os.path.join(os.path.dirname(__file__), "../../tests/golden/tokenizers")

CORPUS = """Set an alarm for two hours from now, please. Remind me to call Zoë at the café in São Paulo.
the cat sat on the mat and the dog sat on the log; the weather in München is colder than in Málaga.
don't you think we'll see what they've done? I'm sure he'd say it's fine. 12 345 6789 1,000.50
東京 で 会い ましょう。 Привет, мир! Καλημέρα κόσμε. naïve résumé über straße
play the song hello world by the band hello again in the living room at ten o'clock tomorrow""".split("\n")

TEXTS = [
    "", " ", "   ", "a", "Hello world", "  Hello   world  ", "hello\tworld\n", "the cat sat on the mat",
    "Set an alarm for two hours from now, please.", "don't we'll they've I'm he'd it's O'CLOCK 's 'S '",
    "unfathomable xyzzyplugh", "Zoë café São Paulo München", "Zoe\u0308 cafe\u0301 Sa\u0303o",
    "İstanbul İ I ı ΣΑΣ ẞ", "e\u0301\u0323\u0302 \u0301alone", "a\u0323\u0307b", "\u0344", "ﬁ ﷺ ½ ① Å Ω K",
    "東京で会いましょう。", "日本語English混在", "한국어 각 \u1100\u1161\u11a8", "Привет, мир!",
    "👩‍👩‍👧‍👦 family 🇪🇸 flag 👍🏽", "zero\u200bwidth\u200djoin\ufeffbom", "a\u00a0b\u3000c\u2028d\u0085e",
    "control\u0001\u0002\u007f\u009fchars", "\ufffd replacement", "soft\u00adhyphen",
    "[CLS] in text [SEP] and [MASK]", "a [MASK] b", "[MASK][MASK]", "x[mask]y", "<mask> <s>text</s> <mask>",
    "  <mask>  ", "<mask>", "newtoken Newtoken newtokens", "new token", "the_end the-end (the) [the]",
    "a<l>b   <l>  c", "a<r>b<r>   c   <r>", "ÜNIT ünit u\u0308nit", "1234567 12,345.67 ٣٤٥ ½", "x" * 120,
    "ab" * 60, "\u0301" * 5, "देवनागरी हिन्दी", "ภาษาไทย", "العربية", "עברית", "\U0002f800 \U0002070e",
    "\u01c4 \u1e9b\u0323", "tab\there", "line\r\nbreak", "trailing space ", "a  b   c    d", "\u0378\ue000\U0010ffff",
    "##ing ##", "Ġ Ġa ĠĠ", "e\u0301" * 30, "\u0dd9\u0dca\u0dcf \u0f71\u0f72\u0f74 \u302a\u3099", "A\u030a\u0301",
]


def bert_vocabulary():
    words = ("[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on mat hello world cafe café zoe sao set an alarm for two "
             "hours from now please don t we ll they ve i m he d it s un ##fat ##hom ##able ##s new ##token play "
             "Hello Set München münchen munchen istanbul 東 京 日 本 語 で english и привет мир ##ет naive family "
             "control chars in text and flag zero join fi 12 ##34 ##5 ##67 mask the_end ünit unit").split()
    alphabet = "abcdefghijklmnopqrstuvwxyzABCZ0123456789.,;!?'-()[]<>#_/üéßσ한국어각部\u1100\u1161\u11a8ักрन"
    for c in alphabet:
        words += [c, "##" + c]
    return {w: i for i, w in enumerate(dict.fromkeys(words))}


def token(content, **options):
    return tokenizers.AddedToken(content, **options)


ADDED = [token("newtoken", single_word=True), token("<l>", lstrip=True), token("<r>", rstrip=True),
         token("Ünit", normalized=True), token("the_end", normalized=False)]


def bert(lowercase=True, strip_accents=None, clean_text=True, chinese=True):
    t = Tokenizer(models.WordPiece(bert_vocabulary(), unk_token="[UNK]", max_input_chars_per_word=50))
    t.normalizer = normalizers.BertNormalizer(clean_text, chinese, strip_accents, lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.WordPiece()
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return t


def byte_bpe(prefix=False, special=("<s>", "<pad>", "</s>", "<unk>")):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=list(special) + ["<mask>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(CORPUS * 2, trainer)
    t.decoder = decoders.ByteLevel()
    return t


def roberta(prefix=False, trim=True):
    t = byte_bpe(prefix)
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim, prefix)
    t.add_special_tokens([token("<mask>", lstrip=True, special=True)])
    return t


def description(t, **changes):
    d = json.loads(t.to_str())
    d.update(changes)
    return d


def tokenizer_files():
    """name: description as tokenizer.json has it"""
    files = {
        "bert": description(bert()),
        "bert-cased": description(bert(lowercase=False)),
        "bert-accents": description(bert(strip_accents=False)),
        "bert-strip": description(bert(lowercase=False, strip_accents=True)),
        "bert-unclean": description(bert(clean_text=False, chinese=False)),
        "roberta": description(roberta()),
        "roberta-prefix": description(roberta(prefix=True)),
        "roberta-untrimmed": description(roberta(trim=False)),
    }
    t = bert()
    t.add_tokens(ADDED)
    files["bert-added"] = description(t)
    old = description(bert(), post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
    del old["model"]["type"]
    files["bert-old"] = old
    t = roberta()
    t.add_tokens(ADDED)
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    files["roberta-added"] = description(t)
    old = description(roberta())
    old["model"]["merges"] = [" ".join(m) for m in old["model"]["merges"]]
    old["pre_tokenizer"].pop("use_regex")
    for key in ("type", "fuse_unk", "byte_fallback", "ignore_merges"):
        old["model"].pop(key)
    files["roberta-old"] = old
    whole = description(roberta())
    whole["model"]["ignore_merges"] = True
    whole["model"]["vocab"]["Ġxyzzyplugh"] = 500
    whole["pre_tokenizer"]["use_regex"] = True
    whole["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "two", "type_id": 0}},
                                                  {"Sequence": {"id": "A", "type_id": 0}}],
         "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
         "special_tokens": {"two": {"id": "two", "ids": [0, 2], "tokens": ["<s>", "</s>"]}}}]}
    files["bpe-ignore-merges"] = whole
    for name in ("NFC", "NFD", "NFKC", "NFKD"):
        files[f"bpe-{name.lower()}"] = description(roberta(), normalizer={"type": name}, post_processor=None)
    files["bert-chain"] = description(bert(), normalizer={"type": "Sequence", "normalizers": [
        {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}]})
    # A character-level BPE: unknown characters, fused or not, suffix and prefix, byte fallback.
    characters = {c: i for i, c in enumerate(dict.fromkeys("<unk> a b c d e h l o t w r</w> e</w> t</w> he the th lo".split()))}
    merges = [["t", "h"], ["h", "e"], ["th", "e"], ["l", "o"]]
    for token_ in ("the", "he", "th", "lo"):
        characters.setdefault(token_, len(characters))
    plain = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
             "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                       "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                       "vocab": characters, "merges": merges}}
    for name, options in {"bpe-unknown": {}, "bpe-fused": {"fuse_unk": True}, "bpe-silent": {"unk_token": None},
                          "bpe-suffix": {"end_of_word_suffix": "</w>"}}.items():
        files[name] = {**plain, "model": {**plain["model"], **options}}
    bytes_ = {**characters, **{f"<0x{b:02X}>": 100 + b for b in range(256)}}
    files["bpe-bytes"] = {**plain, "model": {**plain["model"], "byte_fallback": True, "vocab": bytes_}}
    return files


def write(path, value):
    with open(os.path.join(HERE, path), "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=None, separators=(",", ":"))
        file.write("\n")


def folders():
    """name: (files, tokenizer_config.json, other files)"""
    words = "\n".join(bert_vocabulary()) + "\n"
    bpe = json.loads(byte_bpe().to_str())["model"]
    pair = {"vocab.json": json.dumps(bpe["vocab"], ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + "\n".join(" ".join(m) for m in bpe["merges"]) + "\n"}
    gpt = json.loads(byte_bpe(special=("<|endoftext|>",)).to_str())["model"]
    gpt_pair = {"vocab.json": json.dumps(gpt["vocab"], ensure_ascii=False),
                "merges.txt": "#version: 0.2\n" + "\n".join(" ".join(m) for m in gpt["merges"]) + "\n"}
    full = {"tokenizer.json": json.dumps(description(bert()), ensure_ascii=False)}
    return {
        "folder-bert": ({"vocab.txt": words}, None, {"model_type": "bert"}),
        "folder-bert-cased": (
            {"vocab.txt": words.replace("\n", "\r\n") + "the\n",
             "special_tokens_map.json": json.dumps({"sep_token": "[END]", "additional_special_tokens": ["newtoken"]})},
            {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False, "strip_accents": True}, None),
        "folder-bert-decoder": (
            {"vocab.txt": words},
            {"tokenizer_class": "BertTokenizer", "tokenize_chinese_chars": False, "added_tokens_decoder": {
                "200": {"content": "<l>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False, "special": True},
                "4": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False, "special": True}}},
            None),
        "folder-bert-json": (full, {"tokenizer_class": "BertTokenizer", "do_lower_case": False,
                                    "additional_special_tokens": ["newtoken", "<r>"]}, None),
        "folder-plain-json": (full, {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False}, None),
        "folder-roberta": (pair, None, {"model_type": "roberta"}),
        "folder-roberta-map": (
            {**pair, "special_tokens_map.json": json.dumps(
                {"mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "normalized": True, "single_word": False}})},
            {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True}, None),
        "folder-gpt2": (gpt_pair, {"tokenizer_class": "GPT2Tokenizer", "pad_token": "<pad>", "add_bos_token": True}, None),
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
            for text in texts:
                e = tokenizer.encode(text, add_special_tokens=special)
                rows.append([text, e.ids, [x for pair in e.offsets for x in pair],
                             [-1 if w is None else w for w in e.word_ids]])
            cases.append({"model": model, "special": special, "size": max(tokenizer.get_vocab().values()) + 1,
                          "texts": rows if special else rows[:40:3]})

    for name, value in tokenizer_files().items():
        write(f"{name}.json", value)
        add(f"{name}.json", Tokenizer.from_file(os.path.join(HERE, f"{name}.json")), TEXTS)
    for name, (files, config, model) in folders().items():
        folder = os.path.join(HERE, name)
        os.makedirs(folder)
        for file, content in files.items():
            with open(os.path.join(folder, file), "w", newline="") as out:
                out.write(content)
        for file, content in (("tokenizer_config.json", config), ("config.json", model)):
            if content is not None:
                write(f"{name}/{file}", content)
        add(name, AutoTokenizer.from_pretrained(folder)._tokenizer, TEXTS[::2])
    with open(os.path.join(HERE, "cases.json"), "w") as out:
        out.write(json.dumps({"tokenizers": tokenizers.__version__, "transformers": transformers.__version__})[:-1])
        out.write(', "cases": [\n')
        for i, case in enumerate(cases):
            rows = case.pop("texts")
            out.write(json.dumps(case)[:-1] + ', "texts": [\n')
            out.write(",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
            out.write("\n]}" + ("," if i + 1 < len(cases) else "") + "\n")
        out.write("]}\n")


if __name__ == "__main__":
    main()
