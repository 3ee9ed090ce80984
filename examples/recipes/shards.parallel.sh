#!/bin/sh
# GNU parallel: all cores of this machine, a process each; started again it goes on where it was.
#
#     MODEL=runs/alarm/best INPUT=texts.txt OUTPUT=found SHARDS=64 sh shards.parallel.sh
#
# --joblog and --retries are parallel's own; --sshlogin runs the same on other machines that see the files.
set -eu
: "${MODEL:?}" "${INPUT:?}" "${OUTPUT:?}" "${SHARDS:=64}" "${NERFIT:=nerfit}" "${JOBS:=$(nproc)}"
seq "$SHARDS" | parallel --halt soon,fail=1 --retries 3 -j "$JOBS" \
    "$NERFIT" predict "$MODEL" "$INPUT" --shard '{}'/"$SHARDS" --output "$OUTPUT" --threads 1 --quiet
