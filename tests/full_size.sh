#!/usr/bin/env bash
# Every network of the zoo at full size: checked, counted, compared with the interpreter fused and unfused with 1 and 2
# threads, and from an artifact the same bits as in process. Takes some minutes; prints a line a network.
#
# usage: cargo build --release && tests/full_size.sh [NAME ...]
set -euo pipefail
cd "$(dirname "$0")/.."
frit="$PWD/target/release/frit"
frit="${FRIT:-$frit}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

if [ $# -eq 0 ]; then
    mapfile -t names < <("$frit" zoo)
    set -- "${names[@]}"
fi
for name in "$@"; do
    "$frit" zoo "$name" > model.json
    "$frit" check - < model.json > /dev/null
    "$frit" verify model.json --threads 1,2 --format json > fused.json
    "$frit" verify model.json --threads 1,2 --no-fuse --format json > unfused.json
    "$frit" compile model.json -o model.frit 2> /dev/null
    for model in model.json model.frit; do
        for threads in 1 2; do
            "$frit" run "$model" --threads "$threads" --format json > "$model.$threads.out"
        done
    done
    for other in model.json.2.out model.frit.1.out model.frit.2.out; do
        cmp model.json.1.out "$other"
    done
    error() { grep -o '"max_rel": *[0-9.e+-]*' "$1" | head -1 | grep -o '[0-9.e+-]*$'; }
    echo "$name: max rel $(error fused.json) fused, $(error unfused.json) unfused; same bits with 1 and 2 threads, and from a file"
done
