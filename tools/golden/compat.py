"""Folders that an earlier nerfit wrote, and what it made of them: tests/test_compat.py holds this version
to both. Makes tests/golden/compat-COMMIT of a build of that commit; needs nothing but Python.

    git worktree add ../base 0a4faaf && make -C ../base
    python3 tools/golden/compat.py ../base/build/nerfit tests/golden/compat-0a4faaf

An encoder with random weights, three runs over it (recipe nerfit in full; recipe original with an adapter;
recipe nerfit with word shapes and DoRA on a pre-trained encoder), each with best/, adapter/, its stage-1
values, a checkpoint in the middle of stage 2 and what it predicts. Paths are relative, and nerfit runs
in the folder.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

WORDS = "wake me up at nine in madrid play jazz now please ten call rome bob".split()
TEXTS = ["wake me up at nine", "call bob at ten please", "play jazz in rome now", "in madrid at nine"]
RUNS = {
    "full": ["--recipe", "nerfit", "--max_steps", "3,6"],
    "lora": ["--recipe", "original", "--peft_lora", "true", "--lora_r", "2", "--lora_alpha", "4",
             "--target_modules", "query,value", "--max_steps", "3,6"],
    "dora": ["--recipe", "nerfit", "--model_name", "pretrained", "--peft_lora", "true", "--use_dora",
             "true", "--lora_r", "2", "--target_modules", "query,dense", "--word_shape", "true",
             "--max_steps", "0,6"],
}
SHARED = ["--model_name", "encoder", "--st_model_name", "encoder", "--train_annotations", "train.txt",
          "--val_annotations", "val.txt", "--ent2emb", "labels.yaml", "--eval_strategy", "steps",
          "--save_strategy", "steps", "--eval_steps", "3", "--save_steps", "3", "--logging_steps", "3",
          "--save_total_limit", "0", "--calibration", "none", "--per_device_train_batch_size", "4",
          "--threads", "1", "--backend", "ref", "--seed", "11"]
KEPT = ["best", "adapter", "base", "stage1/finished", "stage2/checkpoint-3", "training_args.json"]
TRAIN = """wake me up at [time : nine]
call [person : bob] at [time : ten] please
play jazz in [city : rome] now
in [city : madrid] at [time : ten]
wake [person : bob] up now
please play jazz
call me in [city : madrid]
me at [time : nine] in [city : rome]
"""


def write_encoder(folder):
    hidden, inner, layers = 8, 16, 1
    rng = random.Random(5)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS,
                  *"abcdefghijklmnopqrstuvwxyz:", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": len(vocabulary),
              "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": 2,
              "intermediate_size": inner, "hidden_act": "gelu", "max_position_embeddings": 24,
              "type_vocab_size": 2, "pad_token_id": 0, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    shapes = {"embeddings.word_embeddings.weight": [len(vocabulary), hidden],
              "embeddings.position_embeddings.weight": [24, hidden],
              "embeddings.token_type_embeddings.weight": [2, hidden]}
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        at = f"encoder.layer.{i}."
        for name, out, into in [("attention.self.query", hidden, hidden),
                                ("attention.self.key", hidden, hidden),
                                ("attention.self.value", hidden, hidden),
                                ("attention.output.dense", hidden, hidden),
                                ("intermediate.dense", inner, hidden), ("output.dense", hidden, inner)]:
            shapes[f"{at}{name}.weight"], shapes[f"{at}{name}.bias"] = [out, into], [out]
        norms += [f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"]
    for norm in norms:
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = [hidden]
    header, data = {}, b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        middle = 1.0 if "LayerNorm.weight" in name else 0.0
        values = struct.pack(f"<{count}f", *(middle + 0.3 * rng.gauss(0, 1) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(nerfit, out):
    out = out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    write_encoder(out / "encoder")
    (out / "train.txt").write_text(TRAIN)
    (out / "val.txt").write_text("".join(TRAIN.splitlines(True)[2:6]))
    (out / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    (out / "labels.yaml").write_text("time: a time of day\ncity: a city\nperson: a name of a person\n")

    def run(*arguments):
        done = subprocess.run([nerfit, *arguments], cwd=out, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def tokens(model):
        return run("predict", model, "texts.txt", "--output", "tokens", "--backend", "ref")

    def keep(name, parts):
        for path in sorted((out / name).rglob("*"), reverse=True):
            within = path.relative_to(out / name).as_posix()
            kept = any(within == part or within.startswith(f"{part}/") for part in parts)
            if path.is_file() and (not kept or path.name == "README.md"):
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        for path in (out / name).rglob("*.*"):  # nothing of the machine it was made on
            up = "../" * (len(path.relative_to(out).parts) - 1)
            if path.suffix == ".json":
                path.write_text(path.read_text().replace(f"{out}/", up))
            elif path.name == "description_head.safetensors":
                data = path.read_bytes()
                size = struct.unpack("<Q", data[:8])[0]
                header = data[8 : 8 + size].replace(f"{out}/".encode(), up.encode()).rstrip()
                header += b" " * (-len(header) % 8)
                path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + size :])

    run("pretrain", "--model_name", "encoder", "--st_model_name", "encoder", "--pretrain_annotations",
        "train.txt", "--pretrain_ent2emb", "labels.yaml", "--max_steps", "4", "--backend", "ref", "--threads",
        "1", "--output_dir", "pre", "--per_device_train_batch_size", "4")
    shutil.move(out / "pre" / "best", out / "pretrained")
    shutil.rmtree(out / "pre")
    keep("pretrained", [p.name for p in (out / "pretrained").iterdir()])
    expected = {"embed": run("embed", "encoder", "texts.txt", "--backend", "ref"), "tokens": {}}
    expected["new_labels"] = run("predict", "pretrained", "texts.txt", "--labels", "labels.yaml",
                                 "--st_model_name", "encoder", "--output", "tokens", "--backend", "ref")
    for name, options in RUNS.items():
        command = ["train", *SHARED, *options, "--output_dir", name]
        run(*command)
        expected.setdefault("commands", {})[name] = command
        for model in ("best", "adapter"):
            if (out / name / model).exists():
                expected["tokens"][f"{name}/{model}"] = tokens(f"{name}/{model}")
        keep(name, KEPT)
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    make(os.path.abspath(sys.argv[1]), Path(sys.argv[2]))
