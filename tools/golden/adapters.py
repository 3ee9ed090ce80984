"""Adapter folders as PEFT writes them, with the logits they give and the weights they merge to.

Reads the models of models.py; writes tests/golden/{bert,...}/adapter-*/ and adapters.safetensors: see
tests/golden/README.md. Usage: adapters.py OUT_FOLDER [MODEL...]
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
}


def config(kind, task, **more):
    options = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, **OPTIONS[kind], **more}
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
            elif "modules_to_save" in name:
                parameter.add_(0.2 * noise)


def reload_and_run(base_class, folder, adapter_class, adapter, texts):
    """Outputs of what another process would load, and the query weight that merging gives."""
    model = adapter_class.from_pretrained(base_class.from_pretrained(folder), adapter).eval()
    with torch.no_grad():
        outputs = torch.cat([model(input_ids=text[None])[0][0] for text in texts])
        merged = model.merge_and_unload()
        again = torch.cat([merged(input_ids=text[None])[0][0] for text in texts])
    assert torch.allclose(outputs, again, atol=1e-4), adapter
    weight = next((p for n, p in merged.named_parameters() if n.endswith(LAYER)), None)
    return outputs.contiguous(), None if weight is None else weight.detach().clone()


def save(model, folder, base):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    # the base model's place is told relative to the adapter's folder, as nerfit reads it; sets are
    # written in no order, so sort them for the sake of equal files
    path = folder / "adapter_config.json"
    values = json.loads(path.read_text())
    values["base_model_name_or_path"] = base
    values["target_modules"] = sorted(values["target_modules"])
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
    if not sys.argv[2:] or "bert" in sys.argv[2:]:
        main(Path(sys.argv[1]))
    for name, (kind, targets) in OTHERS.items():
        if not sys.argv[2:] or name in sys.argv[2:]:
            one(Path(sys.argv[1]) / name, kind, targets)
    print(json.dumps(VERSIONS))
