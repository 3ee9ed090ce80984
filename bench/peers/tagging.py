"""Tagging a file by other engines: from lines of text to entities, end to end. Prints a JSON line for each
engine: texts a second by the clock and by the CPU time spent (which a busy machine leaves alone), and
how many tokens have the label that PyTorch in f32 gives them.

Texts are sorted by length and padded in batches; tokenization, the model, labels and entities all
count. Longer texts than the model takes are cut off (ours are not).

    tagging.py --model FOLDER --texts FILE [--engines hf,ort,ort-int8,ov,ov-bf16] [--threads N]
"""
import argparse
import json
import os
import tempfile
import time

import numpy as np
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export(model, path):
    ids, mask = torch.ones(2, 8, dtype=torch.long), torch.ones(2, 8, dtype=torch.long)
    mask[1, 5:] = 0  # or the exported graph knows no mask
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=512)
    shapes = {"input_ids": {0: batch, 1: length}, "attention_mask": {0: batch, 1: length}}
    torch.onnx.export(Logits(model), (ids, mask), path, input_names=["input_ids", "attention_mask"],
                      output_names=["logits"], dynamic_shapes=shapes, dynamo=True, verbose=False)


def ort_session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]


def ov_session(path, threads, precision):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY"})
    return lambda ids, mask: compiled([ids, mask])[0]


def entities(words, offsets, labels, scores):
    """The words' first sub-words' labels, joined to spans, as transformers' "first" does."""
    found, last = [], None
    for i, word in enumerate(words):
        if word is None or word == last:
            last = word
            continue
        last = word
        label = labels[i]
        if label == "O":
            continue
        kind = label[2:]
        if label[0] == "I" and found and found[-1]["word"] == word - 1 and found[-1]["type"] == kind:
            found[-1].update(end=offsets[i][1], word=word)
        else:
            found.append({"type": kind, "start": offsets[i][0], "end": offsets[i][1], "word": word,
                          "score": float(scores[i])})
    return found


def tag(run, tokenizer, texts, id2label, size):
    lengths = [len(t) for t in texts]
    order = sorted(range(len(texts)), key=lambda i: lengths[i])
    results, all_labels = [None] * len(texts), [None] * len(texts)
    for at in range(0, len(order), size):
        part = order[at:at + size]
        batch = tokenizer([texts[i] for i in part], truncation=True, max_length=512, padding=True,
                          return_tensors="np", return_offsets_mapping=True)
        logits = run(batch["input_ids"].astype(np.int64), batch["attention_mask"].astype(np.int64))
        best = logits.argmax(-1)
        scores = 1 / np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)
        for k, i in enumerate(part):
            words = batch.word_ids(k)
            labels = [id2label[j] for j in best[k]]
            results[i] = entities(words, batch["offset_mapping"][k], labels, scores[k])
            all_labels[i] = [l for l, w in zip(labels, words) if w is not None]
    return results, all_labels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--engines", default="hf,ort,ort-int8,ov,ov-bf16")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForTokenClassification.from_pretrained(args.model).eval()
    id2label = model.config.id2label
    texts = [t for t in open(args.texts, encoding="utf-8").read().split("\n") if t]

    def plain(ids, mask):
        with torch.inference_mode():
            return model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits.numpy()

    _, reference = tag(plain, tokenizer, texts, id2label, args.batch)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        engines = args.engines.split(",")
        if set(engines) - {"hf"}:
            export(model, path)
        for name in engines:
            if name == "hf":
                pipe = pipeline("token-classification", model=model, tokenizer=tokenizer,
                                aggregation_strategy="first", device="cpu", batch_size=args.batch)
                call = lambda: (pipe(sorted(texts, key=len)), None)
            elif name == "ort":
                run = ort_session(path, args.threads)
            elif name == "ort-int8":
                from onnxruntime.quantization import QuantType, quantize_dynamic
                small = os.path.join(folder, "int8.onnx")
                quantize_dynamic(path, small, weight_type=QuantType.QInt8, per_channel=True)
                run = ort_session(small, args.threads)
            else:
                run = ov_session(path, args.threads, "bf16" if name == "ov-bf16" else "f32")
            if name != "hf":
                call = lambda run=run: tag(run, tokenizer, texts, id2label, args.batch)
                tag(run, tokenizer, texts[:64], id2label, args.batch)
            for _ in range(args.rounds):
                began, cpu = time.perf_counter(), time.process_time()
                _, labels = call()
                wall, cpu = time.perf_counter() - began, time.process_time() - cpu
                equal = sum(a == b for x, y in zip(reference, labels or []) for a, b in zip(x, y))
                total = sum(map(len, reference))
                print(json.dumps({"engine": name, "texts": len(texts),
                                  "texts_per_second": round(len(texts) / wall, 1),
                                  "texts_per_cpu_second": round(len(texts) / cpu, 1),
                                  "equal_labels": round(equal / total, 5) if labels else None,
                                  "threads": args.threads}), flush=True)


if __name__ == "__main__":
    main()
