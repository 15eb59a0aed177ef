"""What compare.py measured, as Markdown. Computes ratios; measures nothing.

Ratios are taken within a round, where all ran within seconds of each other, and only then summed up over rounds.
"""

from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Any

# Of the largest magnitude in the golden output; runtimes differ among themselves by a tenth of it.
TOLERANCE = 1e-4

Json = dict[str, Any]


def markdown(result: Json) -> str:
    """The whole report."""
    lines = [*heading(result), "", *summary(result)]
    for model in measured(result):
        lines += network(model)
    return "\n".join(lines)


def measured(result: Json) -> list[Json]:
    """The networks that were not skipped."""
    return [model for model in result["models"] if "skipped" not in model]


def faults(result: Json) -> list[str]:
    """What makes a comparison void: a contestant that crashed, or frit's output being wrong."""
    parts = ((model["name"], part) for model in measured(result) for part in model["parts"])
    return [f"{name}, {fault}" for name, part in parts for fault in faults_of(part)]


def faults_of(part: Json) -> Iterator[str]:
    where = threads(part)
    if "fault" in part:
        yield f"{where}: {part['fault']}"
    for number, each in enumerate(part["rounds"], 1):
        for name, turn in each["turns"].items():
            if "fault" in turn:
                yield f"{where}, round {number}, {name}: {turn['fault']}"
    if any(map(is_wrong, turns_of(part, "frit"))):
        yield f"{where}: frit's output is wrong"


def threads(part: Json) -> str:
    told = f"{part['threads']} thread" + ("s" if part["threads"] > 1 else "")
    return told if part["streams"] == 1 else f"{part['streams']} streams of {told}, time an image"


def heading(result: Json) -> Iterator[str]:
    absent = [set(model["left_out"]) for model in measured(result)]
    present = result["versions"].keys() - (set.intersection(*absent) if absent else set())
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if name in present)
    yield f"## {result['date']}, commit {result['commit']}"
    yield ""
    yield f"- CPU: {result['cpu']}; frit compiled for {instruction_set(result)}"
    yield f"- Compared with: {versions or 'nothing'}"
    much = f"{result['rounds']} rounds, a fresh process a turn, {result['runs']} timed inferences a turn"
    yield f"- {much}, batch 1, 32-bit floats"
    for model in result["models"]:
        if "skipped" in model:
            yield f"- Skipped: {model['name']}: {model['skipped']}"
        for name, reason in model.get("left_out", {}).items():
            yield f"- Left out: {name} of {model['name']}: {reason}"
    if any(not model["checked"] for model in measured(result)):
        yield "- Where frit's error is not given, frit ran the same architecture with weights of its own"
    for fault in faults(result):
        yield f"- Fault: {fault}"


def instruction_set(result: Json) -> str:
    parts = (part for model in measured(result) for part in model["parts"])
    return next((turn["isa"] for part in parts for turn in turns_of(part, "frit")), "unknown")


def summary(result: Json) -> Iterator[str]:
    """A line for each network and number of threads."""
    yield from head(["network", "threads", "frit ms", "best peer ms", "best peer / frit", "frit's share of peak, %"])
    for model in measured(result):
        for part in model["parts"]:
            if times := medians(part, "frit"):
                best = fastest_peer(part)
                cells = [
                    model["name"],
                    str(part["threads"]) if part["streams"] == 1 else f"{part['streams']} × {part['threads']}",
                    f"{median(times):.2f}",
                    f"{median(medians(part, best)):.2f} {best}" if best else "",
                    spread([ratio for _, ratio in races(part)], ".2f"),
                    spread(shares_of_peak(model["macs"], part), ".0f"),
                ]
                yield f"| {' | '.join(cells)} |"


def fastest_peer(part: Json) -> str | None:
    """The peer with the least median of its turns' medians; one that was ever wrong takes no part."""
    right = [name for name in peers_of(part) if turns_of(part, name) and not any(map(is_wrong, turns_of(part, name)))]
    return min(sorted(right), key=lambda name: median(medians(part, name)), default=None)


def network(model: Json) -> Iterator[str]:
    for part in model["parts"]:
        yield ""
        yield f"### {model['name']}, {threads(part)}"
        if turns_of(part, "frit"):
            yield ""
            yield from headline(model["macs"], part)
            yield ""
            yield from contestants(part)
            yield ""
            yield from rounds(part)


def headline(macs: int, part: Json) -> Iterator[str]:
    """How often frit fits into the time of the fastest other runtime, and how near it is to what the cores can do."""
    run = races(part)
    if run:
        ratios = [ratio for _, ratio in run]
        best = ", ".join(f"{name} {times}×" for name, times in Counter(name for name, _ in run).most_common())
        yield f"**Best peer / frit: {spread(ratios, '.2f')}** (median and range of rounds; best peer: {best})."
    shares = spread(shares_of_peak(macs, part), ".0f")
    yield f"frit's share of the peak that its own probe measured in the same turn: {shares} %."


