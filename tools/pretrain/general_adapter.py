#!/usr/bin/env python3
"""Makes adapters/all-MiniLM-L6-v2-general/: `nerfit pretrain` on the data's corpora whose licences let
their weights be passed on, then the values as bf16. It takes some minutes on two cores.

    tools/pretrain/general_adapter.py [--data ../shared/data] [--encoder .cache/all-MiniLM-L6-v2]

Afterwards the checksum that it prints belongs into src/model/builtin.c's table.
"""
import argparse
import json
import os
import struct
import subprocess
import tempfile

NAME = "all-MiniLM-L6-v2-general"
BASE = "sentence-transformers/all-MiniLM-L6-v2"
CORPORA = [  # texts, descriptions; mit-movie has no explicit licence and is left out
    ("ner/slurp/train.txt", "fewshot/slurp/descriptions.json"),
    ("ner/snips/data/snips/train", "fewshot/snips/descriptions.json"),
    ("ner/wnut17/train.conll", "fewshot/wnut17/descriptions.json"),
    ("ner/bio-NCBI-disease-IOB/train.tsv", "fewshot/ncbi/descriptions.json"),
    ("ner/nerfit-artifacts/sample_data.txt", "ner/nerfit-artifacts/ent2desc.json"),
]


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


def checksum(path):
    """As nf_builtin_checksum computes it."""
    with open(path, "rb") as file:
        data = file.read()
    value, mask = 0xCBF29CE484222325 ^ len(data), (1 << 64) - 1
    for (word,) in struct.iter_unpack("<Q", data + b"\0" * (-len(data) % 8)):
        value = (value ^ word) * 0x100000001B3 & mask
        value ^= value >> 29
    return len(data), value


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--encoder", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--output", default=f"adapters/{NAME}")
    parser.add_argument("--threads", default="2")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        join = lambda column: ",".join(os.path.join(args.data, row[column]) for row in CORPORA)
        subprocess.run([args.nerfit, "pretrain", "--model_name", args.encoder, "--peft_lora", "true",
                        "--pretrain_annotations", join(0), "--pretrain_ent2emb", join(1),
                        "--pretrained", "none", "--seed", "1", "--threads", args.threads,
                        "--output_dir", work, "--overwrite_output_dir", "true"], check=True)
        best = os.path.join(work, "best")
        os.makedirs(args.output, exist_ok=True)
        for name in ("adapter_model.safetensors", "description_head.safetensors"):
            convert(os.path.join(best, name), os.path.join(args.output, name))
        with open(os.path.join(best, "adapter_config.json")) as file:
            config = json.load(file)
        config["base_model_name_or_path"] = BASE
        with open(os.path.join(args.output, "adapter_config.json"), "w") as file:
            json.dump(config, file, indent=2)
            file.write("\n")
    size, value = checksum(os.path.join(args.encoder, "model.safetensors"))
    print(f"the encoder's weights: {size} bytes, checksum 0x{value:016x}")


if __name__ == "__main__":
    main()
