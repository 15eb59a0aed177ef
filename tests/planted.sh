#!/usr/bin/env bash
# The proof of plans (compiler/src/prove.rs) against faults of the schedule: each fault of tests/planted.txt is planted, and
# `frit compile` must refuse one of the networks below with FR0901 and what the proof found, before there is any code. All are
# planted at once in a copy of the tree, which is compiled once; the variable FRIT_PLANTED says which one acts. Without one,
# every network compiles, and what this CPU runs is verified. Prints a line a fault: its number, file and kind, the network,
# and what was said. Status 1 where a fault is not found, or ends otherwise.
#
# usage: tests/planted.sh [NUMBER ...]        minutes; CARGO_TARGET_DIR [target/planted] keeps what is compiled
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:=target/planted}"
CARGO_TARGET_DIR="$(cd "$CARGO_TARGET_DIR" && pwd)"
export CARGO_TARGET_DIR
copy="$CARGO_TARGET_DIR/copy"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# Times of files are kept, so that only what has faults is compiled again.
rm -rf "$copy"
mkdir "$copy"
git ls-files -z | tar --null --files-from - --create | tar --extract --directory "$copy"
python3 - "$copy" > "$folder/faults" << 'PLANT'
import sys
from pathlib import Path

copy = Path(sys.argv[1])
faults = []
for line in Path("tests/planted.txt").read_text(encoding="utf-8").splitlines():
    if line.startswith("- "):
        text = line[2:] if "«" in line else f"«{line[2:]}»"
        begin, rest = text.split("«")
        right, end = rest.split("»")
        planted = {"begin": begin, "right": right, "end": end, "wrong": []}
        faults.append((kind, planted))
    elif line.startswith("+ "):
        planted["wrong"].append(line[2:])
    elif line and not line.startswith("#"):
        kind = line

number = 0
for kind, planted in faults:
    file = copy / "compiler/src" / kind.split(":")[0]
    text = file.read_text(encoding="utf-8")
    branches = ""
    for wrong in planted["wrong"]:
        number += 1
        branches += f"if crate::planted({number}) {{ {wrong} }} else "
        print(f"{number}\t{kind}\t{wrong}")
    found = planted["begin"] + planted["right"] + planted["end"]
    if text.count(found) != 1:
        sys.exit(f"tests/planted.txt: {text.count(found)} times in {kind.split(':')[0]}: {found}")
    branches = f"({branches}{{ {planted['right']} }})"
    file.write_text(text.replace(found, planted["begin"] + branches + planted["end"]), encoding="utf-8")

library = copy / "compiler/src/lib.rs"
library.write_text("#![allow(unused)]\n" + library.read_text(encoding="utf-8") + """
/// Whether the fault `number` acts.
fn planted(number: usize) -> bool {
    static PLANTED: std::sync::LazyLock<usize> =
        std::sync::LazyLock::new(|| std::env::var("FRIT_PLANTED").ok().and_then(|number| number.parse().ok()).unwrap_or(0));
    *PLANTED == number
}
""", encoding="utf-8")
PLANT
(cd "$copy" && cargo build --quiet --release --locked --bin frit)
frit="$CARGO_TARGET_DIR/release/frit"

for name in mobilenet_v2 mobilenet_v3_small; do
    "$frit" zoo "$name" --width 0.25 --resolution 48 > "$folder/$name.json"
done
cp tests/planted/*.json "$folder"
cd "$folder"
networks=(*.json)
variants=()
for network in "${networks[@]}"; do
    ways=(auto)
    case "$network" in blocks.json | mobilenet_*) ways=(auto whole bands groups) ;; windows.json) ways=(auto winograd) ;; esac
    for target in aarch64 x86-64-v3 x86-64-v4; do
        for way in "${ways[@]}"; do
            variants+=("$network --target $target --schedule $way")
        done
    done
done

compile() {
    rm -f out.frit
    # shellcheck disable=SC2086
    FRIT_PLANTED="$1" timeout 60 "$frit" compile $2 -o out.frit > out.txt 2>&1
}
for variant in "${variants[@]}"; do
    compile 0 "$variant" || { echo "without a fault, $variant:" && cat out.txt && exit 1; }
done
for network in "${networks[@]}"; do
    "$frit" verify "$network" --threads 1,2,3 > out.txt 2>&1 || { echo "without a fault, $network:" && cat out.txt && exit 1; }
done
echo "without a fault: ${#variants[@]} plans of ${#networks[@]} networks are proved"

failed=0
while IFS=$'\t' read -r number kind wrong; do
    if [ $# -gt 0 ] && [[ " $* " != *" $number "* ]]; then continue; fi
    found="NOT FOUND by any network"
    for variant in "${variants[@]}"; do
        status=0
        compile "$number" "$variant" || status=$?
        [ $status -eq 0 ] && continue
        said="$(sed -n "s/^error\[FR0901\]: the plan can't be proved: //p" out.txt | head -1)"
        if [ -n "$said" ] && [ ! -e out.frit ]; then
            found="${variant//--schedule auto/}: $said"
        else
            found="ENDED OTHERWISE with status $status, $variant: $(head -3 out.txt | tr '\n' ' ')"
        fi
        break
    done
    case "$found" in NOT* | ENDED*) failed=1 ;; esac
    printf '%3d  %s (%s)\n     %s\n' "$number" "$kind" "$wrong" "$found"
done < faults
exit $failed
