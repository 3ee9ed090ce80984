"""Full fine-tuning of a token classifier in PyTorch, as this project's peer in speed: batches of texts
of like length (megabatches sorted by length, as transformers' group_by_length makes them), AdamW,
clipping, bf16 autocast unless --f32. Prints one JSON line: the median step, in seconds (without the
first ten), the real tokens a step, and the peak memory.

    finetune.py --model FOLDER --train BRACKETS [--batch 16] [--steps 60] [--f32] [--threads N]
"""
import argparse
import json
import random
import re
import resource
import statistics
import time

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

ANNOTATION = re.compile(r"\[([^\[\]:]*?) : ([^\[\]]*?)\]")


def parse(line):
    text, entities, at = "", [], 0
    for match in ANNOTATION.finditer(line):
        text += line[at:match.start()]
        span = match.group(2).strip()
        entities.append((len(text), len(text) + len(span), match.group(1).strip()))
        text += span
        at = match.end()
    return text + line[at:], entities


def batches(examples, size, seed):
    """Batches of one epoch after another: megabatches of 50 batches, each sorted by length."""
    generator = random.Random(seed)
    while True:
        order = list(range(len(examples)))
        generator.shuffle(order)
        made = []
        for at in range(0, len(order), 50 * size):
            part = sorted(order[at:at + 50 * size], key=lambda i: -len(examples[i][0]))
            made += [part[i:i + size] for i in range(0, len(part), size)]
        generator.shuffle(made)
        yield from made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=123)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--f32", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    parsed = [parse(line) for line in open(args.train, encoding="utf-8").read().split("\n") if line]
    labels = {"O": 0}
    for _, entities in parsed:
        for _, _, label in entities:
            for prefix in ("B-", "I-"):
                labels.setdefault(prefix + label, len(labels))
    examples = []
    for text, entities in parsed:
        encoded = tokenizer(text, truncation=True, return_offsets_mapping=True)
        ids = []
        for a, b in encoded["offset_mapping"]:
            inside = [e for e in entities if e[0] <= a < e[1]]
            if a == b == 0:
                ids.append(-100)
            elif inside:
                ids.append(labels[("B-" if a == inside[0][0] else "I-") + inside[0][2]])
            else:
                ids.append(0)
        examples.append((encoded["input_ids"], ids))
    model = AutoModelForTokenClassification.from_pretrained(args.model, num_labels=len(labels))
    model.train()
    decayed = [p for n, p in model.named_parameters() if p.dim() > 1]
    plain = [p for n, p in model.named_parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01},
                                   {"params": plain, "weight_decay": 0.0}], lr=args.rate)
    times, cpu, tokens = [], [], 0
    source = batches(examples, args.batch, args.seed)
    for _ in range(args.steps):
        batch = [examples[i] for i in next(source)]
        longest = max(len(ids) for ids, _ in batch)
        ids = torch.tensor([i + [0] * (longest - len(i)) for i, _ in batch])
        mask = torch.tensor([[1] * len(i) + [0] * (longest - len(i)) for i, _ in batch])
        targets = torch.tensor([t + [-100] * (longest - len(t)) for _, t in batch])
        began = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not args.f32):
            loss = model(input_ids=ids, attention_mask=mask, labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - began[0])
        cpu.append(time.process_time() - began[1])
        tokens += sum(len(i) for i, _ in batch)
    print(json.dumps({"seconds_per_step": round(statistics.median(times[10:] or times), 4),
                      "cpu_seconds_per_step": round(statistics.median(cpu[10:] or cpu), 4),
                      "tokens_per_step": round(tokens / args.steps, 1),
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                      "threads": torch.get_num_threads(), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
