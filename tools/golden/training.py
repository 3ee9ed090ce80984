"""The first 20 training steps of both stages, from torch, transformers and PEFT.

Reads the models of models.py; writes tests/golden/{bert,roberta,...}/train-*.safetensors.
The loop is transformers.Trainer's: AdamW with decay on all but biases and norms, gradient clipping,
linear schedule with warm-up; the losses are the original package's.
Usage: training.py OUT_FOLDER [MODEL...]
"""
import json
import sys
from pathlib import Path

import peft
import torch
import torch.nn.functional as F
import transformers
from peft import LoraConfig, PeftModel, PeftModelForTokenClassification
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForTokenClassification, get_scheduler
from transformers.trainer_pt_utils import LabelSmoother, get_parameter_names

STEPS, BATCH, TYPES, SIZE = 20, 4, 6, 24
WARMUP = 4
VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__,
            "peft": peft.__version__}
RATES = {"full": 2e-3, "lora": 5e-3, "rslora": 5e-3, "dora": 5e-3, "all-linear": 5e-3,
         "smoothing": 2e-3, "accumulation": 2e-3}


def texts_and_entities(seed):
    """Token ids with [first] and [last] standing for special tokens, and 0-3 entities a text."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high):
        return int(torch.randint(low, high, (1,), generator=generator))

    texts, entities = [], []
    for index in range(STEPS * BATCH):
        length = draw(5, 16)
        texts.append(torch.randint(3, 100, (length,), generator=generator))
        found, at = [], 1
        # one whole batch has no entity at all
        count = 0 if index // BATCH == 7 else draw(0, 4)
        for _ in range(count):
            start = at + draw(0, 3)
            end = start + draw(1, 4)
            if end > length - 1:
                break
            found.append((draw(0, TYPES), start, end))
            at = end
        entities.append(found)
    return texts, entities


# what nerfit takes where PEFT has no default for a model type
DEFAULTS = {"distilbert": ["q_lin", "v_lin"], "albert": ["query", "value"], "mpnet": ["q", "v"],
            "modernbert": ["Wqkv"], "eurobert": ["q_proj", "v_proj"]}
# ModernBERT's classifier stands behind a dense layer and a norm, which are trained with it
SAVED = {"modernbert": ["head"]}


def adapter(name, kind):
    # all of the encoder's linear layers; PEFT's "all-linear" takes the classifier too, and then
    # refuses to train it in full
    targets = ({"target_modules": ["query", "key", "value", "dense"]} if kind == "all-linear"
               else {"target_modules": DEFAULTS[name]} if name in DEFAULTS else {})
    if name in SAVED:
        targets["modules_to_save"] = SAVED[name]
    return LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, use_dora=kind == "dora",
                      use_rslora=kind == "rslora", inference_mode=False, **targets)


def randomize_lora(model, seed):
    """B starts at zero; other values make the gradients of A matter from the first step."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_A" in name or "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
            if "magnitude" in name:
                parameter.mul_(1 + 0.1 * torch.randn(parameter.shape, generator=generator))


def plain_name(name):
    for part in ("base_model.model.", "base_model.", "base.", ".default", ".base_layer",
                 ".modules_to_save"):
        name = name.replace(part, "")
    for prefix in ("bert.", "roberta.", "distilbert.", "electra.", "albert.", "mpnet.", "deberta.",
                   "model."):
        name = name.removeprefix(prefix)
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


