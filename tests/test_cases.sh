#!/usr/bin/env bash
# Cases of what people report, as files: one folder a case in tests/cases/, with
#   cmd           bash, run in a copy of the folder; `nerfit` is the program
#   expected      what it must print on standard output, to the byte
#   expected.err  and on standard error; without this file it must print nothing there
#   status        its exit status; 0 without this file
# and the inputs that cmd names. $MODEL is a tiny token classifier (labels O, B-a, I-a, ... of
# tests/golden/bert), $ENCODER a tiny encoder; both know the words "wake me up at nine". Others are made
# by $TESTS/made_model.py ($TESTS is this folder).
#
# Usage: test_cases.sh NERFIT [--update] [CASE ...]
# --update writes what was printed into the case's files instead of comparing: read the difference
# before you believe it.
set -u
export HF_HUB_OFFLINE=1 LC_ALL=C.UTF-8
nerfit_program=$(realpath "$1")
shift
update=false
[ "${1:-}" = --update ] && update=true && shift
cd "$(dirname "$0")/.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir "$root/bin"
ln -s "$nerfit_program" "$root/bin/nerfit"
export PATH="$root/bin:$PATH" MODEL="$root/model" ENCODER="$root/encoder" TESTS=$PWD/tests
python3 tests/made_model.py bert "$MODEL" wake,me,up,at,nine token-classification
python3 tests/made_model.py bert "$ENCODER" wake,me,up,at,nine

run_case() { # folder; prints what differs
    local case=$1 work=$root/work status=0 file
    rm -rf "$work"
    cp -r "$case" "$work"
    rm -f "$work"/{cmd,expected,expected.err,status}
    (cd "$work" && bash "$OLDPWD/$case/cmd") >"$root/expected" 2>"$root/expected.err" </dev/null || status=$?
    echo "$status" >"$root/status"
    for file in expected expected.err status; do
        if $update; then
            if { [ "$file" = expected.err ] && [ ! -s "$root/$file" ]; } ||
                { [ "$file" = status ] && [ "$status" = 0 ]; }; then
                rm -f "$case/$file"
            else
                cp "$root/$file" "$case/$file"
            fi
        elif [ -f "$case/$file" ]; then
            diff -u "$case/$file" "$root/$file" || return 1
        elif [ "$file" = status ]; then
            [ "$status" = 0 ] || { cat "$root/expected.err"; echo "exit status $status, expected 0"; return 1; }
        elif [ -s "$root/$file" ]; then
            echo "unexpected output ($file):"
            cat "$root/$file"
            return 1
        fi
    done
}

failures=0
count=0
for case in tests/cases/*/; do
    case=${case%/}
    [ $# -gt 0 ] && [[ " $* " != *" $(basename "$case") "* ]] && continue
    count=$((count + 1))
    if ! output=$(run_case "$case"); then
        printf 'FAIL %s\n%s\n' "$case" "$output"
        failures=$((failures + 1))
    fi
done
echo "$count cases, $failures failed"
[ "$count" -gt 0 ] && [ "$failures" -eq 0 ]
