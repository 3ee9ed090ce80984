#!/usr/bin/env python3
"""Seconds a training step and peak memory: nerfit, and with --peers the original's training.

The original's README settings (DoRA r=16 on query and value, batch 8). Ours is the difference of a
long and a short run over their steps, the peer's is its own median; they take turns, and the medians
of all rounds are printed with their ratio.

    bench/training.py --model FOLDER --train FILE --ent2emb FILE [--peers PYTHON] [--rounds 3]
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(args, precision, first, second):
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [args.nerfit, "train", "--model_name", args.model, "--train_annotations", args.train,
             "--ent2emb", args.ent2emb, "--output_dir", os.path.join(folder, "run"),
             "--peft_lora", "true", "--lora_r", "16", "--lora_alpha", "16", "--lora_dropout", "0.1",
             "--use_dora", "true", "--warmup_steps", "1000,500", "--learning_rate", "5e-5,1e-5",
             "--recipe", "original", "--max_steps", f"{first},{second}", "--save_strategy", "no", "--precision", precision],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - began


def ours(args, precision):
    n, short = args.steps, run(args, precision, 1, 1)
    return [(run(args, precision, n + 1, 1) - short) / n,
            (run(args, precision, 1, n + 1) - short) / n]


def theirs(args, bf16):
    command = [args.peers, os.path.join(HERE, "peers", "original.py"), "--model", args.model,
               "--train", args.train, "--ent2emb", args.ent2emb, "--steps", str(args.peer_steps),
               str(args.peer_steps)] + (["--bf16"] if bf16 else [])
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout.strip().split("\n")[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--train", default="examples/assistant/train.txt")
    parser.add_argument("--ent2emb", required=True, help="safetensors (the peer reads no other form)")
    parser.add_argument("--peers", metavar="PYTHON", help="a Python with torch, transformers, peft")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--peer-steps", type=int, default=40)
    args = parser.parse_args()
    times, memory, peer_memory = {}, 0, 0
    for _ in range(args.rounds):
        for precision in ("bf16", "f32"):
            times.setdefault(("nerfit", precision), []).append(ours(args, precision))
        # before the first peer runs, the largest child is ours
        memory = memory or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        for bf16 in (False, True) if args.peers else ():
            result = theirs(args, bf16)
            peer_memory = max(peer_memory, result["peak_mb"])
            key = ("original", "bf16" if bf16 else "f32")
            times.setdefault(key, []).append(result["seconds_per_step"])
    medians = {key: [statistics.median(t[s] for t in values) for s in (0, 1)]
               for key, values in times.items()}
    print("| | precision | stage 1, s/step | stage 2, s/step | original f32 / this |")
    print("|---|---|---|---|---|")
    base = medians.get(("original", "f32"))
    for (name, precision), (first, second) in medians.items():
        ratio = f"{base[0] / first:.1f} / {base[1] / second:.1f}" if base else "–"
        print(f"| {name} | {precision} | {first:.4f} | {second:.4f} | {ratio} |")
    print(f"peak memory: {memory} MB; original: {peer_memory or '–'} MB")


if __name__ == "__main__":
    main()
