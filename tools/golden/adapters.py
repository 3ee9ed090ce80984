"""Adapter folders as PEFT writes them, with the logits they give and the weights they merge to.

Reads the models of models.py; writes tests/golden/{bert,...}/adapter-*/ and adapters.safetensors: see
tests/golden/README.md. Usage: adapters.py OUT_FOLDER [MODEL... | more | later]
"""
import json
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, PeftModelForTokenClassification, TaskType
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForTokenClassification

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__,
            "peft": peft.__version__}
LAYER = "encoder.layer.1.attention.self.query.weight"
OPTIONS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    # another rank and scale, other targets: the feed-forward's "dense" and the attention's output
    "dora-dense": {"use_dora": True, "r": 3, "lora_alpha": 5, "target_modules": ["key", "dense"]},
}
# One adapter a model, on modules of its own names: ALBERT's serve at every depth.
OTHERS = {
    "distilbert": ("lora", ["q_lin", "v_lin"]),
    "electra": ("dora", ["query", "value", "embeddings_project"]),
    "albert": ("dora", ["query", "value", "ffn"]),
    "mpnet": ("lora", ["attn.q", "attn.v", "intermediate.dense"]),
    # these serve for the distances too
    "deberta-v3": ("dora", ["query_proj", "key_proj", "value_proj"]),
    "modernbert": ("dora", ["Wqkv", "Wi", "mlp.Wo"]),
    "eurobert": ("dora", ["q_proj", "k_proj", "up_proj", "gate_proj"]),
}


# What else a configuration may say: around the classifier, or (BARE) around the encoder alone.
MORE = {
    "pissa": {"init_lora_weights": "pissa"},
    "pissa-rslora": {"init_lora_weights": "pissa", "use_rslora": True,
                     "target_modules": ["output.dense"]},
    "olora": {"init_lora_weights": "olora"},
    "olora-dora": {"init_lora_weights": "OLoRA", "use_dora": True, "target_modules": ["key", "dense"]},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "mica": {"init_lora_weights": "mica"},
    "patterns": {"target_modules": ["query", "value", "dense"],
                 "rank_pattern": {"layer.0.attention.self.query": 2, "^bert.*intermediate.dense": 6,
                                  "dense": 3},
                 "alpha_pattern": {r".*\.value": 3, "layer.1.*dense": 5}},
    "patterns-rslora": {"use_rslora": True, "rank_pattern": {"value": 7},
                        "alpha_pattern": {"query": 1}},
    "layers": {"layers_to_transform": [1], "layers_pattern": "layer"},
    "layer": {"target_modules": ["query", "output.dense"], "layers_to_transform": 0},
    "exclude": {"target_modules": ["query", "dense"],
                "exclude_modules": ["attention.output.dense", "bert.encoder.layer.0.output.dense"]},
    "regex": {"target_modules": r".*\.layer\.\d+\.(attention\.self\.(query|key)|output\.dense)",
              "exclude_modules": r".*layer\.0\..*key"},
    "bias-all": {"bias": "all"},
    "bias-lora": {"bias": "lora_only", "target_modules": ["query", "dense"]},
    "embeddings": {"target_modules": ["query", "word_embeddings", "position_embeddings"]},
    "classifier": {"target_modules": ["query", "classifier"], "task_type": None},
    "all-linear": {"target_modules": "all-linear", "task_type": None},
    "resized": {},
    "saved": {"modules_to_save": ["LayerNorm", "word_embeddings"]},
}
BARE = {
    "pooler": {"target_modules": ["query", "dense"]},
    "bare-all-linear": {"target_modules": "all-linear", "use_dora": True},
}


# Added later, in a file of their own, so that the others stay as they are.
LATER = {
    "lora-bias": {"lora_bias": True, "target_modules": ["query", "dense"], "use_rslora": True,
                  "rank_pattern": {"query": 2}},
    "tokens": {"trainable_token_indices": [7, 2, 90]},
    "tokens-named": {"trainable_token_indices": {"word_embeddings": [5, 6], "position_embeddings": [1]},
                     "lora_bias": True},
}


def config(kind, task, **more):
    options = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, **OPTIONS.get(kind, {}), **more}
    return LoraConfig(task_type=task, **options)


