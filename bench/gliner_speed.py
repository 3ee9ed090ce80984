"""Speed of a GLiNER model of the shape of urchade/gliner_small-v2.1, side by side: nerfit, the package
`gliner` (torch), and onnxruntime over the package's export. Weights are random, so entities mean nothing;
the work is the same. CPU time (user and system) of one thread a text, loading left out; each peer in a
process of its own, in turns; medians and ratios of pairs. Peak memory is that of the process, Python included.

    bench/gliner_speed.py FOLDER [--rounds 3] [--texts 60]

FOLDER receives the model, made once (610 MB: of the original's 128,004 word embeddings the tokenizer here
has a quarter, the rest is there for its memory). Needs python3 with gliner, onnx, onnxruntime, and the
tokenizer in .cache/all-MiniLM-L6-v2; nerfit is taken from build/.
"""
import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
LABELS = ["person", "organization", "city", "date", "drug", "dose", "song", "product", "event", "law"]
ROWS = 128_004
PEERS = ["gliner f32", "gliner bf16", "onnxruntime f32", "nerfit f32", "nerfit bf16", "nerfit int8"]


def texts_of(kind, count):
    """Texts of the open-types corpus: as they are, or seven joined to a paragraph."""
    found = []
    for path in sorted((ROOT / "corpora" / "open-types").rglob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            plain = re.sub(r"\[[^:\]]+ : ([^\]]*)\]", r"\1", line).strip()
            if 20 < len(plain) < 120 and plain.isascii():
                found.append(plain)
    if kind == "short":
        return found[:: max(1, len(found) // count)][:count]
    return [" ".join(found[i * 7 : i * 7 + 7]) for i in range(count // 4)]


def make(folder):
    import torch
    from gliner import GLiNER
    from gliner.config import GLiNERConfig
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ROOT / ".cache" / "all-MiniLM-L6-v2")
    encoder = dict(model_type="deberta-v2", hidden_size=768, num_hidden_layers=6, num_attention_heads=12,
                   intermediate_size=3072, max_position_embeddings=512, position_buckets=256,
                   max_relative_positions=-1, relative_attention=True, share_att_key=True,
                   position_biased_input=False, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm",
                   type_vocab_size=0, layer_norm_eps=1e-7, vocab_size=len(tokenizer))
    fields = dict(model_name="encoder", span_mode="markerV0", hidden_size=512, max_width=12, max_len=384,
                  encoder_config=encoder, vocab_size=-1, class_token_index=-1)
    cls = GLiNER._get_gliner_class(GLiNERConfig(**fields))
    torch.manual_seed(0)
    config = cls.config_class(**fields)
    model = cls(config, tokenizer=tokenizer, backbone_from_pretrained=False)
    cls._set_tokenizer_spec_tokens(tokenizer)
    cls._resize_token_embeddings(model, config, tokenizer, True)
    model.model.token_rep_layer.resize_token_embeddings(ROWS)
    model.config.vocab_size = model.config.encoder_config.vocab_size = ROWS
    model.save_pretrained(folder, safe_serialization=True)


def cpu():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def runner(peer, folder):
    """A function of texts."""
    system, precision = peer.split()
    if system == "nerfit":
        sys.path.insert(0, str(ROOT / "python"))
        os.environ.setdefault("NERFIT_LIBRARY", str(ROOT / "build" / "libnerfit.so"))
        import nerfit

        model = nerfit.load(str(folder), threads=1, precision=precision)
        return lambda texts: model.predict(texts, labels=LABELS)
    import torch
    from gliner import GLiNER

    torch.set_num_threads(1)
    if system == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        if not (folder / "model.onnx").exists():
            GLiNER.from_pretrained(str(folder), local_files_only=True).export_to_onnx(str(folder))
        model = GLiNER.from_pretrained(str(folder), local_files_only=True, load_onnx_model=True,
                                       onnx_model_file="model.onnx", session_options=options)
    else:
        model = GLiNER.from_pretrained(str(folder), local_files_only=True,
                                       **({"dtype": "bf16"} if precision == "bf16" else {}))
        model.eval()
    return lambda texts: model.inference(texts, LABELS, threshold=0.5, batch_size=8)


def measure(peer, folder, kind, count):
    run = runner(peer, folder)
    texts = texts_of(kind, count)
    run(texts[:4])
    began = cpu()
    run(texts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": 1000 * (cpu() - began) / len(texts), "peak_mb": round(peak)}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--peer")
    parser.add_argument("--kind")
    options = parser.parse_args()
    if options.peer:
        return measure(options.peer, options.folder, options.kind, options.texts)
    if not (options.folder / "gliner_config.json").exists():
        make(options.folder)
    for kind in ("short", "paragraphs"):
        found = {peer: [] for peer in options.peers.split(",")}
        for _ in range(options.rounds):
            for peer, rows in found.items():
                # a process counts the memory that its parent had before it became another program: the shell
                # has none, and this one may have made the model
                out = subprocess.run(
                    ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, __file__, str(options.folder), "--peer",
                     peer, "--kind", kind, "--texts", str(options.texts)], capture_output=True, text=True)
                if out.returncode:
                    print(peer, out.stderr[-400:], file=sys.stderr)
                    continue
                rows.append(json.loads(out.stdout.strip().splitlines()[-1]))
        base = [r["ms"] for r in found.get("gliner f32", [])]
        for peer, rows in found.items():
            if not rows:
                continue
            ratios = [b / r["ms"] for b, r in zip(base, rows)]
            print(f"{kind:11} {peer:16} {statistics.median(r['ms'] for r in rows):8.1f} ms a text"
                  f"  gliner f32 / it {statistics.median(ratios) if ratios else float('nan'):5.2f}"
                  f"  peak {max(r['peak_mb'] for r in rows)} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
