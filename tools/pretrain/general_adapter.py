#!/usr/bin/env python3
"""Makes adapters/NAME/: `nerfit pretrain` on the label sets of corpora/open-types and on the data's
corpora whose licences let their weights be passed on, then the values as bf16. One thread, so that the
digits do not depend on how many there are; ten minutes on an idle core.

    tools/pretrain/general_adapter.py all-MiniLM-L6-v2-general
    tools/pretrain/general_adapter.py multilingual-e5-small-general

Afterwards the checksum that it prints belongs into src/model/builtin.c's table.
"""
import argparse
import json
import os
import struct
import subprocess
import tempfile

OPEN_TYPES = "corpora/open-types"
LANGUAGES = set("es de fr pt it nl pl ru zh ja ko ar hi tr sv cs".split())  # prefixes; none: English
CORPORA = [  # name, texts, descriptions; mit-movie has no explicit licence and is left out
    ("slurp", "ner/slurp/train.txt", "fewshot/slurp/descriptions.json"),
    ("snips", "ner/snips/data/snips/train", "fewshot/snips/descriptions.json"),
    ("wnut17", "ner/wnut17/train.conll", "fewshot/wnut17/descriptions.json"),
    ("ncbi", "ner/bio-NCBI-disease-IOB/train.tsv", "fewshot/ncbi/descriptions.json"),
    ("massive", "ner/nerfit-artifacts/sample_data.txt", "ner/nerfit-artifacts/ent2desc.json"),
]
BLOCK, STRIDE = 4096, 8 << 20  # as in builtin.c
HASH_START, HASH_PRIME = 0xCBF29CE484222325, 0x100000001B3
ALIKE = {"massive": "slurp"}  # its labels are slurp's
ADAPTERS = {  # rank: what fits into 8 MB
    "all-MiniLM-L6-v2-general": {
        "base": "sentence-transformers/all-MiniLM-L6-v2", "encoder": ".cache/all-MiniLM-L6-v2",
        "languages": False, "rank": 64, "steps": 2000},
    "multilingual-e5-small-general": {
        "base": "intfloat/multilingual-e5-small", "encoder": ".cache/multilingual-e5-small",
        "languages": True, "rank": 40, "steps": 800},
}


def write_manifest(path, languages, data, without):
    """Every label set with its descriptions; `data` may be None: the corpus alone. `without`: a corpus
    that the adapter is to be measured on."""
    names = sorted(n[:-4] for n in os.listdir(OPEN_TYPES) if n.endswith(".txt"))
    pairs = [(f"{OPEN_TYPES}/{n}.txt", f"{OPEN_TYPES}/{n}.yaml") for n in names
             if languages or n.split("-")[0] not in LANGUAGES]
    if data:
        pairs += [(os.path.join(data, texts), os.path.join(data, labels)) for name, texts, labels in CORPORA
                  if without not in (name, ALIKE.get(name))]
    with open(path, "w") as file:
        for texts, labels in pairs:
            file.write(f"- [{json.dumps(os.path.abspath(texts))}, {json.dumps(os.path.abspath(labels))}]\n")


def halves(data):
    """The little-endian f32 values of `data` as bf16, to the nearest, ties to even."""
    out = bytearray()
    for (bits,) in struct.iter_unpack("<I", data):
        out += struct.pack("<H", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF)
    return bytes(out)


def convert(source, target):
    """A safetensors file of f32 tensors as one of bf16 tensors."""
    with open(source, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    metadata.pop("sentence_encoder", None)  # the encoder itself
    entries, parts, at = {"__metadata__": metadata}, [], 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", name
        part = halves(data[begin:end])
        entries[name] = {"dtype": "BF16", "shape": entry["shape"],
                         "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def hash_words(data):
    """nf_hash_words."""
    value, mask = HASH_START ^ len(data), (1 << 64) - 1
    for (word,) in struct.iter_unpack("<Q", data + b"\0" * (-len(data) % 8)):
        value = (value ^ word) * HASH_PRIME & mask
        value ^= value >> 29
    return value


def checksum(path):
    """Bytes of all tensors, and nf_builtin_checksum: of blocks of each, in the order of the file."""
    value, total = HASH_START, 0
    with open(path, "rb") as file:
        (header_size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_size))
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = entry["data_offsets"]
            size = end - begin
            places = list(range(0, size, STRIDE)) + [size - BLOCK] * (size > BLOCK)
            parts = [name.encode(), struct.pack("<Q", size)]
            for place in places:
                file.seek(8 + header_size + begin + place)
                parts.append(file.read(min(BLOCK, size - place)))
            for part in parts:
                value = (value ^ hash_words(part)) * HASH_PRIME & (1 << 64) - 1
            total += size
    return total, value


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=ADAPTERS)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--corpus-alone", action="store_true",
                        help="corpora/open-types and nothing else: an adapter that no evaluation set knows")
    parser.add_argument("--without", metavar="NAME", help="leave out this corpus and those like it")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--encoder")
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--output")
    parser.add_argument("--work", help="a folder for the run, which stays; default: a temporary one")
    args = parser.parse_args()
    how = ADAPTERS[args.name]
    encoder, output = args.encoder or how["encoder"], args.output or f"adapters/{args.name}"
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or temporary
        manifest = os.path.join(temporary, "manifest.yaml")
        write_manifest(manifest, how["languages"], None if args.corpus_alone else args.data,
                       args.without)
        subprocess.run([args.nerfit, "pretrain", "--model_name", encoder, "--peft_lora", "true",
                        "--lora_r", str(how["rank"]), "--lora_alpha", str(how["rank"]),
                        "--max_steps", str(args.steps or how["steps"]), "--pretrain_annotations", manifest,
                        "--pretrained", "none", "--seed", "1", "--threads", "1",
                        "--output_dir", work, "--overwrite_output_dir", "true"], check=True)
        best = os.path.join(work, "best")
        os.makedirs(output, exist_ok=True)
        for name in ("adapter_model.safetensors", "description_head.safetensors"):
            convert(os.path.join(best, name), os.path.join(output, name))
        with open(os.path.join(best, "adapter_config.json")) as file:
            config = json.load(file)
        config["base_model_name_or_path"] = how["base"]
        with open(os.path.join(output, "adapter_config.json"), "w") as file:
            json.dump(config, file, indent=2)
            file.write("\n")
    size, value = checksum(os.path.join(encoder, "model.safetensors"))
    print(f"the encoder's tensors: {size} bytes, checksum 0x{value:016x}")


if __name__ == "__main__":
    main()
