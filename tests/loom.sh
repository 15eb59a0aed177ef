#!/usr/bin/env bash
# Event count, barrier, pool and session in every order in which few threads can run and see each other's writes: loom tries them
# one after the other (runtime/src/tests/interleavings.rs). Prints how many orders there were of each case.
#
# usage: tests/loom.sh [TEST ...]
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" RUST_BACKTRACE="${RUST_BACKTRACE:-0}" CARGO_TARGET_DIR=target/loom
[ $# -gt 0 ] || set -- interleavings
# What loom is made of takes longer to optimise than it saves.
profile=profile.dev.package
cargo test --quiet --locked --config "$profile.'*'.opt-level=0" --config "$profile.loom.opt-level=2" \
    --config "$profile.generator.opt-level=2" -p frit-runtime --lib -- --nocapture --test-threads 1 "$@"
