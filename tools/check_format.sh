#!/usr/bin/env bash
# Whether the C sources are laid out as .clang-format says (tables made by tools/ aside), and whether
# the links and file names that docs and comments give are there. --fix lays the sources out.
set -euo pipefail
cd "$(dirname "$0")/.."

format=.venv/bin/clang-format
[ -x "$format" ] || format=clang-format-14
mapfile -t sources < <(git ls-files '*.c' '*.h' | grep -v '_data\.c$')
if [ "${1:-}" = --fix ]; then
    "$format" -i "${sources[@]}"
    exit
fi
failed=0
if command -v "$format" >/dev/null; then
    "$format" --dry-run -Werror "${sources[@]}" || failed=1
else
    echo "skipped: clang-format 14 is not here"
fi

# [text](target) in Markdown, relative to the file
while IFS=: read -r file line target; do
    target=${target%%#*}
    [ -z "$target" ] || [ -e "$(dirname "$file")/$target" ] || {
        echo "$file:$line: links to $target, which is not there"
        failed=1
    }
done < <(git ls-files '*.md' | xargs grep -noE '\]\([^)]+\)' | sed -E 's/\]\(([^)]*)\)$/\1/' |
    grep -vE ':(https?|mailto):')

# folder/file.c in comments and docs: from the root, from src/, or beside the file
while IFS=: read -r file line target; do
    [ -e "$target" ] || [ -e "src/$target" ] || [ -e "$(dirname "$file")/$target" ] || {
        echo "$file:$line: names $target, which is not there"
        failed=1
    }
done < <(git ls-files '*.md' '*.c' '*.h' | grep -v '^tests/golden' |
    xargs grep -noE '\b(python|src|base|text|data|tensor|model|train|predict|net|cli|tests|tools|bench|fuzz|docs)/[a-z0-9_/]+\.(c|h|py|sh|md)\b' |
    grep -vE '^[^:]*:[0-9]+:.*/\.\.')
exit $failed
