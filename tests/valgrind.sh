#!/usr/bin/env bash
# Generated code under valgrind: no read and no write outside of a tensor, the arena, a worker's scratch memory and the
# weights. The memory of a session lies on the heap for that (feature `heap` of frit-runtime), each block between red zones.
# valgrind knows AVX2 at most, which the command and the tests then take for this CPU's level.
#
#   networks of the zoo, small, from an artifact, by both lowerings, with 1 and 2 threads
#   the same as objects in a C program, whose session libc gives its memory
#   one of them compiled in process, whose weights lie on the heap too
#   random networks, fused and unfused, by both lowerings (tests/differential.rs)
#
# usage: tests/valgrind.sh [NAME ...]        minutes; CASES=n random networks [default: 8]
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind > /dev/null || { echo "valgrind is missing: on Debian, apt-get install valgrind" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || { echo "not run: only on x86-64 the runtime has its memory on the heap" >&2; exit 77; }
[ $# -gt 0 ] || set -- mobilenet_v2 mobilenet_v3_small

watched() {
    valgrind --quiet --error-exitcode=99 --exit-on-first-error=yes --redzone-size=4096 --fair-sched=yes \
        --num-callers=8 "$@"
}

cargo build --quiet --locked --workspace --features frit-runtime/heap --bin frit
frit="$PWD/target/debug/frit"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# An image of 32x32 pixels, all ones: addresses depend on no values.
for _ in $(seq 3072); do printf '\0\0\200\77'; done > "$folder/image.raw"

for name in "$@"; do
    "$frit" zoo "$name" --width 0.25 --resolution 32 > "$folder/model.json"
    for lower in portable wide; do
        "$frit" compile "$folder/model.json" -o "$folder/model.frit" --target x86-64-v3 --lower "$lower" > /dev/null 2>&1
        for threads in 1 2; do
            watched "$frit" run "$folder/model.frit" --threads "$threads" --format json > "$folder/$threads.out"
        done
        cmp "$folder/1.out" "$folder/2.out"
        echo "$name, $lower: an artifact with 1 and 2 threads stays inside of its memory"
        "$frit" compile "$folder/model.json" -o "$folder/net.o" --symbol net --target x86-64-v3 --lower "$lower" > /dev/null 2>&1
        cc -std=c11 -include "$folder/net.h" '-DMODEL(name)=net_##name' -DOUTPUT_ELEMENTS=1000 tests/cli/native/run.c \
            "$folder/net.o" -pthread -o "$folder/program"
        for threads in 1 2; do
            watched --leak-check=full "$folder/program" "$threads" 1 "$folder/$threads.raw" "$folder/image.raw" > /dev/null
        done
        cmp "$folder/1.raw" "$folder/2.raw"
        echo "$name, $lower: an object in a C program, likewise"
    done
done
watched "$frit" run "$folder/model.json" --threads 2 --format json > "$folder/process.out"
cmp "$folder/1.out" "$folder/process.out"
echo "${!#}: compiled in process, likewise"

cases="${CASES:-8}"
test="$(cargo test --locked --workspace --features frit-runtime/heap --test differential --no-run --message-format json \
    2> /dev/null | grep -o '"executable":"[^"]*/differential-[^"]*"' | cut -d '"' -f 4)"
PROPTEST_CASES="$cases" watched "$test" --test-threads 1 random so_does
echo "$cases random networks of each kind: likewise"
