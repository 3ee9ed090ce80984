"""What the loop over steps does, from torch and transformers: tests/golden/loop.json.

Two lists. "training": short runs of the tiny BERT over the texts of training.py in given orders:
accumulation with fewer batches at an epoch's end, a short last batch, an active, a loose and no
clipping, a head's own learning rate, decay on all but biases and norms, every schedule with its
warm-up, dropout with nerfit's own masks (torch draws others). In double, so that the comparison can
be sharp. "stopping": transformers.Trainer itself over a metric that follows a script: where it
stops, what it keeps, and which step's weights it ends with.
Usage: training_loop.py GOLDEN_FOLDER
"""
import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import (AutoModel, AutoModelForTokenClassification, EarlyStoppingCallback,
                          PrinterCallback, Trainer, TrainerCallback, TrainingArguments,
                          get_scheduler)

import training

PLAIN = {"stage": 2, "texts": 16, "batch": 4, "accumulation": 1, "epochs": 2.0, "max_steps": 0,
         "learning_rate": 2e-3, "head_learning_rate": 2e-3, "weight_decay": 0.01,
         "max_grad_norm": 1.0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
         "scheduler": "linear", "warmup_steps": 0, "warmup_ratio": 0.0, "kwargs": {},
         "hidden_dropout": 0.0, "attention_dropout": 0.0, "classifier_dropout": 0.0, "seed": 42}
