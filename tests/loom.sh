#!/usr/bin/env bash
# Gate, meeting, pool and session in every order in which few threads can run and see each other's writes: loom tries them
# one after the other (runtime/src/interleavings.rs). Prints how many orders there were of each case.
#
# usage: tests/loom.sh [TEST ...]
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" RUST_BACKTRACE="${RUST_BACKTRACE:-0}" CARGO_TARGET_DIR=target/loom
# Loom is used nowhere else, and there is more to build of it than to gain by optimising it further.
export CARGO_PROFILE_TEST_OPT_LEVEL=1
[ $# -gt 0 ] || set -- interleavings
cargo test --quiet --locked -p frit-runtime --lib -- --nocapture --test-threads 1 "$@"
