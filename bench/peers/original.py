"""The original package's two-stage training, as this project's peer in speed and in its curve.

Our own script of what hedrergudene/nerfit does, over transformers' Trainer and PEFT: the same model,
losses, collation, optimizer and schedule; the defaults are those of its README. Prints a JSON line
for each evaluation and a last one with, for both stages, seconds a step (median, without the first
ten; neither evaluation nor the fetching of the batch counts) and seconds in all (evaluation
included), and with the peak memory.

    original.py --model FOLDER --train FILE --validation FILE --ent2emb FILE [--no-lora] [--bf16]
"""
import argparse
import json
import re
import resource
import statistics
import tempfile
import time

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, PeftModelForTokenClassification
from safetensors.torch import load_file
from seqeval.metrics import f1_score
from transformers import (AutoModel, AutoModelForTokenClassification, AutoTokenizer,
                          PrinterCallback, Trainer, TrainerCallback, TrainingArguments)

ANNOTATION = re.compile(r"\[(.*?): (.*?)\]")


def parse(line):
    text, entities, at = "", [], 0
    for match in ANNOTATION.finditer(line):
        text += line[at:match.start()]
        span = match.group(2).strip()
        entities.append((len(text), len(text) + len(span), match.group(1).strip()))
        text += span
        at = match.end()
    return text + line[at:], entities


def encode(tokenizer, line):
    text, entities = parse(line)
    encoded = tokenizer(text, truncation=True, return_offsets_mapping=True)
    return encoded["input_ids"], encoded["offset_mapping"], entities


def contrastive_examples(tokenizer, lines, table):
    for line in lines:
        ids, offsets, entities = encode(tokenizer, line)
        rows = []
        for start, end, label in entities:
            first = last = None
            for i, (a, b) in enumerate(offsets):
                if a <= start < b:
                    first = i
                if a < end <= b:
                    last = i + 1
                    break
            rows.append((table[label], [float(first <= i < last) for i in range(len(ids))]))
        yield {"ids": ids, "rows": rows}


def token_examples(tokenizer, lines, label2id):
    for line in lines:
        ids, offsets, entities = encode(tokenizer, line)
        labels = []
        for a, b in offsets:
            inside = [e for e in entities if e[0] <= a < e[1]]
            if a == b == 0:
                labels.append(-100)
            elif inside:
                labels.append(label2id[("B-" if a == inside[0][0] else "I-") + inside[0][2]])
            else:
                labels.append(0)
        yield {"ids": ids, "labels": labels}


def padded(sequences, value):
    longest = max(map(len, sequences))
    return torch.tensor([list(s) + [value] * (longest - len(s)) for s in sequences])


def collate_contrastive(batch, pad_id, size):
    ids = padded([b["ids"] for b in batch], pad_id)
    most = max(len(b["rows"]) for b in batch)
    labels = torch.full((len(batch), most, ids.size(1)), -100.0)
    embeddings = torch.zeros(len(batch), most, size)
    for s, example in enumerate(batch):
        for e, (vector, row) in enumerate(example["rows"]):
            embeddings[s, e] = vector
            labels[s, e, :len(row)] = torch.tensor(row)
    mask = padded([[1] * len(b["ids"]) for b in batch], 0)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, "embeddings": embeddings}


def collate_tokens(batch, pad_id):
    return {"input_ids": padded([b["ids"] for b in batch], pad_id),
            "attention_mask": padded([[1] * len(b["ids"]) for b in batch], 0),
            "labels": padded([b["labels"] for b in batch], -100)}


class Contrastive(torch.nn.Module):
    def __init__(self, base, size):
        super().__init__()
        self.base_model = base
        self.projection_layer = torch.nn.Linear(base.config.hidden_size, size)

    def forward(self, input_ids, attention_mask, labels=None, embeddings=None):
        hidden = self.base_model(input_ids=input_ids, attention_mask=attention_mask)[0]
        z = F.normalize(self.projection_layer(hidden), p=2, dim=-1)
        counted = labels != -100
        if embeddings.size(1) == 0:  # no entity in the batch; the original fails when it trains
            return {"loss": (z * 0).sum(), "logits": z}
        logits = torch.bmm(embeddings, z.transpose(1, 2))
        loss = F.binary_cross_entropy_with_logits(logits * counted, labels * counted,
                                                  reduction="sum") / counted.sum()
        return {"loss": loss, "logits": z}


