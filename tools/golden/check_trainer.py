"""Runs transformers.Trainer itself over the cases of training.py and holds the golden files against
it: losses, gradient norms, learning rates, final weights. training.py writes the loop out to see
every step; this shows that it is the Trainer's.

One difference is known and left: with gradient accumulation Trainer 5.23 sums the micro-batches'
mean losses in stage 2 instead of averaging them (it expects the model to have divided by
num_items_in_batch, and ...ForTokenClassification ignores that argument). nerfit averages, as
TrainingArguments documents it. Usage: check_trainer.py GOLDEN_FOLDER
"""
import sys
import tempfile
from pathlib import Path

import torch
from peft import PeftModel, PeftModelForTokenClassification
from safetensors.torch import load_file
from torch.utils.data import SequentialSampler
from transformers import (AutoModel, AutoModelForTokenClassification, PrinterCallback, Trainer,
                          TrainerCallback, TrainingArguments)

import training

# A key's bias shifts all scores of a query alike: its gradient is rounding errors only, which Adam
# blows up to the size of a step.
LIMITS = {"loss": 1e-6, "norm": 1e-6, "rate": 1e-9, "weight": 1e-6, "key.bias": 1e-2}


class InOrder(Trainer):
    def _get_train_sampler(self, *args, **kwargs):
        return SequentialSampler(self.train_dataset)

    def compute_loss(self, model, inputs, *args, **kwargs):
        if "embeddings" not in inputs:
            return super().compute_loss(model, inputs, *args, **kwargs)
        return model(*(inputs[k] for k in ("input_ids", "attention_mask", "labels", "embeddings")))

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.losses.append(float(loss))
        return loss


class Norms(TrainerCallback):
    def __init__(self):
        self.norms, self.rates = [], []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" in logs:
            self.norms.append(logs["grad_norm"])
            self.rates.append(logs["learning_rate"])


def relative(ours, theirs, least):
    """Differences relative to the expected value, or to `least` where that is smaller."""
    return ((ours - theirs).abs() / theirs.abs().clamp(min=least)).tolist()


def build(folder, name, kind, stage):
    lora = kind in ("lora", "rslora", "dora", "all-linear")
    if stage == 1:
        base = AutoModel.from_pretrained(folder / name)
        model = training.Contrastive(PeftModel(base, training.adapter(kind)) if lora else base)
    else:
        model = AutoModelForTokenClassification.from_pretrained(
            folder / name / "token-classification")
        model = PeftModelForTokenClassification(model, training.adapter(kind)) if lora else model
    if lora:
        training.randomize_lora(model, 8)
    return model


def collator(stage, pad_id, table):
    texts, entities = training.texts_and_entities(6)

    def collate(indices):
        found = [entities[i] for i in indices]
        chosen = [texts[i] for i in indices]
        if stage == 1:
            parts = training.stage1_batch(chosen, found, table, pad_id)
            return dict(zip(("input_ids", "attention_mask", "labels", "embeddings"), parts))
        return {"input_ids": training.pad(chosen, pad_id),
                "attention_mask": training.pad([torch.ones_like(t) for t in chosen], 0),
                "labels": training.pad([training.token_labels(t, f)
                                        for t, f in zip(chosen, found)], -100)}
    return collate


def run(folder, name, kind, stage):
    expected = load_file(folder / name / f"train-{kind}-stage{stage}.safetensors")
    accumulation = 2 if kind == "accumulation" else 1
    torch.manual_seed(5)
    model = build(folder, name, kind, stage)
    record = Norms()
    with tempfile.TemporaryDirectory() as temporary:
        arguments = TrainingArguments(
            output_dir=temporary, per_device_train_batch_size=training.BATCH,
            learning_rate=training.RATES[kind], weight_decay=0.01, lr_scheduler_type="linear",
            warmup_steps=training.WARMUP, max_steps=training.STEPS // accumulation,
            max_grad_norm=1.0, gradient_accumulation_steps=accumulation, logging_steps=1,
            label_smoothing_factor=0.1 if kind == "smoothing" else 0.0, save_strategy="no",
            report_to="none", use_cpu=True, disable_tqdm=True, remove_unused_columns=False)
        trainer = InOrder(model, arguments, train_dataset=list(range(training.STEPS * training.BATCH)),
                          data_collator=collator(stage, 1 if name == "roberta" else 0,
                                                 expected["embeddings"]), callbacks=[record])
        trainer.remove_callback(PrinterCallback)
        trainer.losses = []
        trainer.train()
    losses = torch.tensor(trainer.losses, dtype=torch.float64).view(-1, accumulation).mean(1)
    norms = torch.tensor(record.norms, dtype=torch.float64) / accumulation
    found = {
        "loss": relative(losses, expected["losses"], 1e-2),
        "norm": relative(norms, expected["grad_norms"], 1e-2),
        "rate": [float((torch.tensor(record.rates) - expected["lrs"]).abs().max())],
        "weight": [], "key.bias": [0.0],
    }
    compared = 0
    for key, parameter in model.named_parameters():
        final = expected.get("final." + training.plain_name(key))
        if final is not None:
            compared += 1
            found["key.bias" if "key.bias" in key else "weight"].append(
                float((parameter - final).norm() / final.norm()))
    assert compared == sum(key.startswith("final.") for key in expected)
    # not max(), which loses a NaN
    return {what: float(torch.tensor(values).max()) for what, values in found.items()}


if __name__ == "__main__":
    failed = False
    for case in training.CASES:
        found = run(Path(sys.argv[1]), *case)
        wrong = [what for what, value in found.items() if not value <= LIMITS[what]]
        failed |= bool(wrong)
        print(*case, *(f"{what} {value:.1e}" for what, value in found.items()),
              f"DIFFERS: {', '.join(wrong)}" if wrong else "equal", flush=True)
    sys.exit(failed)