class Contrastive(torch.nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.projection_layer = torch.nn.Linear(base.config.hidden_size, SIZE)

    def forward(self, ids, mask, labels, embeddings):
        hidden = self.base(input_ids=ids, attention_mask=mask).last_hidden_state
        z = F.normalize(self.projection_layer(hidden), p=2, dim=-1)
        counted = labels != -100
        if embeddings.size(1) == 0:
            return (z * 0).sum()  # the original fails here: no gradient
        logits = torch.bmm(embeddings, z.transpose(1, 2))
        loss = F.binary_cross_entropy_with_logits(logits * counted, labels * counted,
                                                  reduction="sum")
        return loss / counted.sum()


def pad(texts, value):
    longest = max(len(t) for t in texts)
    return torch.stack([F.pad(t, (0, longest - len(t)), value=value) for t in texts])


def stage1_batch(texts, entities, table, pad_id):
    ids = pad(texts, pad_id)
    mask = pad([torch.ones_like(t) for t in texts], 0)
    most = max(len(e) for e in entities)
    labels = torch.full((len(texts), most, ids.size(1)), -100.0)
    embeddings = torch.zeros(len(texts), most, SIZE)
    for s, (text, found) in enumerate(zip(texts, entities)):
        for e, (kind, start, end) in enumerate(found):
            labels[s, e, :len(text)] = 0
            labels[s, e, start:end] = 1
            embeddings[s, e] = table[kind]
    return ids, mask, labels, embeddings


def token_labels(text, found):
    labels = torch.zeros(len(text), dtype=torch.long)
    for kind, start, end in found:
        labels[start:end] = 2 + 2 * (kind % 3)
        labels[start] = 1 + 2 * (kind % 3)
    labels[0] = labels[-1] = -100
    return labels


def optimizer_for(model, rate):
    layers = [torch.nn.LayerNorm]
    # as Trainer.get_decay_parameter_names, for norms that are no LayerNorm
    names = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    decayed = get_parameter_names(model, layers, names)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [{"params": [p for n, p in named if n in decayed], "weight_decay": 0.01},
              {"params": [p for n, p in named if n not in decayed], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-8)


def load_projection(folder):
    """The projection that stage 1's golden file of BERT starts with."""
    values = load_file(folder / "bert/train-full-stage1.safetensors")
    return {key: values[f"init.projection_layer.{key}"] for key in ("weight", "bias")}


def make(folder, name, kind, stage):
    torch.manual_seed(5)
    pad_id = 1 if name == "roberta" else 0
    texts, entities = texts_and_entities(6)
    lora = kind in ("lora", "rslora", "dora", "all-linear")
    table = F.normalize(torch.randn(TYPES, SIZE, generator=torch.Generator().manual_seed(7)), dim=-1)
    if stage == 1:
        base = AutoModel.from_pretrained(folder / name)
        if lora:
            base = PeftModel(base, adapter(name, kind))
        model = Contrastive(base)
    else:
        model = AutoModelForTokenClassification.from_pretrained(folder / name / "token-classification")
        if lora:
            model = PeftModelForTokenClassification(model, adapter(name, kind))
    if lora:
        randomize_lora(model, 8)
    model.train()
    values = {
        "ids": torch.cat(texts).to(torch.int32),
        "cu_seqlens": torch.cumsum(torch.tensor([0] + [len(t) for t in texts]), 0).to(torch.int32),
        "entity_sequence": torch.tensor([s for s, f in enumerate(entities) for _ in f]).to(torch.int32),
        "entity_type": torch.tensor([k for f in entities for k, _, _ in f]).to(torch.int32),
        "entity_start": torch.tensor([a for f in entities for _, a, _ in f]).to(torch.int32),
        "entity_end": torch.tensor([b for f in entities for _, _, b in f]).to(torch.int32),
        "embeddings": table,
        "labels": torch.cat([token_labels(t, f) for t, f in zip(texts, entities)]).to(torch.int32),
    }
    for key, parameter in model.named_parameters():
        if parameter.requires_grad and (lora or "projection_layer" in key):
            values["init." + plain_name(key)] = parameter.detach().clone()
    accumulation = 2 if kind == "accumulation" else 1
    smoother = LabelSmoother(epsilon=0.1)
    optimizer = optimizer_for(model, RATES[kind])
    steps = STEPS // accumulation
    schedule = get_scheduler("linear", optimizer, WARMUP, steps)
    losses, norms, rates = [], [], []
    for step in range(steps):
        total = 0.0
        for micro in range(accumulation):
            batch = slice((step * accumulation + micro) * BATCH, (step * accumulation + micro + 1) * BATCH)
            if stage == 1:
                loss = model(*stage1_batch(texts[batch], entities[batch], table, pad_id))
            else:
                labels = pad([token_labels(t, f) for t, f in zip(texts[batch], entities[batch])], -100)
                outputs = model(input_ids=pad(texts[batch], pad_id),
                                attention_mask=pad([torch.ones_like(t) for t in texts[batch]], 0),
                                labels=labels)
                loss = smoother(outputs, labels) if kind == "smoothing" else outputs.loss
            (loss / accumulation).backward()
            total += float(loss) / accumulation
        losses.append(total)
        norms.append(float(torch.nn.utils.clip_grad_norm_(
            [p for p in model.parameters() if p.requires_grad], 1.0)))
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    for key, parameter in model.named_parameters():
        # a parameter without a gradient (the pooler) is not trained
        if parameter.requires_grad and "pooler" not in key:
            values["final." + plain_name(key)] = parameter.detach().clone().contiguous()
    values["losses"] = torch.tensor(losses, dtype=torch.float64)
    values["grad_norms"] = torch.tensor(norms, dtype=torch.float64)
    values["lrs"] = torch.tensor(rates, dtype=torch.float64)
    metadata = {**VERSIONS, "learning_rate": str(RATES[kind]), "accumulation": str(accumulation)}
    save_file(values, folder / name / f"train-{kind}-stage{stage}.safetensors", metadata=metadata)
    return losses[0], losses[-1]


CASES = [("bert", kind, stage) for kind in ("full", "lora", "rslora", "dora") for stage in (1, 2)] + \
        [("roberta", kind, stage) for kind in ("full", "lora", "dora") for stage in (1, 2)] + \
        [("bert", kind, 2) for kind in ("all-linear", "smoothing", "accumulation")] + \
        [("distilbert", "full", 2), ("distilbert", "lora", 2), ("electra", "full", 2),
         ("electra", "full", 1), ("albert", "full", 1), ("albert", "full", 2),
         ("albert", "lora", 2), ("albert", "dora", 2)] + \
        [(name, kind, stage) for name, kind, stage in (
            ("mpnet", "full", 1), ("mpnet", "full", 2), ("mpnet", "lora", 2),
            ("deberta-v3", "full", 1), ("deberta-v3", "full", 2), ("deberta-v3", "lora", 2),
            ("deberta-v3", "dora", 2), ("deberta-v2", "full", 2), ("modernbert", "full", 1),
            ("modernbert", "full", 2), ("modernbert", "lora", 2), ("modernbert", "dora", 2),
            ("modernbert-bias", "full", 2), ("eurobert", "full", 1), ("eurobert", "full", 2),
            ("eurobert", "lora", 2), ("eurobert", "dora", 2))]

if __name__ == "__main__":
    for case in CASES:
        if sys.argv[2:] and case[0] not in sys.argv[2:]:
            continue
        print(*case, *make(Path(sys.argv[1]), *case))
    print(json.dumps(VERSIONS))