CASES = [
    {"name": "short last batch", "texts": 22},
    {"name": "accumulation, fewer batches at the end", "texts": 22, "accumulation": 4,
     "epochs": 2.5},
    {"name": "ends within an epoch", "texts": 22, "accumulation": 2, "max_steps": 4},
    {"name": "contrastive, accumulation", "stage": 1, "texts": 22, "accumulation": 3},
    {"name": "clipping", "max_grad_norm": 0.3, "texts": 20},
    {"name": "loose clipping", "max_grad_norm": 4.0},
    {"name": "no clipping", "max_grad_norm": 0.0, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    {"name": "the head's own rate", "head_learning_rate": 2e-2},
    {"name": "decay", "weight_decay": 5.0},
    {"name": "dropout, accumulation", "texts": 22, "accumulation": 2, "hidden_dropout": 0.2,
     "attention_dropout": 0.1, "classifier_dropout": 0.3, "seed": 7},
    {"name": "warm-up by ratio", "warmup_ratio": 0.3, "epochs": 3.0},
    {"name": "cosine", "scheduler": "cosine", "warmup_steps": 3, "epochs": 3.0},
    {"name": "cosine_with_restarts", "scheduler": "cosine_with_restarts", "warmup_steps": 2,
     "epochs": 3.0, "kwargs": {"num_cycles": 2}},
    {"name": "polynomial", "scheduler": "polynomial", "warmup_steps": 2, "epochs": 3.0,
     "kwargs": {"power": 2.0, "lr_end": 1e-5}},
    {"name": "constant", "scheduler": "constant"},
    {"name": "constant_with_warmup", "scheduler": "constant_with_warmup", "warmup_steps": 4},
    {"name": "inverse_sqrt", "scheduler": "inverse_sqrt", "warmup_steps": 3, "epochs": 3.0},
]


# ---------------------------------------------------------------- nerfit's dropout

def philox(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011) of arrays of 32-bit words held in uint64."""
    c = [np.asarray(x, dtype=np.uint64) for x in counter]
    k0, k1 = (np.uint64(k) for k in key)
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & low,
             (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return c


def factors(elements, p, seed, step, site):
    """What src/tensor/backend.h (nf_dropout) says of these elements of a place: 0 or 1 / (1 - p),
    p rounded up to a multiple of 2^-16."""
    elements = np.asarray(elements, dtype=np.uint64)
    block = elements // np.uint64(8)
    shape = np.zeros_like(block)
    words = np.stack(philox((block & np.uint64(0xFFFFFFFF), shape + np.uint64(site),
                             shape + np.uint64(step & 0xFFFFFFFF),
                             np.uint64(step >> 32) ^ (block >> np.uint64(32))),
                            (seed & 0xFFFFFFFF, seed >> 32)))
    within = (elements % np.uint64(8)).astype(np.int64)
    word = np.take_along_axis(words, (within // 2)[None], 0)[0]
    number = (word >> np.where(within % 2, 16, 0).astype(np.uint64)) & np.uint64(0xFFFF)
    threshold = math.ceil(p * 65536)
    return torch.from_numpy(np.where(number < threshold, 0.0, 1 / (1 - threshold / 65536)))


class Masked(torch.nn.Module):
    """A dropout that takes nerfit's masks. Elements are counted over the packed batch."""
    state = {}

    def __init__(self, p, site):
        super().__init__()
        self.p, self.site = p, site

    def forward(self, x):
        lengths, seed, step = self.state["lengths"], self.state["seed"], self.state["step"]
        if not self.training or self.p == 0.0:
            return x
        elements = np.zeros(x.shape, dtype=np.uint64)  # padding: any number does
        row, width = 0, (max(lengths) + 7) // 8 * 8
        for s, n in enumerate(lengths):
            rows = np.arange(row, row + n, dtype=np.uint64)
            if x.dim() == 3:  # [text, token, hidden]
                elements[s, :n] = rows[:, None] * x.shape[2] + np.arange(x.shape[2])
            else:  # probabilities [text, head, query, key]
                heads = np.arange(x.shape[1], dtype=np.uint64)
                elements[s, :, :n, :n] = (((rows[None, :] * x.shape[1] + heads[:, None]) * width)
                                          [:, :, None] + np.arange(n))
            row += n
        return x * factors(elements, self.p, seed, step, self.site)


def mask_dropout(model, case):
    """Places are numbered as the network is built: embeddings (and their norm's, unused), then each
    layer's probabilities, its attention's output, its feed-forward's; last the classifier's."""
    bert = model.bert
    bert.embeddings.dropout = Masked(case["hidden_dropout"], 0)
    for i, layer in enumerate(bert.encoder.layer):
        layer.attention.self.dropout = Masked(case["attention_dropout"], 2 + 3 * i)
        layer.attention.output.dropout = Masked(case["hidden_dropout"], 3 + 3 * i)
        layer.output.dropout = Masked(case["hidden_dropout"], 4 + 3 * i)
        assert layer.attention.self.__class__.__name__ == "BertSelfAttention"
    model.dropout = Masked(case["classifier_dropout"], 2 + 3 * len(bert.encoder.layer))
    return model


def masked_attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """transformers' eager_attention_forward with the module's own dropout."""
    scores = query @ key.transpose(2, 3) * (query.size(-1) ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = module.dropout(torch.softmax(scores, dim=-1))
    return (weights @ value).transpose(1, 2).contiguous(), weights


# ---------------------------------------------------------------- training

def warmup_of(case, steps):
    with tempfile.TemporaryDirectory() as temporary:
        return TrainingArguments(temporary, warmup_steps=case["warmup_steps"] or case["warmup_ratio"],
                                 use_cpu=True).get_warmup_steps(steps)


def optimizer_for(model, case):
    decayed = set(training.get_parameter_names(model, [torch.nn.LayerNorm]))
    groups = []
    for head in (False, True):
        for decay in (True, False):
            chosen = [p for n, p in model.named_parameters()
                      if n.startswith("classifier") == head
                      and (n in decayed and "bias" not in n) == decay and "pooler" not in n]
            groups.append({"params": chosen, "weight_decay": case["weight_decay"] if decay else 0.0,
                           "lr": case["head_learning_rate" if head else "learning_rate"]})
    return torch.optim.AdamW(groups, lr=case["learning_rate"], eps=case["epsilon"],
                             betas=(case["beta1"], case["beta2"]))


def loss_of(model, case, texts, entities, table):
    if case["stage"] == 1:
        ids, mask, labels, embeddings = training.stage1_batch(texts, entities, table, 0)
        return model(ids, mask, labels.double(), embeddings.double())
    labels = training.pad([training.token_labels(t, f) for t, f in zip(texts, entities)], -100)
    return model(input_ids=training.pad(texts, 0), labels=labels,
                 attention_mask=training.pad([torch.ones_like(t) for t in texts], 0)).loss


def run(folder, given):
    case = {**PLAIN, **given}
    texts, entities = training.texts_and_entities(6)
    table = torch.nn.functional.normalize(
        torch.randn(training.TYPES, training.SIZE, generator=torch.Generator().manual_seed(7)),
        dim=-1).double()
    golden = training.load_projection(folder) if case["stage"] == 1 else None
    if case["stage"] == 1:
        model = training.Contrastive(AutoModel.from_pretrained(folder / "bert")).double()
        model.projection_layer.load_state_dict(golden)
    else:
        model = AutoModelForTokenClassification.from_pretrained(
            folder / "bert/token-classification", attn_implementation="eager").double()
        mask_dropout(model, case)
    model.train()
    count, batch, accumulation = case["texts"], case["batch"], case["accumulation"]
    batches = math.ceil(count / batch)
    per_epoch = math.ceil(batches / accumulation)
    steps = case["max_steps"] or math.ceil(case["epochs"] * per_epoch)
    generator = torch.Generator().manual_seed(len(case["name"]))
    orders = [torch.randperm(count, generator=generator).tolist()
              for _ in range(math.ceil(steps / per_epoch))]
    optimizer = optimizer_for(model, case)
    warmup = warmup_of(case, steps)
    schedule = get_scheduler(case["scheduler"], optimizer, warmup, steps,
                             scheduler_specific_kwargs=case["kwargs"])
    trained = [p for n, p in model.named_parameters() if "pooler" not in n]
    losses, norms, rates = [], [], []
    for step in range(steps):
        order = orders[step // per_epoch]
        first = step % per_epoch * accumulation
        chosen = range(first, min(first + accumulation, batches))
        total = 0.0
        for micro, b in enumerate(chosen):
            index = order[b * batch:(b + 1) * batch]
            Masked.state = {"lengths": [len(texts[i]) for i in index], "seed": case["seed"],
                            "step": step * accumulation + micro}
            loss = loss_of(model, case, [texts[i] for i in index], [entities[i] for i in index],
                           table) / len(chosen)
            loss.backward()
            total += loss.item()
        losses.append(total)
        norms.append(torch.nn.utils.clip_grad_norm_(
            trained, case["max_grad_norm"] or math.inf).item())
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    # the Trainer's eval_loss repeats a batch's loss for each of its texts
    model.eval()
    with torch.no_grad():
        parts = [(loss_of(model, case, texts[a:min(a + 5, count)], entities[a:min(a + 5, count)],
                          table).item(), min(a + 5, count) - a) for a in range(0, count, 5)]
    final = {}
    for name, parameter in model.named_parameters():
        if "pooler" in name:
            continue
        w = parameter.detach().flatten()
        final[training.plain_name(name)] = [
            w.norm().item(), (w * torch.cos(torch.arange(len(w), dtype=torch.float64))).sum().item()]
    return {**case, "orders": orders, "losses": losses, "grad_norms": norms, "rates": rates,
            "eval_loss": sum(a * n for a, n in parts) / count, "final": final}


# ---------------------------------------------------------------- stopping, the best model

STOPPING = [
    {"name": "patience 2", "metrics": [.2, .5, .4, .45, .9, 1], "patience": 2},
    {"name": "patience 1, equal is not better", "metrics": [.5, .5, .9], "patience": 1},
    {"name": "threshold", "metrics": [.2, .25, .28, .29, .9], "patience": 2, "threshold": .1},
    {"name": "least is best", "metrics": [.5, .4, .45, .3, .35, .36, .1], "patience": 2,
     "greater_is_better": False},
    {"name": "the first is best", "metrics": [.9, .8, .7, .6, .5]},
    {"name": "the last is best", "metrics": [.1, .2, .3, .4, .5]},
    {"name": "best in between, one kept", "metrics": [.1, .9, .3, .4, .5], "save_total_limit": 1},
    {"name": "best in between, two kept", "metrics": [.1, .9, .3, .4, .5], "save_total_limit": 2},
    {"name": "best in between, three kept", "metrics": [.1, .9, .3, .4, .95, .2],
     "save_total_limit": 3},
    {"name": "not loaded", "metrics": [.1, .9, .3, .4], "load_best_model_at_end": False,
     "save_total_limit": 2},
    {"name": "patience never used up", "metrics": [.1, .05, .2, .15, .3], "patience": 2},
]


class Weight(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x=None, labels=None):
        loss = ((self.w - 100) ** 2).sum()
        return {"loss": loss, "logits": x}


class Steps(TrainerCallback):
    def __init__(self):
        self.weights = {}

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.weights[state.global_step] = model.w.item()


def stop(given):
    case = {"patience": 0, "threshold": 0.0, "greater_is_better": True, "save_total_limit": 0,
            "load_best_model_at_end": True, "eval_steps": 2, **given}
    script = iter(case["metrics"])
    data = [{"x": torch.zeros(1), "labels": torch.zeros(1)}] * 4
    record = Steps()
    callbacks = [record] + ([EarlyStoppingCallback(case["patience"], case["threshold"])]
                            if case["patience"] else [])
    with tempfile.TemporaryDirectory() as temporary:
        trainer = Trainer(
            Weight(), TrainingArguments(
                temporary, max_steps=len(case["metrics"]) * case["eval_steps"],
                eval_strategy="steps", save_strategy="steps", eval_steps=case["eval_steps"],
                save_steps=case["eval_steps"],
                metric_for_best_model="score" if case["load_best_model_at_end"] else None,
                greater_is_better=case["greater_is_better"],
                load_best_model_at_end=case["load_best_model_at_end"],
                save_total_limit=case["save_total_limit"] or None, use_cpu=True, report_to="none",
                disable_tqdm=True, logging_strategy="no"),
            train_dataset=data, eval_dataset=data, callbacks=callbacks,
            compute_metrics=lambda _: {"score": next(script)})
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        kept = sorted(int(p.name.split("-")[1]) for p in Path(temporary).glob("checkpoint-*"))
    final = trainer.model.w.item()
    return {**case, "stopped_at": trainer.state.global_step, "kept": kept,
            "best_step": trainer.state.best_global_step, "best_metric": trainer.state.best_metric,
            "ends_with": [s for s, w in record.weights.items() if w == final][0],
            "evaluations": sum("eval_score" in e for e in trainer.state.log_history)}


def main(folder):
    import transformers.models.bert.modeling_bert as bert
    bert.eager_attention_forward = masked_attention
    torch.set_default_dtype(torch.float32)
    out = {"versions": training.VERSIONS, "training": [run(folder, c) for c in CASES],
           "stopping": [stop(c) for c in STOPPING]}
    text = json.dumps(out, indent=None, separators=(",", ":")).replace('{"stage"', '\n{"stage"')
    (folder / "loop.json").write_text(text.replace('{"patience"', '\n{"patience"') + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
