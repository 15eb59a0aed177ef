#!/usr/bin/env bash
# The runtime's unit tests under Miri, which sees undefined behaviour that happens to work. Threads, artifacts as bytes and the
# session's calls are tested with a program written in Rust; what maps files or runs machine code is left out, as Miri has
# neither. Says so and ends with status 77 where no toolchain has Miri.
#
# usage: tests/miri.sh [TEST ...]
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo +nightly miri --version > /dev/null 2>&1; then
    echo "not run: no nightly toolchain has Miri (rustup component add --toolchain nightly miri)" >&2
    exit 77
fi
[ $# -gt 0 ] || set -- gate pool session program weights
# The pool's threads spin by the clock; the tests map no file, but ask how many bytes a page has.
export MIRIFLAGS="${MIRIFLAGS:-} -Zmiri-disable-isolation" CARGO_TARGET_DIR=target/miri
cargo +nightly miri test --locked -p frit-runtime --lib -- "$@"
