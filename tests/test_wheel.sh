#!/usr/bin/env bash
# A wheel of ./run wheel in a root that has Python and what manylinux promises of the system (glibc, the
# compiler's libraries, zlib, expat), and nothing else: no compiler, no -dev package, no oneDNN, jansson,
# libyaml, utf8proc, msgpack. The package and its program tag a text there.
#
# Usage: test_wheel.sh WHEEL
set -euo pipefail
wheel=$(realpath "$1")
cd "$(dirname "$0")/.."
case $wheel in
*-py3-none-manylinux_*) ;;
*) echo "FAIL: $wheel is not for any Python 3 on manylinux"; exit 1 ;;
esac
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/proc" # where a program learns what lies beside it
namespaces=(unshare --mount --pid --fork)
[ "$(id -u)" = 0 ] || namespaces=(unshare -r --mount --pid --fork)
if ! "${namespaces[@]}" mount -t proc proc "$root/proc" 2>/dev/null; then
    echo "skipped: a root of its own takes root, or a user's own namespaces"
    exit 0
fi
enter=("${namespaces[@]}" sh -c 'mount -t proc proc "$1/proc" && exec chroot "$@"' sh)
python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
prefix=$(python3 -c 'import sys; print(sys.base_prefix)')
version=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')

put() { # a file and the libraries that it names, where they are
    local file
    for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$root$(dirname "$file")"
        cp -Ln "$file" "$root$file"
    done
}
put "$python"
mkdir -p "$root$prefix/lib" "$root/tmp"
tar -C "$prefix/lib" --exclude=site-packages --exclude=dist-packages --exclude=test --exclude=__pycache__ \
    --exclude='config-*' -c "$version" | tar -C "$root$prefix/lib" -x
for file in "$root$prefix/lib/$version/lib-dynload/"*.so; do put "${file#"$root"}"; done
for name in libm.so.6 libmvec.so.1 libstdc++.so.6 libgcc_s.so.1 libz.so.1 libexpat.so.1 libpthread.so.0 libdl.so.2 librt.so.1; do
    put "$(ldconfig -p | awk -v name="$name" '$1 == name && /x86-64|AArch64/ {print $NF; exit}')"
done
for name in libdnnl libjansson libyaml libutf8proc libmsgpack libgomp; do
    ! find "$root" -name "$name*" | grep -q . || { echo "FAIL: the root has $name"; exit 1; }
done
python3 -m zipfile -e "$wheel" "$root/site"
chmod +x "$root/site/nerfit/bin/nerfit"
python3 tests/made_model.py lookup "$root/model" wake,me,at,nine O,B-time nine=B-time
run() { "${enter[@]}" "$root" /usr/bin/env -i PYTHONPATH=/site LC_ALL=C.UTF-8 "$@"; }
put /usr/bin/env

found=$(run "$python" -c 'import nerfit; print(nerfit.load("/model").predict("wake me at nine")[0][:4])')
[ "$found" = "(11, 15, 'time', 'nine')" ] || { echo "FAIL: Python found $found"; exit 1; }
echo "wake me at nine" >"$root/texts.txt"
found=$(run /site/nerfit/bin/nerfit predict /model /texts.txt --format brackets --quiet)
[ "$found" = "wake me at [time : nine]" ] || { echo "FAIL: the program found $found"; exit 1; }
if told=$(run /site/nerfit/bin/nerfit download acme/tagger 2>&1); then
    echo "FAIL: a download without libcurl"
    exit 1
fi
case $told in
*libcurl*) ;;
*) echo "FAIL: of libcurl: $told"; exit 1 ;;
esac
echo "$(basename "$wheel") works in a root without what it was built with"
