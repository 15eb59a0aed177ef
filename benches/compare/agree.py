#!/usr/bin/env python3
"""Compares what frit computes with what the frameworks computed, on the full-size networks that networks.py made.

Prints a line for each file: the largest difference, as a share of the largest output, at one thread and at two, or
what frit says against the file.
"""

import argparse
import signal
import sys
from pathlib import Path

# What is made here goes below target/ only.
sys.dont_write_bytecode = True

import frit
from frit import Failed, Frit
from networks import MANIFEST, add_folder_option, known

EXAMPLES = """\
examples:
  agree.py                                    every .onnx and .keras file
  agree.py --only mobilenet_v2_keras,xception_keras --kinds keras

Exit status: 0 all agree, 1 frit can't read a file or differs, 2 wrong usage.
"""

KINDS = ["onnx", "keras"]
THREADS = [1, 2]


def line(command: Frit, path: Path, golden: Path) -> tuple[bool, str]:
    """Whether frit agrees, and what there is to say."""
    try:
        errors = [command.error(path, golden, threads) for threads in THREADS]
    except Failed as failed:
        return False, f"{path.name}: {failed}"
    said = ", ".join(f"{error:.1e} at {threads}" for error, threads in zip(errors, THREADS, strict=True))
    return True, f"{path.name}: {said} thread(s)"


def kinds(text: str) -> list[str]:
    if unknown := [kind for kind in text.split(",") if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"no kind of file is called {unknown[0]}; there are {', '.join(KINDS)}")
    return text.split(",")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    frit.add_option(parser)
    add_folder_option(parser, "--networks")
    parser.add_argument("--only", metavar="LIST", help="these networks of the manifest [default: all]")
    parser.add_argument("--kinds", metavar="LIST", type=kinds, default=KINDS,
                        help=f"kinds of files [default: {','.join(KINDS)}]")
    given = parser.parse_args()
    entries = known(given.networks)
    if not entries:
        parser.error(f"{given.networks / MANIFEST} is missing: make the networks with networks.py")
    wanted = given.only.split(",") if given.only else list(entries)
    if unknown := [name for name in wanted if name not in entries]:
        parser.error(f"no network is called {unknown[0]}; there are {', '.join(entries)}")
    command, right = Frit(given.frit.resolve()), True
    for files in (entries[name]["files"] for name in wanted):
        for kind in (kind for kind in given.kinds if kind in files):
            agrees, said = line(command, given.networks / files[kind], given.networks / files["npz"])
            right &= agrees
            print(said, flush=True)
    return 0 if right else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
