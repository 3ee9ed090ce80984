#!/usr/bin/env bash
# make install into an empty place, and a program built against what lies there.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make -s install DESTDIR="$root" PREFIX=/usr >/dev/null
export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_PATH="$root/usr/lib/pkgconfig"
cc examples/predict_threads.c $(pkg-config --cflags nerfit) -L"$root/usr/lib" -lnerfit -lpthread -o "$root/program"
[ "$(pkg-config --modversion nerfit)" = "$("$root/usr/bin/nerfit" --version | cut -d' ' -f2)" ]
LD_LIBRARY_PATH="$root/usr/lib" "$root/program" "$root/nowhere" text 2>&1 | grep -q 'is not a folder'
# nothing but nerfit_ names is exported
if nm -D --defined-only "$root/usr/lib/libnerfit.so" | awk '{print $3}' | grep -vE '^nerfit_|^_init$|^_fini$|^_edata$|^_end$|^__bss_start$'; then
    echo "the library exports other names than nerfit_*"
    exit 1
fi
echo "installed, linked and ran"
