#!/usr/bin/env bash
# Random networks of motifs and near misses (tests/motifs.rs), 10,000 of them unless other numbers are given, in parts of 250:
# each compiled in every way, by every lowering and for 1, 2, 3 and 8 workers against the interpreter. Says after each part how
# far it is; in the end what was drawn and taken, by kind. Each part leaves its log in the folder LOGS (target/motifs); a part
# whose log is complete is not run again. Status 1 where a network fails, or ends the process.
#
# usage: tests/motifs.sh [FROM TO [LOGS]]
set -euo pipefail
cd "$(dirname "$0")/.."
from="${1:-0}" to="${2:-10000}" logs="${3:-target/motifs}"
part=250
mkdir -p "$logs"
cargo test --release --workspace --test motifs --no-run

try() {
    FRIT_NETWORKS="$1..$2" cargo test --release -q --workspace --test motifs networks_of -- --nocapture > "$3" 2>&1
}
failed=0
for ((first = from; first < to; first += part)); do
    last=$((first + part < to ? first + part : to))
    log="$logs/$first-$last.log"
    if grep -q '^networks ' "$log" 2> /dev/null; then
        grep -q '^network [0-9]*:' "$log" && failed=1
    elif ! try "$first" "$last" "$log"; then
        failed=1
        # A process that ended by a signal says nothing: one network after the other does.
        if ! grep -q '^networks ' "$log"; then
            for ((number = first; number < last; number++)); do
                try "$number" $((number + 1)) "$log.one" || echo "network $number: fails alone" >> "$log"
            done
        fi
    fi
    grep '^network [0-9]*:' "$log" || true
    echo "$(date +%T) networks below $last of $to"
done
cat "$logs"/*.log | awk -F': ' '/^(motif|kernel|call|way) .*: [0-9]+$/ { sum[$1] += $2 }
    /^networks / { split($0, words, " "); tried += words[2] }
    END { for (what in sum) printf "%8d  %s\n", sum[what], what; printf "%8d  networks\n", tried }' | sort -k 2
exit $failed
