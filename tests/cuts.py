"""Cuts a model of any size everywhere, or at some places, and compares the compiled halves with the compiled whole.

usage: cuts.py FRIT MODEL [COUNT]

FRIT is the command, MODEL anything that it reads, COUNT how many cuts are tried, drawn from a seed (all without it). Each is cut,
both halves are run, the tail on what the head gave, and the outputs may differ by 1e-5 of the largest magnitude. Prints a line
a cut; exit status 1 where one differs. Needs numpy.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TOLERANCE = 1e-5


def frit(*arguments: str) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def difference(whole: Path, halves: list[Path]) -> float:
    """The largest difference of an output, of its largest magnitude."""
    expected, found = np.load(whole), {}
    for half in halves:
        found |= dict(np.load(half).items())
    off = 0.0
    for name in expected.files:
        largest = max(float(np.abs(expected[name]).max()), 1e-30)
        off = max(off, float(np.abs(expected[name] - found[name]).max()) / largest)
    return off


def main() -> int:
    command, model = sys.argv[1], sys.argv[2]
    cuts = json.loads(frit(command, "cut", model, "--list", "--format", "json"))
    if len(sys.argv) > 3:
        cuts = sorted(random.Random(7).sample(cuts, min(int(sys.argv[3]), len(cuts))), key=lambda cut: cut["macs_before"])
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ["head.onnx", "tail.onnx", "whole.npz", "head.npz", "tail.npz"]}
        head, tail, whole, first, last = (str(path) for path in files.values())
        frit(command, "run", model, "-o", whole)
        for cut in cuts:
            for keep, half in [("head", head), ("tail", tail)]:
                frit(command, "cut", model, "--at", cut["layer"], "--keep", keep, "-o", half)
            frit(command, "run", head, "-o", first)
            frit(command, "run", tail, first, "-o", last)
            off = difference(files["whole.npz"], [files["head.npz"], files["tail.npz"]])
            worst = max(worst, off)
            print(f"{cut['index']} {cut['layer']} {cut['shape']}: {off:.1e}", flush=True)
    print(f"{len(cuts)} cuts, the largest difference {worst:.1e} of the largest magnitude")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