def races(part: Json) -> list[tuple[str, float]]:
    """The rounds that frit and a peer came to the end of: which peer was fastest, and its time over frit's."""
    return [race for each in part["rounds"] if (race := against_best(each))]


def shares_of_peak(macs: int, part: Json) -> list[float]:
    return [share_of_peak(macs, turn, part["streams"] * part["threads"]) for turn in turns_of(part, "frit")]


def share_of_peak(macs: int, turn: Json, cores: int) -> float:
    """In percent; a multiply-accumulate is two operations."""
    gflops = 2 * macs / (turn["median_ms"] * 1e6)
    return 100 * gflops / (turn["probe"]["gflops"] * cores)


def contestants(part: Json) -> Iterator[str]:
    columns = ["contestant", "median ms", "range of medians", "best ms", "time / frit's", "time / fastest peer's"]
    yield from head([*columns, "CPU / wall", "error"])
    names = {name for each in part["rounds"] for name, turn in each["turns"].items() if "fault" not in turn}
    yield from (contestant(part, name) for name in sorted(names, key=lambda name: median(medians(part, name))))


def head(columns: list[str]) -> list[str]:
    """The first two lines of a table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def contestant(part: Json, name: str) -> str:
    turns = turns_of(part, name)
    times = medians(part, name)
    errors = [turn["error"] for turn in turns if turn["error"] is not None]
    error = f"{max(errors):.1e}" if errors else ""
    wrong = any(map(is_wrong, turns))
    busy = [turn["cpu_per_wall"] for turn in turns if "cpu_per_wall" in turn]
    cells = [
        name,
        f"{median(times):.2f}",
        f"{min(times):.2f}–{max(times):.2f}",
        f"{min(turn['min_ms'] for turn in turns):.2f}",
        "" if wrong else spread(list(ratios_to(part, name, {"frit"})), ".2f"),
        "" if wrong else spread(list(ratios_to(part, name, peers_of(part))), ".2f"),
        f"{median(busy):.2f}" if busy else "",
        error + (" **wrong**" if wrong else ""),
    ]
    return f"| {' | '.join(cells)} |"


def rounds(part: Json) -> Iterator[str]:
    rates = ["round trip between cores, ns", "GFLOP/s a core", "cores taken by others"]
    yield from head(["round", *rates, "frit ms", "best peer ms", "ratio"])
    for number, each in enumerate(part["rounds"], 1):
        turn, race = each["turns"]["frit"], against_best(each)
        if race:
            name, ratio = race
            probe = each["before"] or turn["probe"]
            rates = f"{probe['round_trip_ns']:.0f} | {probe['gflops']:.1f} | {each['others_cores']:.1f}"
            best = f"{each['turns'][name]['median_ms']:.2f} {name}"
            yield f"| {number} | {rates} | {turn['median_ms']:.2f} | {best} | {ratio:.2f} |"


def turns_of(part: Json, name: str) -> list[Json]:
    """The turns of a contestant that came to an end."""
    return [each["turns"][name] for each in part["rounds"] if "fault" not in each["turns"][name]]


def medians(part: Json, name: str) -> list[float]:
    return [turn["median_ms"] for turn in turns_of(part, name)]


def peers_of(part: Json) -> set[str]:
    return {name for each in part["rounds"] for name in each["turns"]} - {"frit"}


def is_wrong(turn: Json) -> bool:
    """What was not checked (None) is not known to be wrong; a missing number (infinity) is."""
    return "fault" not in turn and turn["error"] is not None and not turn["error"] <= TOLERANCE


def fastest(each: Json, among: set[str]) -> str | None:
    """Of one round, by its median; a wrong answer takes no part, however fast."""
    turns = {name: turn for name, turn in each["turns"].items() if "fault" not in turn and not is_wrong(turn)}
    return min(among & turns.keys(), key=lambda name: turns[name]["median_ms"], default=None)


def ratios_to(part: Json, name: str, among: set[str]) -> Iterator[float]:
    """A contestant's time over that of the fastest among others, a round each."""
    for each in part["rounds"]:
        other = fastest(each, among)
        if other and "fault" not in each["turns"][name]:
            yield each["turns"][name]["median_ms"] / each["turns"][other]["median_ms"]


def against_best(each: Json) -> tuple[str, float] | None:
    """The fastest peer of a round, and its time over frit's."""
    best = fastest(each, set(each["turns"]) - {"frit"})
    own = fastest(each, {"frit"})
    if not (best and own):
        return None
    return best, each["turns"][best]["median_ms"] / each["turns"][own]["median_ms"]


def spread(values: list[float], form: str) -> str:
    """Median and range."""
    if not values:
        return ""
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"
