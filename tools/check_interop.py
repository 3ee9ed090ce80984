#!/usr/bin/env python3
"""Loads a folder that nerfit wrote in transformers, or in PEFT where it is an adapter's, and holds
the logits (and token ids, where the folder has a tokenizer) against nerfit's own.

    build/tests/tool_logits MODEL_DIR < TEXTS.txt > LOGITS.jsonl
    python3 tools/check_interop.py MODEL_DIR TEXTS.txt LOGITS.jsonl [--base FOLDER]
    python3 tools/check_interop.py --golden build/tests/tool_logits

MODEL_DIR   a token classifier (best/ of a run) or an adapter (adapter/ of a run; its base model is
            what adapter_config.json names, from the folder itself or from here, or --base)
TEXTS.txt   a text a line; or token ids, with --ids, for folders without a tokenizer
LOGITS.jsonl   for each line {"ids": [...], "logits": [[...], ...]}, a row of logits for each id

--golden does it for the models and adapters of tests/golden: what transformers and PEFT wrote is
read by nerfit, written again, and read by them again. Exit code 1 if anything differs.
Needs torch, transformers and peft.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

GOLDEN = Path(__file__).resolve().parent.parent / "tests/golden"
FOLDERS = ["bert/token-classification", "roberta/token-classification", "bert/sharded", "bert/bf16",
           "bert/f16", "bert/adapter-lora", "bert/adapter-rslora", "bert/adapter-dora",
           "bert/adapter-dora-dense", "xlm-roberta/token-classification",
           "camembert/token-classification", "distilbert/token-classification",
           "electra/token-classification", "electra-equal/token-classification",
           "albert/token-classification", "distilbert/adapter-lora", "electra/adapter-dora",
           "albert/adapter-dora", "mpnet/token-classification", "deberta-v3/token-classification",
           "deberta-v2/token-classification", "modernbert/token-classification",
           "modernbert-bias/token-classification", "mpnet/adapter-lora", "deberta-v3/adapter-dora",
           "modernbert/adapter-dora", "bert/adapter-bin", "eurobert/token-classification",
           "eurobert-bias/token-classification", "eurobert/adapter-dora"] + [
    f"bert/adapter-{kind}"  # a configuration's other keys; resized needs a resized base model
    for kind in ("pissa", "pissa-rslora", "olora", "olora-dora", "orthogonal", "mica", "patterns",
                 "patterns-rslora", "layers", "layer", "exclude", "regex", "bias-all", "bias-lora",
                 "embeddings", "classifier", "all-linear", "saved")]


def complain_about_keys(what, missing, unexpected):
    """transformers and PEFT pass over what does not fit; here it is an error."""
    if missing or unexpected:
        raise SystemExit(f"{what}: tensors missing {sorted(missing)}, unexpected {sorted(unexpected)}")


def load_whole(folder):
    model, report = AutoModelForTokenClassification.from_pretrained(folder,
                                                                    output_loading_info=True)
    complain_about_keys(folder, report["missing_keys"], report["unexpected_keys"])
    return model


def base_folder(folder, given):
    named = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    for place in (given, folder / named, named):
        if place and (Path(place) / "config.json").exists():
            return place
    raise SystemExit(f"{folder}: there is no base model at {named}; give it with --base")


def load_adapter(folder, base):
    own = json.loads((folder / "config.json").read_text()) if (folder / "config.json").exists() else {}
    labels = {int(i): label for i, label in own["id2label"].items()} if own else None
    options = {"id2label": labels, "label2id": {l: i for i, l in labels.items()}} if labels else {}
    encoder = AutoModelForTokenClassification.from_pretrained(base_folder(folder, base), **options)
    model = PeftModel.from_pretrained(encoder, folder)
    if not (folder / "adapter_model.safetensors").exists():
        return model  # adapter_model.bin, as PEFT itself wrote it
    stored = {name.replace(".modules_to_save", "").replace(".original_module", "")
              for name in load_file(folder / "adapter_model.safetensors")}
    known = {name: name.replace(".default", "").replace(".weight", "") if "magnitude" in name else
             name.replace(".default", "").replace(".modules_to_save", "")
             for name, _ in model.named_parameters()}
    expected = {own for name, own in known.items() if "lora_" in name or "modules_to_save" in name}
    complain_about_keys(folder, expected - stored, stored - set(known.values()))
    return model


def load(folder, base):
    is_adapter = (folder / "adapter_config.json").exists()
    return (load_adapter(folder, base) if is_adapter else load_whole(folder)).float().eval()


def read_texts(path, tokenizer, limit):
    lines = path.read_text(encoding="utf-8").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    if tokenizer is None:
        return [[int(token) for token in line.split()] for line in lines]
    return [tokenizer(line, truncation=True, max_length=limit)["input_ids"] for line in lines]


def limit_of(config):
    past_padding = config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet")
    offset = config.pad_token_id + 1 if past_padding else 0
    return config.max_position_embeddings - offset


def compare(folder, texts_path, logits_path, base, as_ids, tolerance):
    """The largest difference of a logit, or an exit with what is wrong."""
    model = load(folder, base)
    tokenizer = None if as_ids else AutoTokenizer.from_pretrained(folder)
    texts = read_texts(texts_path, tokenizer, limit_of(model.config))
    ours = [json.loads(line) for line in logits_path.read_text().splitlines()]
    if len(texts) != len(ours):
        raise SystemExit(f"{logits_path}: has {len(ours)} lines, {texts_path} has {len(texts)}")
    worst = 0.0
    for number, (ids, row) in enumerate(zip(texts, ours), 1):
        if ids != row["ids"]:
            raise SystemExit(f"{logits_path}:{number}: ids are {row['ids']}, here {ids}")
        if not ids:
            continue
        with torch.no_grad():
            theirs = model(input_ids=torch.tensor([ids])).logits[0]
        logits = torch.tensor(row["logits"])
        if logits.shape != theirs.shape:
            raise SystemExit(f"{logits_path}:{number}: shape {tuple(logits.shape)}, here "
                             f"{tuple(theirs.shape)}")
        difference = float((logits - theirs).abs().max())
        worst = max(worst, difference)
        if not difference <= tolerance:
            raise SystemExit(f"{logits_path}:{number}: a logit differs by {difference:g}, more than "
                             f"{tolerance:g}")
    print(f"{folder}: {len(texts)} texts, largest difference {worst:.2g}")


def golden(tool, tolerance):
    for name in FOLDERS:
        architecture = name.split("/")[0]
        hidden = load_file(GOLDEN / architecture / "hidden.safetensors")
        texts = torch.split(hidden["ids"], hidden["cu_seqlens"].diff().tolist())
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            lines = place / "ids.txt"
            lines.write_text("".join(" ".join(map(str, t.tolist())) + "\n" for t in texts))
            with open(lines) as given, open(place / "logits.jsonl", "w") as out:
                subprocess.run([tool, GOLDEN / name, "ids", "save", place / "written"], stdin=given,
                               stdout=out, check=True)
            base = GOLDEN / architecture / "token-classification" if "adapter" in name else None
            for folder in (GOLDEN / name, place / "written"):
                compare(folder, lines, place / "logits.jsonl", base, True, tolerance)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="MODEL_DIR TEXTS.txt LOGITS.jsonl")
    parser.add_argument("--base", help="the adapter's base model")
    parser.add_argument("--ids", action="store_true", help="the lines are token ids")
    parser.add_argument("--golden", metavar="TOOL", help="check tests/golden with tool_logits")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    if args.golden:
        golden(args.golden, args.tolerance)
    elif len(args.files) == 3:
        compare(*args.files, args.base, args.ids, args.tolerance)
    else:
        parser.error("expected MODEL_DIR TEXTS.txt LOGITS.jsonl, or --golden TOOL")


if __name__ == "__main__":
    main()
