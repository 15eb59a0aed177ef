#!/usr/bin/env python3
"""Times frit at two threads beside a process that spins, against frit alone.

A thread pool that only spins at its barriers loses a whole time slice whenever the other core is taken. The ratio says
what is lost: with 2 cores and 3 busy threads about 1.5 is the least. "Others" are neither frit nor the process that
spins here.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

# What is made here goes below target/ only.
sys.dont_write_bytecode = True

import frit
from frit import ROOT, Failed, Frit
from load import Load

MODEL = ROOT / "examples/mobilenet_v2/model.json"
THREADS = 2
PAIRS = 5
AIM = 2.5

# So long takes a new process until it is certainly spinning.
START_SECONDS = 0.3


@contextmanager
def busy_process() -> Iterator[None]:
    """A process that takes a core for as long as the block lasts."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(START_SECONDS)
        yield
    finally:
        process.kill()
        process.wait()


def pair(command: Frit, runs: int, busy_first: bool) -> tuple[float, float]:
    """Medians idle and busy in ms, one right after the other."""

    def idle() -> float:
        return command.bench(MODEL, THREADS, runs)["median_ms"]

    def busy() -> float:
        with busy_process():
            return idle()

    if busy_first:
        slow = busy()
        return idle(), slow
    return idle(), busy()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: busy.py --frit target/release/frit")
    frit.add_option(parser)
    parser.add_argument("--runs", metavar="N", type=int, default=50,
                        help="timed inferences of each bench [default: 50]")
    given = parser.parse_args()
    command = Frit(given.frit.resolve())
    print("| pair | idle ms | busy ms | busy / idle | cores taken by others |\n|---|---|---|---|---|")
    ratios = []
    for number in range(PAIRS):
        load = Load()
        idle, busy = pair(command, given.runs, busy_first=number % 2 == 1)
        ratios.append(busy / idle)
        cells = [str(number + 1), *(f"{value:.2f}" for value in (idle, busy, busy / idle, load.of_others()))]
        print(f"| {' | '.join(cells)} |", flush=True)
    said = f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    print(f"\nbusy / idle: {said} on {os.cpu_count()} cores; the aim is {AIM} at most")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"error: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
