#!/usr/bin/env python3
"""Times frit and other runtimes on the same networks, in turns, and prints the table for RESULTS.md."""

import argparse
import datetime
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What is made here goes below target/ only.
sys.dont_write_bytecode = True

import frit
import report
from frit import ROOT, Failed, Frit
from load import Load
from networks import add_folder_option
from peers import CACHE, PEERS, Golden, Model, Peer, golden_of, progress, read_models

EXAMPLES = """\
examples:
  compare.py                                      five rounds, at one thread and at two
  compare.py --quick --peers onnxruntime,openvino a smoke test with some of the runtimes
  compare.py --only mobilenet_v2,xception         some of the networks of models.json
  compare.py --streams 2                          throughput: two images at the same time, a thread each
  compare.py --wait-near 120 --json results.json  waits for near cores before each round with several threads

The first run installs the other runtimes below target/compare and takes minutes; later ones need no network.
Exit status: 0 done, 1 frit's output is wrong or a contestant crashed, 2 wrong usage or missing files.
"""

# Cores that are further apart than this share no cache for now, and several threads gain little for anybody.
NEAR_NS = 150.0

# Runs of a bench that is only there for its probe.
PROBE_RUNS = 5

# Between two looks at the distance of the cores.
PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Settings:
    """What was asked for on the command line."""

    frit: Frit
    peers: list[Peer]
    shapes: list[tuple[int, int]]
    """Images at the same time, and threads of each."""
    rounds: int
    runs: int
    wait_near: float


@dataclass(frozen=True)
class Field:
    """All that take part on one network: frit, and the peers that can run it, with the model as each reads it."""

    model: Model
    frit: Path
    golden: Golden
    peers: dict[Peer, Path]

    def contestants(self) -> list[Peer | None]:
        """The peers, and frit as None."""
        return [None, *self.peers]


def compare(settings: Settings, models: list[Model]) -> dict[str, Any]:
    """Everything that was measured, as report.py reads it."""
    result = heading(settings)
    for model in models:
        progress(model.name)
        try:
            result["models"].append(network(settings, model))
        except Failed as failed:
            progress(f"skipped: {failed}")
            result["models"].append({"name": model.name, "skipped": str(failed)})
    return result


def network(settings: Settings, model: Model) -> dict[str, Any]:
    """One network: what takes part, and all its rounds."""
    path = description(settings.frit, model)
    macs = settings.frit.macs(path)
    field, left_out = prepare(model, path, settings.peers)
    parts = [measure(settings, field, *shape) for shape in settings.shapes]
    return {"name": model.name, "macs": macs, "checked": model.zoo is None, "left_out": left_out, "parts": parts}


def description(command: Frit, model: Model) -> Path:
    """What frit reads."""
    return command.zoo(model.zoo, CACHE / "zoo") if model.zoo else model.frit


def heading(settings: Settings) -> dict[str, Any]:
    """When, what and where."""
    commit = frit.output_of(["git", "-C", ROOT, "describe", "--always", "--dirty"]).strip()
    fields = (line.partition(":") for line in frit.output_of(["lscpu"]).splitlines())
    cpu = {key.strip(): value.strip() for key, _, value in fields}
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "cpu": "{Model name} (family {CPU family}, model {Model}), {CPU(s)} CPUs, L2 {L2 cache}".format_map(cpu),
        "rounds": settings.rounds,
        "runs": settings.runs,
        "versions": {peer.name: peer.version() for peer in settings.peers},
        "models": [],
    }


def prepare(model: Model, path: Path, peers: list[Peer]) -> tuple[Field, dict[str, str]]:
    """The field, and why others are not in it."""
    golden = golden_of(model)
    ready, left_out = {}, {}
    for peer in peers:
        try:
            ready[peer] = peer.prepare(model, golden)
        except Failed as failed:
            left_out[peer.name] = str(failed)
            progress(f"{peer.name} is left out: {failed}")
    return Field(model, path, golden, ready), left_out


def measure(settings: Settings, field: Field, streams: int, threads: int) -> dict[str, Any]:
    """All rounds with one number of threads. A round is one turn of each, so what the machine does hits all alike."""
    part: dict[str, Any] = {"streams": streams, "threads": threads, "rounds": []}
    try:
        error = error_of(settings, field, threads)
    except Failed as failed:
        progress(str(failed))
        return part | {"fault": str(failed)}
    contestants = field.contestants()
    for number in range(settings.rounds):
        progress(f"{report.threads(part)}, round {number + 1} of {settings.rounds}")
        before = look_at_cores(settings, field.frit, threads) if threads > 1 else None
        load = Load()
        first = number % len(contestants)
        order = contestants[first:] + contestants[:first]
        turns = dict(turn(settings, field, peer, (streams, threads)) for peer in order)
        turns["frit"].setdefault("error", error)
        part["rounds"].append({"before": before, "others_cores": load.of_others(), "turns": turns})
    return part