class Timer(TrainerCallback):
    def __init__(self, stage):
        self.stage, self.steps, self.cpu, self.began = stage, [], [], None

    def on_step_begin(self, args, state, control, **kwargs):
        self.began = time.perf_counter(), time.process_time()

    def on_step_end(self, args, state, control, **kwargs):
        self.steps.append(time.perf_counter() - self.began[0])
        self.cpu.append(time.process_time() - self.began[1])

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        print(json.dumps({"stage": self.stage, "step": state.global_step, **metrics}), flush=True)


def run_stage(number, model, examples, collate, metrics, args, steps, rate, warmup):
    timer = Timer(number)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=8, per_device_eval_batch_size=16,
            learning_rate=rate, weight_decay=1e-2, lr_scheduler_type="cosine",
            warmup_steps=warmup, max_grad_norm=1.0, seed=args.seed, max_steps=steps,
            eval_strategy="steps" if examples[1] else "no", eval_steps=args.eval_steps,
            logging_strategy="no", save_strategy="no", bf16=args.bf16, use_cpu=True,
            remove_unused_columns=False, report_to="none", disable_tqdm=True,
            label_names=["labels"])
        trainer = Trainer(model, settings, train_dataset=examples[0], eval_dataset=examples[1],
                          data_collator=collate, compute_metrics=metrics, callbacks=[timer])
        trainer.remove_callback(PrinterCallback)  # its lines are no JSON
        began = time.perf_counter()
        trainer.train()
    return (statistics.median(timer.steps[10:] or timer.steps), time.perf_counter() - began,
            statistics.median(timer.cpu[10:] or timer.cpu))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="a folder (roberta_shape.py makes one)")
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation")
    parser.add_argument("--ent2emb", required=True)
    parser.add_argument("--steps", type=int, nargs=2, default=[2500, 1500])
    parser.add_argument("--rates", type=float, nargs=2, default=[5e-5, 1e-5])
    parser.add_argument("--warmup", type=int, nargs=2, default=[1000, 500])
    parser.add_argument("--eval-steps", type=int, default=250)
    parser.add_argument("--seed", type=int, default=123)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--no-lora", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    table = load_file(args.ent2emb)
    size = next(iter(table.values())).shape[-1]
    label2id = {"O": 0}
    for label in table:
        for prefix in ("B-", "I-"):
            label2id[prefix + label] = len(label2id)
    id2label = {i: label for label, i in label2id.items()}
    files = [[l for l in open(path, encoding="utf-8").read().split("\n") if l] if path else []
             for path in (args.train, args.validation)]
    lora = LoraConfig(r=16, lora_alpha=16, lora_dropout=0.1, use_dora=True, inference_mode=False)

    base = AutoModel.from_pretrained(args.model)
    pad_id = tokenizer.pad_token_id  # a bare tokenizer.json does not tell which token it is
    pad_id = base.config.pad_token_id if pad_id is None else pad_id
    model = Contrastive(base if args.no_lora else PeftModel(base, lora), size)
    sets = [list(contrastive_examples(tokenizer, lines, table)) for lines in files]
    first = run_stage(1, model, sets, lambda b: collate_contrastive(b, pad_id, size),
                      None, args, args.steps[0], args.rates[0], args.warmup[0])

    if args.no_lora:
        with tempfile.TemporaryDirectory() as folder:
            model.base_model.save_pretrained(folder)
            model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(label2id))
    else:
        # The original loads stage 1's adapter here, but its names lack the encoder's prefix
        # ("bert."), so that PEFT finds none of them: stage 2 starts from a fresh adapter. (PEFT
        # 0.21 stops before that, at the classifier that the adapter lacks.)
        model = PeftModelForTokenClassification(
            AutoModelForTokenClassification.from_pretrained(args.model, num_labels=len(label2id)),
            lora)
    sets = [list(token_examples(tokenizer, lines, label2id)) for lines in files]

    def metrics(predictions):
        logits, labels = predictions
        kept = [[(id2label[l], id2label[p]) for p, l in zip(ps, ls) if l != -100]
                for ps, ls in zip(logits.argmax(-1), labels)]
        return {"overall_f1": f1_score([[a for a, _ in t] for t in kept],
                                       [[b for _, b in t] for t in kept])}

    second = run_stage(2, model, sets, lambda b: collate_tokens(b, pad_id), metrics,
                       args, args.steps[1], args.rates[1], args.warmup[1])
    print(json.dumps({"seconds_per_step": [round(first[0], 4), round(second[0], 4)],
                      "cpu_seconds_per_step": [round(first[2], 4), round(second[2], 4)],
                      "seconds": [round(first[1], 2), round(second[1], 2)],
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                      "threads": torch.get_num_threads(), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