def randomize(model, seed):
    """Whatever the adapter brings gets other values than it starts with, magnitudes and head too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if "lora_A" in name or "lora_B" in name:
                parameter.copy_(0.2 * noise)
            elif "magnitude" in name:
                parameter.mul_(1 + 0.2 * noise)
            elif "lora_embedding" in name:
                parameter.copy_(0.2 * noise)
            elif "trainable_tokens" in name or "modules_to_save" in name or (parameter.requires_grad and "bias" in name):
                parameter.add_(0.2 * noise)


def reload_and_run(base_class, folder, adapter_class, adapter, texts, rows=None):
    """Outputs of what another process would load, and the query weight that merging gives."""
    base = base_class.from_pretrained(folder)
    if rows:
        base.resize_token_embeddings(rows)
    model = adapter_class.from_pretrained(base, adapter).eval()
    with torch.no_grad():
        outputs = torch.cat([model(input_ids=text[None])[0][0] for text in texts])
        merged = model.merge_and_unload()
        again = torch.cat([merged(input_ids=text[None])[0][0] for text in texts])
    assert torch.allclose(outputs, again, atol=1e-4), adapter
    weight = next((p for n, p in merged.named_parameters() if n.endswith(LAYER)), None)
    return outputs.contiguous(), None if weight is None else weight.detach().clone()


def save(model, folder, base, **options):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **options)
    (folder / "README.md").unlink(missing_ok=True)
    # the base model's place is told relative to the adapter's folder, as nerfit reads it; sets are
    # written in no order, so sort them for the sake of equal files
    path = folder / "adapter_config.json"
    values = json.loads(path.read_text())
    values["base_model_name_or_path"] = base
    for key in ("target_modules", "exclude_modules"):
        if isinstance(values.get(key), list):
            values[key] = sorted(values[key])
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def read_texts(folder):
    texts = load_file(folder / "hidden.safetensors")
    return torch.split(texts["ids"].long(), texts["cu_seqlens"].diff().tolist())


def one(folder, kind, targets):
    model = PeftModelForTokenClassification(
        AutoModelForTokenClassification.from_pretrained(folder / "token-classification"),
        config(kind, TaskType.TOKEN_CLS, target_modules=targets))
    randomize(model, 4)
    save(model, folder / f"adapter-{kind}", "../token-classification")
    logits, _ = reload_and_run(AutoModelForTokenClassification, folder / "token-classification",
                               PeftModelForTokenClassification, folder / f"adapter-{kind}",
                               read_texts(folder))
    save_file({f"logits.{kind}": logits}, folder / "adapters.safetensors", metadata=VERSIONS)


def more(bert, kinds, name, first_seed=0):
    """Of MORE and BARE, or LATER: logits, or hidden states, into a file of that name."""
    texts = read_texts(bert)
    values = {}
    for seed, (kind, options) in enumerate(kinds.items(), first_seed):
        bare, rows = kind in BARE, 108 if kind == "resized" else None
        base_class = AutoModel if bare else AutoModelForTokenClassification
        base = bert if bare else bert / "token-classification"
        task = options.get("task_type", None if bare else TaskType.TOKEN_CLS)
        torch.manual_seed(seed)
        model = base_class.from_pretrained(base)
        if rows:  # further tokens, as after tokenizer.add_tokens
            model.resize_token_embeddings(rows)
        wrapper = PeftModelForTokenClassification if task else PeftModel
        options = {key: value for key, value in options.items() if key != "task_type"}
        model = wrapper(model, config(kind, task, **options))
        randomize(model, 100 + seed)
        folder = bert / f"adapter-{kind}"
        save(model, folder, ".." if bare else "../token-classification",
             save_embedding_layers=bool(rows) or "auto")
        used = texts
        if rows:
            used = [torch.where(torch.arange(len(t)) % 5 == 2, 100 + torch.arange(len(t)) % 8, t)
                    for t in texts]
            values[f"ids.{kind}"] = torch.cat(used).int()
        outputs, _ = reload_and_run(base_class, base, wrapper, folder, used, rows)
        values[f"{'hidden' if bare else 'logits'}.{kind}"] = outputs
    save_file(values, bert / name, metadata=VERSIONS)


def main(out):
    bert = out / "bert"
    texts = read_texts(bert)
    values = {}
    for seed, kind in enumerate(OPTIONS):
        folder = bert / f"adapter-{kind}"
        model = PeftModelForTokenClassification(
            AutoModelForTokenClassification.from_pretrained(bert / "token-classification"),
            config(kind, TaskType.TOKEN_CLS))
        randomize(model, seed)
        save(model, folder, "../token-classification")
        logits, weight = reload_and_run(AutoModelForTokenClassification,
                                        bert / "token-classification",
                                        PeftModelForTokenClassification, folder, texts)
        values[f"logits.{kind}"] = logits
        if kind != "dora-dense":
            values[f"merged.{kind}.{LAYER}"] = weight
    # around a bare encoder, as the original package saves its first stage: no architecture prefix
    model = PeftModel(AutoModel.from_pretrained(bert), config("dora", None))
    randomize(model, 9)
    save(model, bert / "adapter-stage1", "..")
    hidden, _ = reload_and_run(AutoModel, bert, PeftModel, bert / "adapter-stage1", texts)
    values["hidden.stage1"] = hidden
    save_file(values, bert / "adapters.safetensors", metadata=VERSIONS)


if __name__ == "__main__":
    out, models = Path(sys.argv[1]), sys.argv[2:]
    if not models or "bert" in models:
        main(out)
    if not models or "bert" in models or models == ["more"]:
        more(out / "bert", {**MORE, **BARE}, "adapters-more.safetensors")
    if not models or "bert" in models or models == ["later"]:
        more(out / "bert", LATER, "adapters-later.safetensors", 40)
    for name, (kind, targets) in OTHERS.items():
        if not models or name in models:
            one(out / name, kind, targets)
    print(json.dumps(VERSIONS))
