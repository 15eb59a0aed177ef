"""What a call from Python costs beside the model itself: `python benches/call.py [-n CALLS]`.

The smallest model that there is takes next to no time, so that its calls are all overhead. `run` is the call into the extension
alone, and `model(x)` what a user writes. The calls take turns, and the median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import frit

NETWORK = {
    "frit": 1,
    "name": "least",
    "input": {"name": "x", "shape": [1, 1, 16]},
    "weights": {"seed": 1},
    "layers": [{"name": "y", "op": "relu"}],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--calls", type=int, default=2000, help="calls of one turn (default: 2000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "least.json"
        path.write_text(json.dumps(NETWORK))
        model = frit.compile(path, threads=1)
    x = np.zeros((1, 1, 1, 16), np.float32)
    out = np.empty((1, 1, 1, 16), np.float32)
    inputs, outputs = (x,), (out,)
    program = model._program
    calls: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "run, out given": lambda: program.run(inputs, outputs),
        "model(x, out=out)": lambda: model(x, out=out),
        "model(x)": lambda: model(x),
        "model.run({'x': x})": lambda: model.run({"x": x}),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(30):
        for name, call in calls.items():
            started = time.perf_counter()
            for _ in range(arguments.calls):
                call()
            times[name].append((time.perf_counter() - started) / arguments.calls)
    # Runs within the extension, the model's own time among them: a call of no Python at all.
    plain = model.bench(runs=1000)[0].median_ms * 1e-3
    print(f"{'the model itself':22}{plain * 1e6:8.2f} µs")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:22}{median * 1e6:8.2f} µs{(median - plain) * 1e6:+8.2f}")


if __name__ == "__main__":
    main()
