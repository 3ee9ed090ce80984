#!/bin/sh
# The table of formats in docs/formats.md, from the program's own (src/data/formats/table.c).
#   formats_table.sh NERFIT --write   puts it into docs/formats.md
#   formats_table.sh NERFIT           says whether what stands there is the same
set -eu
root=$(dirname "$0")/..
page=$root/docs/formats.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
    sed '/^| name | format |/,$d' "$page"
    "$1" data formats --markdown
    sed '1,/^|---|---|/d' "$page" | sed '/^|/d'
} >"$new"
if [ "${2:-}" = --write ]; then
    cp "$new" "$page"
else
    diff -u "$page" "$new"
fi
