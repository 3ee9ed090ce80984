#!/usr/bin/env bash
# `./run deb`: what the packages hold, unpacked into an empty place, runs and is linked with.
set -eu
./run deb >/dev/null
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for package in build/deb/*.deb; do dpkg-deb -x "$package" "$root"; done
library=$(dirname "$(ls "$root"/usr/lib/*/libnerfit.so)")
version=$(sed -n 's/.*define NERFIT_VERSION "\(.*\)"/\1/p' include/nerfit.h)
[ "$("$root/usr/bin/nerfit" --version)" = "nerfit $version" ]
# what the shared library is called at run time is what its package is named after
soname=$(objdump -p "$library/libnerfit.so" | awk '/SONAME/ {print $2}')
[ -e "$library/$soname" ]
[ -e "build/deb/libnerfit${soname##*.}_${version}_$(dpkg --print-architecture).deb" ]
export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_PATH="$library/pkgconfig"
[ "$(pkg-config --modversion nerfit)" = "$version" ]
cc examples/predict_threads.c $(pkg-config --cflags --libs nerfit) -lpthread -o "$root/program"
LD_LIBRARY_PATH="$library" "$root/program" "$root/nowhere" text 2>&1 | grep -q 'is not a folder'
for file in share/man/man1/nerfit.1.gz share/bash-completion/completions/nerfit share/zsh/vendor-completions/_nerfit \
    share/fish/vendor_completions.d/nerfit.fish include/nerfit.h share/doc/nerfit/copyright; do
    [ -e "$root/usr/$file" ] || { echo "usr/$file is in no package"; exit 1; }
done
dpkg-deb -f build/deb/nerfit_*.deb Recommends | grep -q libcurl4
echo "the packages hold a program, a library and all that belongs to them"
