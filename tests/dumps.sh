#!/usr/bin/env bash
# A digest of each stage of twelve networks: the optimised graph, the plan, the vector programs, the machine code and the artifact for
# each target. Two commands that give the same digests compile these networks to the same bytes: what a change of the house that
# shall change no result is held against. With a second command the lines that differ are printed, and the status is 1.
#
# usage: tests/dumps.sh FRIT [OTHER_FRIT]        FRIT_MODELS is the folder of the two ONNX files
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP

networks=()
for name in $("$1" zoo); do
    "$1" zoo "$name" > "$folder/$name.json"
    networks+=("$folder/$name.json")
done
for name in mobilenet_v3_small_torchvision.legacy.opset17 resnext_tiny.dynamo.opset20; do
    networks+=("$FRIT_MODELS/onnx/$name.onnx")
done

dumps() {
    local frit="$1" network name target
    for network in "${networks[@]}"; do
        name="$(basename "$network")"
        line() { printf '%-52s %-20s %s\n' "$name" "$*" "$("$frit" inspect "$network" "$@" 2> /dev/null | sha256sum | cut -c -16)"; }
        line --stage legal
        line --stage optimized
        for target in x86-64-v4 x86-64-v3 x86-64-v2 aarch64; do
            line --target "$target" --stage scheduled --format json
            line --target "$target" --dump plan
            line --target "$target" --dump vector
        done
        for target in x86-64-v4 x86-64-v3; do
            line --target "$target" --dump asm
        done
        line --target x86-64-v4 --no-fuse --dump vector
        line --target x86-64-v4 --schedule bands --dump vector
        line --target x86-64-v4 --schedule groups --dump vector
        line --target x86-64-v2 --dump clif
        for target in x86-64-v4 x86-64-v2; do
            "$frit" compile "$network" --target "$target" -o "$folder/artifact.frit" > /dev/null 2>&1 || rm -f "$folder/artifact.frit"
            printf '%-52s %-20s %s\n' "$name" "compile --target $target" "$(sha256sum < "$folder/artifact.frit" | cut -c -16)"
        done
    done
}

dumps "$1" > "$folder/first"
if [ $# -eq 1 ]; then
    cat "$folder/first"
    exit
fi
dumps "$2" > "$folder/second"
diff "$folder/first" "$folder/second" && echo "$(wc -l < "$folder/first") digests are alike"
