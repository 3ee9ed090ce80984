#!/usr/bin/env bash
# The benchmarks on the data given by NERFIT_TEST_DATA with the demo encoder: training steps, tagging,
# and where the time goes. With --peers the original's training, a PyTorch loop, other inference engines
# and Hugging Face tokenizers run in turns with ours (from PyPI, in .venv-peers), and the tables of
# docs/performance.md between its "measured" marks are written anew; a model of roberta-base's shape, with
# random weights, is measured too. BENCH_THREADS, BENCH_ROUNDS: other than all cores and 3.
set -euo pipefail
data=${NERFIT_TEST_DATA:-../shared/data}
embeddings=$data/ner/nerfit-artifacts/ent2emb.safetensors
[ -f "$embeddings" ] || { echo "the data is not here: $embeddings (see docs/testing.md)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rounds=${BENCH_ROUNDS:-3}
threads=${BENCH_THREADS:-$(nproc)}
head -100 "$data/ner/nerfit-artifacts/sample_data.txt" >"$work/train.txt"
peers=()
if [ "${1:-}" = --peers ]; then
    if [ ! -x .venv-peers/bin/python ]; then
        echo "installing torch, transformers, peft, onnxruntime and openvino into .venv-peers" >&2
        python3 -m venv .venv-peers
        .venv-peers/bin/python -m pip install -q torch transformers peft accelerate seqeval tokenizers \
            onnx onnxscript onnxruntime openvino
    fi
    peers=(--peers "$PWD/.venv-peers/bin/python")
fi

# a model to tag with: name, encoder, steps
tagger() {
    build/nerfit train --model_name "$2" --output_dir "$work/$1" --max_steps "0,$3" --recipe original \
        --train_annotations "$data/ner/slurp/train.txt" --per_device_train_batch_size 16 \
        --learning_rate 1e-4 --bf16 true --save_strategy no >/dev/null 2>&1
}

# short texts, and paragraphs of 400 to 1,500 characters
texts() {
    sed -E 's/\[[^]:]* : ([^]]*)\]/\1/g' "$data/ner/slurp/test.txt" >"$work/short.txt"
    cat "$data"/text/gutenberg/*.txt | tr -d '\r' |
        awk 'BEGIN { RS = "" } { gsub(/\n/, " ") } length >= 400 && length <= 1500 && ++n <= 300' \
            >"$work/long.txt"
    head -1000 "$work/short.txt" >"$work/short-roberta.txt"
    head -60 "$work/long.txt" >"$work/long-roberta.txt"
}

# name of the model, texts, what they are
tag() {
    printf '\n### Tagging, %s, %s %s\n' "$1" "$(wc -l <"$work/$2.txt")" "$3"
    python3 bench/tagging.py --model "$work/$1/best" --texts "$work/$2.txt" --rounds "$rounds" \
        --threads "$threads" "${peers[@]}"
}

readme=(--train "$work/train.txt" --ent2emb "$embeddings" --rounds "$rounds" --threads "$threads")

all() {
    echo "### Training, MiniLM"
    python3 bench/training.py "${readme[@]}" --full "$data/ner/slurp/train.txt" "${peers[@]}"
    texts
    tagger MiniLM .cache/all-MiniLM-L6-v2 600
    tag MiniLM short "short texts"
    tag MiniLM long paragraphs
    printf '\n### F1 on slurp test by precision\n'
    local precision
    for precision in f32 bf16 int8; do
        printf '%s' "- $precision: "
        build/nerfit eval "$work/MiniLM/best" "$data/ner/slurp/test.txt" --precision $precision --quiet 2>/dev/null |
            awk '/micro avg/ { print $(NF - 1) }'
    done
    printf '\n### Start to first entity\n'
    head -1 "$work/short.txt" >"$work/one.txt"
    python3 bench/start.py --model "$work/MiniLM/best" --text "$work/one.txt"
    printf '\n### nerfit bench\n```\n'
    build/nerfit bench "$work/MiniLM/best" --threads "$threads"
    printf '```\n'
    [ ${#peers[@]} -gt 0 ] || return 0
    printf '\n### Tokenizers\n```\n'
    make build/tests/tool_tokenize >/dev/null
    "${peers[1]}" bench/tokenizer_speed.py --data "$data"
    printf '```\n'
    "${peers[1]}" bench/peers/roberta_shape.py "$work/roberta-base-shape" "$data/tokenizers/roberta-base"
    printf '\n### Training, the shape of roberta-base\n'
    python3 bench/training.py "${readme[@]}" --model "$work/roberta-base-shape" --steps 100 \
        --peer-steps 20 "${peers[@]}"
    tagger RoBERTa "$work/roberta-base-shape" 40
    tag RoBERTa short-roberta "short texts"
    tag RoBERTa long-roberta paragraphs
    printf '\n### Start to first entity, the shape of roberta-base\n'
    python3 bench/start.py --model "$work/RoBERTa/best" --text "$work/one.txt"
}

all | tee "$work/tables.md"
if [ ${#peers[@]} -gt 0 ]; then
    {
        sed '/^<!-- measured -->$/q' docs/performance.md
        printf 'On %s, %s threads, %s, %s rounds; ' "$(date +%F)" "$threads" \
            "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$rounds"
        .venv-peers/bin/python -m pip list 2>/dev/null |
            awk '$1 ~ /^(torch|transformers|peft|onnxruntime|openvino|tokenizers)$/ { printf "%s %s, ", $1, $2 }'
        printf 'gcc %s.\n\n' "$(gcc -dumpfullversion)"
        cat "$work/tables.md"
        sed -n '/^<!-- end -->$/,$p' docs/performance.md
    } >"$work/performance.md"
    cp "$work/performance.md" docs/performance.md
fi
