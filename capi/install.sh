#!/usr/bin/env bash
# Builds libfrit and installs it with its header, and with what pkg-config and CMake find it by. Nothing of it names the
# folder: it may be moved as a whole.
#
# usage: capi/install.sh PREFIX          FRIT_LIBRARIES=DIR takes the libraries that were built there already
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: capi/install.sh PREFIX" >&2; exit 2; }
mkdir -p "$1"
prefix="$(cd "$1" && pwd)"
cd "$(dirname "$0")/.."

version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
libraries="${FRIT_LIBRARIES:-}"
if [ -z "$libraries" ]; then
    cargo build --release --locked --package frit-capi
    libraries="${CARGO_TARGET_DIR:-target}/release"
fi

mkdir -p "$prefix/include" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/frit"
install -m 644 capi/include/frit.h "$prefix/include/frit.h"
install -m 644 "$libraries/libfrit.a" "$prefix/lib/libfrit.a"
install -m 755 "$libraries/libfrit.so" "$prefix/lib/libfrit.so.$version"
ln -sf "libfrit.so.$version" "$prefix/lib/libfrit.so.0"
ln -sf libfrit.so.0 "$prefix/lib/libfrit.so"
sed "s/@VERSION@/$version/" capi/frit.pc.in > "$prefix/lib/pkgconfig/frit.pc"
install -m 644 capi/cmake/frit-config.cmake "$prefix/lib/cmake/frit/frit-config.cmake"
sed "s/@VERSION@/$version/" capi/cmake/frit-config-version.cmake.in > "$prefix/lib/cmake/frit/frit-config-version.cmake"
echo "libfrit $version is in $prefix"
