#!/usr/bin/env bash
# Builds for AArch64 with Debian's cross compiler and its arm64 libraries, and runs tests of the result under
# qemu-user. The libraries are unpacked into build-aarch64/root: nothing of this machine's packages changes but
# for the compiler and qemu. Usage: tools/aarch64.sh [TEST...]; without tests those below.
set -euo pipefail
cd "$(dirname "$0")/.."
libraries=(libc6-dev libdnnl-dev libjansson-dev libyaml-dev libutf8proc-dev uthash-dev libcurl4-openssl-dev libexpat1-dev
    zlib1g-dev libmsgpack-dev libmicrohttpd-dev libcmocka-dev libgomp1 libgcc-s1 )
root=$PWD/build-aarch64/root
if [ ! -e "$root/complete" ]; then
    # apt with a state of its own: lists, an empty status file and arm64 as its architecture
    state=$PWD/build-aarch64/apt
    mkdir -p "$state"/{lists/partial,archives/partial} "$root"
    : >"$state/status"
    apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State::lists=$state/lists"
        -o "Dir::State::status=$state/status" -o "Dir::Cache::archives=$state/archives" -o Debug::NoLocking=1
        -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Sandbox::User=root
        -o APT::Install-Recommends=false)
    "${apt[@]}" update
    "${apt[@]}" install -y --download-only "${libraries[@]}" >/dev/null
    for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    touch "$root/complete"
fi
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig
build=(make -s -j"$(nproc)" BUILD=build-aarch64 CC="${CROSS:-aarch64-linux-gnu-gcc} --sysroot=$root"
    LDFLAGS="-Wl,-rpath-link,$root/lib/aarch64-linux-gnu:$root/usr/lib/aarch64-linux-gnu")
"${build[@]}" all
# gcc 12.2's vectorizer for AArch64 fails on a loop of tests/test_backend_cpu.c (internal compiler error)
"${build[@]}" OPT="-O2 -fno-tree-vectorize" tests
tests=("$@")
[ $# -gt 0 ] || tests=(test_base test_annotations test_architectures test_byte_level test_decoder test_safetensors
    test_tokenizer_components)
# emulated threads that spin for each other make no way
export OMP_NUM_THREADS=1
failed=0
for t in "${tests[@]}"; do
    if qemu-aarch64 -L "$root" "build-aarch64/tests/$t" >build-aarch64/log 2>&1; then
        echo "ok    aarch64 $t"
    else
        echo "FAIL  aarch64 $t"
        tail -n 20 build-aarch64/log
        failed=1
    fi
done
exit $failed
