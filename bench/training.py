#!/usr/bin/env python3
"""Seconds a training step and peak memory: nerfit, and with --peers the original's training and a
PyTorch loop of full fine-tuning.

Two settings: the original's README (DoRA r=16 on query and value, batch 8), stage 1 and stage 2; and
all weights trained, batch 16 (--full: annotated texts). Ours is the difference of a long and a short
run over their steps, the peers' is their own median; they take turns, and the medians of all rounds
are printed with their ratio, by the clock and by the CPU time spent. On a machine that does other
things too, --threads 1 and the CPU time are what can be compared.

    bench/training.py --model FOLDER --train FILE --ent2emb FILE [--full FILE] [--peers PYTHON]
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


def run(args, precision, options):
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        threads = ["--threads", str(args.threads)] if args.threads else []
        subprocess.run([args.nerfit, "train", "--model_name", args.model,
                        "--output_dir", os.path.join(folder, "run"), "--save_strategy", "no",
                        "--precision", precision, *threads, *options],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return (time.perf_counter() - began,
                resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu)


def a_step(args, precision, options, short, long):
    a = run(args, precision, options + ["--max_steps", short])
    b = run(args, precision, options + ["--max_steps", long])
    return [(y - x) / args.steps for x, y in zip(a, b)]


def readme(args, precision):
    options = ["--train_annotations", args.train, "--ent2emb", args.ent2emb,
               "--peft_lora", "true", "--lora_r", "16", "--lora_alpha", "16",
               "--lora_dropout", "0.1", "--use_dora", "true", "--warmup_steps", "1000,500",
               "--learning_rate", "5e-5,1e-5", "--recipe", "original"]
    return {"README, stage 1": a_step(args, precision, options, "1,1", f"{args.steps + 1},1"),
            "README, stage 2": a_step(args, precision, options, "1,1", f"1,{args.steps + 1}")}


def full(args, precision):
    options = ["--recipe", "original", "--train_annotations", args.full,
               "--per_device_train_batch_size", "16"]
    return {"all weights": a_step(args, precision, options, "0,1", f"0,{args.steps + 1}")}


def peer(args, script, options):
    threads = ["--threads", str(args.threads)] if args.threads else []
    result = subprocess.run([args.peers, os.path.join(HERE, "peers", script), "--model", args.model,
                             *options, *threads], check=True, capture_output=True, text=True)
    return json.loads(result.stdout.strip().split("\n")[-1])


def original(args, bf16):
    result = peer(args, "original.py", ["--train", args.train, "--ent2emb", args.ent2emb, "--steps",
                                        str(args.peer_steps), str(args.peer_steps)] +
                  (["--bf16"] if bf16 else []))
    pairs = zip(result["seconds_per_step"], result["cpu_seconds_per_step"])
    return dict(zip(("README, stage 1", "README, stage 2"), map(list, pairs))), result["peak_mb"]


def finetune(args, bf16):
    result = peer(args, "finetune.py", ["--train", args.full, "--steps", str(args.peer_steps)] +
                  ([] if bf16 else ["--f32"]))
    return ({"all weights": [result["seconds_per_step"], result["cpu_seconds_per_step"]]},
            result["peak_mb"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--train", default="examples/assistant/train.txt")
    parser.add_argument("--ent2emb", required=True, help="safetensors (the peer reads no other form)")
    parser.add_argument("--full", help="annotated texts for the training of all weights")
    parser.add_argument("--peers", metavar="PYTHON", help="a Python with torch, transformers, peft")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--peer-steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    times, memory = {}, {}

    def note(who, results):
        for setting, pair in results.items():
            times.setdefault((setting, who), []).append(pair)

    for _ in range(args.rounds):
        for precision in ("bf16", "f32"):
            note(f"nerfit, {precision}", readme(args, precision))
            if args.full:
                note(f"nerfit, {precision}", full(args, precision))
        # before the first peer runs, the largest child is ours
        memory.setdefault("nerfit", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
        for bf16 in (False, True) if args.peers else ():
            kind = "bf16" if bf16 else "f32"
            for call in (original, finetune) if args.full else (original,):
                results, peak = call(args, bf16)
                note(f"PyTorch, {kind}", results)
                memory[call.__name__] = max(memory.get(call.__name__, 0), peak)
    print("| setting | | s/step | CPU s/step | PyTorch f32 / this | by CPU time |")
    print("|---|---|---|---|---|---|")
    medians = {key: [statistics.median(p[i] for p in values) for i in (0, 1)]
               for key, values in times.items()}
    for (setting, who), (wall, cpu) in sorted(medians.items()):
        base = medians.get((setting, "PyTorch, f32"))
        ratios = [f"{b / t:.1f}" for b, t in zip(base, (wall, cpu))] if base else ["–", "–"]
        print(f"| {setting} | {who} | {wall:.4f} | {cpu:.4f} | {ratios[0]} | {ratios[1]} |")
    print("peak memory, MB:", ", ".join(f"{k} {v}" for k, v in memory.items()))


if __name__ == "__main__":
    main()
