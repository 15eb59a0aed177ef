#!/usr/bin/env bash
# Seven networks, each run 200 times with each of 1, 2, 3, 8 and 64 threads beside busy processes, twice as many as there are
# CPUs: all runs of a network give the same bytes. Prints a line a network and number of threads: runs, seconds, the hash; ends
# with status 1 where a network has more than one.
#
# usage: cargo build --release && tests/threads.sh [RUNS]        BUSY=n busy processes, 0 on a machine that has work already
set -euo pipefail
cd "$(dirname "$0")/.."
frit="${FRIT:-$PWD/target/release/frit}"
runs="${1:-200}"
folder="$(mktemp -d)"
busy=()
finish() {
    [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2> /dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
cd "$folder"

networks=(
    "mobilenet_v2 --width 0.35 --resolution 96"
    "mobilenet_v3_small --resolution 64"
    "mnasnet_a1 --width 0.5 --resolution 64"
    "efficientnet_b0 --width 0.25 --resolution 64"
    "resnext50_32x4d --width 0.25 --resolution 64"
    "mobilenet_v1 --width 0.25 --resolution 128"
    "xception --width 0.25 --resolution 96"
)
for _ in $(seq "${BUSY:-$((2 * $(nproc)))}"); do
    while :; do :; done &
    busy+=($!)
done

failed=0
for network in "${networks[@]}"; do
    read -r name options <<< "$network"
    # shellcheck disable=SC2086 # the options are words
    "$frit" zoo "$name" $options > "$name.json"
    "$frit" compile "$name.json" -o "$name.frit" > /dev/null 2>&1
    for threads in 1 2 3 8 64; do
        begin=$(date +%s)
        for _ in $(seq "$runs"); do
            "$frit" run "$name.frit" --threads "$threads" -o outputs.npz > printed.txt 2> /dev/null
            cat outputs.npz printed.txt | sha256sum | cut -c -16
        done | sort | uniq -c > "$name.$threads"
        hashes=$(awk '{ printf "%s%s", sep, $2; sep = " " }' "$name.$threads")
        printf '%-20s %2d threads: %s runs in %s s, %s\n' "$name" "$threads" "$runs" $(($(date +%s) - begin)) "$hashes"
    done
    distinct=$(cat "$name".[0-9]* | awk '{ print $2 }' | sort -u | wc -l)
    [ "$distinct" -eq 1 ] || { echo "$name: $distinct different results"; failed=1; }
done
exit $failed
