#!/usr/bin/env bash
# The benchmarks that need no peer: training steps of the demo encoder on the data given by
# NERFIT_TEST_DATA. With --peers also the original's training and Hugging Face tokenizers, from PyPI.
set -euo pipefail
data=${NERFIT_TEST_DATA:-../shared/data}
embeddings=$data/ner/nerfit-artifacts/ent2emb.safetensors
[ -f "$embeddings" ] || { echo "the data is not here: $embeddings (see docs/testing.md)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -100 "$data/ner/nerfit-artifacts/sample_data.txt" >"$work/train.txt"
peers=()
if [ "${1:-}" = --peers ]; then
    if [ ! -x .venv-peers/bin/python ]; then
        echo "installing torch, transformers and peft into .venv-peers" >&2
        python3 -m venv .venv-peers
        .venv-peers/bin/python -m pip install -q torch transformers peft accelerate seqeval tokenizers
    fi
    peers=(--peers "$PWD/.venv-peers/bin/python")
fi
python3 bench/training.py --train "$work/train.txt" --ent2emb "$embeddings" "${peers[@]}"
if [ ${#peers[@]} -gt 0 ]; then
    make build/tests/tool_tokenize >/dev/null
    .venv-peers/bin/python bench/tokenizer_speed.py --data "$data" || true
fi
