#!/usr/bin/env bash
# examples/cpp, go and rust, built against an installed nerfit: they find what `nerfit predict` finds, and
# say what is wrong. Usage: test_languages.sh NERFIT. A language without a compiler here is skipped.
set -u
nerfit=$(realpath "$1")
root=$(mktemp -d)
trap 'chmod -R u+w "$root" && rm -rf "$root"' EXIT
make -s install DESTDIR="$root/installed" PREFIX=/usr >/dev/null || exit 1
library=$root/installed/usr/lib
export PKG_CONFIG_SYSROOT_DIR=$root/installed PKG_CONFIG_PATH=$library/pkgconfig LD_LIBRARY_PATH=$library
export GOCACHE=$root/cache GOFLAGS=-mod=mod GOTOOLCHAIN=local

python3 tests/made_model.py bert "$root/model" wake,me,up,at,nine token-classification
texts=('wake me up at nine' 'Größe: nine up' '' 'up at at nine, me wake')
printf '%s\n' "${texts[@]}" >"$root/texts"
"$nerfit" predict "$root/model" "$root/texts" --quiet | python3 -c '
import json, sys
for line in sys.stdin:
    found = json.loads(line)
    for e in found["entities"]:
        print("%s: %s (%.4f)" % (e["label"], found["text"][e["start"]:e["end"]], e["score"]))' >"$root/expected"
[ -s "$root/expected" ] || { echo "the model finds nothing: nothing to compare"; exit 1; }

failures=0
check() { # language
    local output
    "$root/$1" "$root/model" "${texts[@]}" >"$root/$1.out" 2>&1
    if ! diff "$root/expected" "$root/$1.out"; then
        echo "FAIL $1: other entities than nerfit predict"
        failures=$((failures + 1))
    fi
    output=$("$root/$1" "$root/nowhere" text 2>&1)
    if [ $? != 1 ] || ! grep -q 'is not a folder' <<<"$output"; then
        echo "FAIL $1: a missing model gives: $output"
        failures=$((failures + 1))
    fi
}
language() { # name, compiler, what builds it
    local name=$1 compiler=$2
    shift 2
    if ! command -v "$compiler" >/dev/null; then
        echo "skipped: $name (no $compiler)"
    elif "$@"; then
        check "$name"
    else
        echo "FAIL $name: does not build"
        failures=$((failures + 1))
    fi
}
build_cpp() {
    g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror examples/cpp/tag.cpp $(pkg-config --cflags nerfit) -L"$library" \
        -lnerfit -o "$root/cpp"
}
build_go() { (cd examples/go && go vet . && go build -o "$root/go" .); }
build_rust() { rustc -O -D warnings examples/rust/tag.rs -L "$library" -o "$root/rust"; }
language cpp g++ build_cpp
language rust rustc build_rust
language go go build_go
[ "$failures" = 0 ] && echo "C++, Rust and Go find what the program finds"
exit "$failures"