def error_of(settings: Settings, field: Field, threads: int) -> float | None:
    """How far frit is from the golden file; nothing where it runs a network of its own weights."""
    if field.model.zoo:
        return None
    return settings.frit.error(field.frit, field.golden.file, threads)


def look_at_cores(settings: Settings, path: Path, threads: int) -> dict[str, float]:
    """The machine's rates before a round; waits, as long as it may, for the cores to be near each other."""
    end = time.monotonic() + settings.wait_near
    while True:
        probe = settings.frit.bench(path, threads, PROBE_RUNS)["probe"]
        progress(f"  round trip {probe['round_trip_ns']:.0f} ns, {probe['gflops']:.1f} GFLOP/s a core")
        if probe["round_trip_ns"] < NEAR_NS or time.monotonic() + PAUSE_SECONDS > end:
            return probe
        time.sleep(PAUSE_SECONDS)


def turn(settings: Settings, field: Field, peer: Peer | None, shape: tuple[int, int]) -> tuple[str, dict[str, Any]]:
    """A turn of a peer, or of frit: its name and its times, or what it died of."""
    name, (streams, threads) = peer.name if peer else "frit", shape
    try:
        if peer:
            times = peer.turn(field.peers[peer], field.golden, threads, settings.runs, streams)
        else:
            times = settings.frit.bench(field.frit, threads, settings.runs, streams)
    except Failed as failed:
        progress(f"  {name}: {failed}")
        return name, {"fault": str(failed)}
    progress(f"  {name}: {times['median_ms']:.2f} ms")
    return name, times


def numbers(text: str) -> list[int]:
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError(text)
    return found


def count(text: str) -> int:
    (found,) = numbers(text)
    return found


def named_peers(text: str) -> list[Peer]:
    known = {peer.name: peer for peer in PEERS}
    unknown = [name for name in text.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no runtime is called {unknown[0]}; there are {', '.join(known)}")
    return [known[name] for name in text.split(",")]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    frit.add_option(parser)
    names = ",".join(peer.name for peer in PEERS)
    parser.add_argument("--models", metavar="DIR", type=Path, default=os.environ.get("FRIT_MODELS"),
                        help="the folder that models.json calls $FRIT_MODELS [default: that variable]")
    add_folder_option(parser, "--networks")
    parser.add_argument("--only", metavar="LIST", help="the networks of models.json to run, by id [default: all]")
    parser.add_argument("--peers", metavar="LIST", type=named_peers, default=PEERS,
                        help=f"the runtimes to compare with [default: {names}]")
    parser.add_argument("--threads", metavar="LIST", type=numbers, default=[1, 2],
                        help="numbers of threads [default: 1,2]")
    parser.add_argument("--streams", metavar="N", type=count,
                        help="images at the same time, each by one thread, instead of --threads: what throughput modes do")
    parser.add_argument("--rounds", metavar="N", type=count, help="rounds for each number of threads [default: 5]")
    parser.add_argument("--runs", metavar="N", type=count, help="timed inferences in a turn [default: 50]")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 10 runs where nothing else is said")
    parser.add_argument("--wait-near", metavar="SECONDS", type=float, default=0.0,
                        help="wait so long at most, before a round with several threads, for cores that are near")
    parser.add_argument("--json", metavar="FILE", type=Path, help="keep everything that was measured in this file")
    return parser


def chosen(given: argparse.Namespace) -> list[Model]:
    """The networks that were asked for, whose files are all there."""
    models = {model.id: model for model in read_models({"FRIT_MODELS": given.models, "NETWORKS": given.networks})}
    wanted = given.only.split(",") if given.only else list(models)
    if unknown := [name for name in wanted if name not in models]:
        raise Failed(f"no network is called {unknown[0]}; there are {', '.join(models)}")
    missing = [path for name in wanted for path in models[name].missing()]
    if missing:
        way_out = "make the networks with networks.py, say --models DIR or FRIT_MODELS, or leave some out with --only"
        raise Failed(f"{missing[0]} is missing: {way_out}")
    return [models[name] for name in wanted]


def main() -> int:
    parser = arguments()
    given = parser.parse_args()
    if not given.frit.exists():
        parser.error(f"{given.frit} is missing: build it with `cargo build --release`, or say --frit PATH")
    rounds, runs = (2, 10) if given.quick else (5, 50)
    shapes = [(given.streams, 1)] if given.streams else [(1, threads) for threads in given.threads]
    settings = Settings(Frit(given.frit.resolve()), given.peers, shapes, given.rounds or rounds,
                        given.runs or runs, given.wait_near)
    try:
        models = chosen(given)
    except Failed as failed:
        parser.error(str(failed))
    try:
        result = compare(settings, models)
    except Failed as failed:
        progress(f"error: {failed}")
        return 1
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(report.markdown(result))
    return 1 if report.faults(result) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
