"""The frit command, seen from a script: where it is, and what it says about a model."""

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Far longer than any turn takes: what has not ended by then hangs.
TIMEOUT_SECONDS = 300


# Images that each stream computes between two meetings of all of them.
IMAGES_OF_A_STREAM = 8


class Failed(Exception):
    """A command that did not do what it was asked for, with its own last words."""


def output_of(command: list[str | Path], environment: dict[str, str] | None = None,
              timeout: int = TIMEOUT_SECONDS) -> str:
    """Runs a command to its end and gives its standard output."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from error
    if done.returncode != 0:
        raise Failed(f"exit status {done.returncode}: {last_words(done.stderr.strip() or done.stdout.strip())}")
    return done.stdout


def last_words(said: str) -> str:
    """The line that names the reason: the first that pip or frit call an error, or the last, as in a Python
    traceback."""
    lines = said.splitlines()
    if found := next(filter(None, map(diagnosed, lines)), None):
        return found
    errors = [line for line in lines if line.startswith(("ERROR: ", "error: ", "error["))]
    return (errors[:1] or lines[-1:] or ["no message"])[0]


def diagnosed(line: str) -> str | None:
    """What a diagnostic of frit as JSON says, if the line is one of an error."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("severity") != "error":
        return None
    return f"{found.get('code')}: {found.get('message')}"


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--frit`, the same for every script here."""
    parser.add_argument("--frit", metavar="PATH", type=Path, default=ROOT / "target/release/frit",
                        help="the frit command [default: target/release/frit of this project]")


@dataclass(frozen=True)
class Frit:
    """A built frit command."""

    command: Path

    def bench(self, model: Path, threads: int, runs: int, streams: int = 1) -> dict[str, Any]:
        """Times of an image, and the machine's rates measured beside them; with several streams the image's share of the time of
        a batch that all of them work at."""
        batch = 1 if streams == 1 else streams * IMAGES_OF_A_STREAM
        counts = {"threads": threads, "runs": max(1, runs * streams // batch), "streams": streams, "batch": batch}
        said = self._say("bench", model, *(word for name in counts for word in (f"--{name}", str(counts[name]))))
        times = {key: said["variants"][0][key] / batch for key in ("median_ms", "min_ms", "p90_ms")}
        return times | {"probe": said["probe"], "isa": said["isa"]}

    def error(self, model: Path, golden: Path, threads: int) -> float:
        """The largest difference from a golden file, as a share of its largest magnitude."""
        try:
            said = self._say("verify", model, "--against", str(golden), "--threads", str(threads))
        except Failed as failed:
            raise Failed(f"frit verify: {failed}") from failed
        timed = [run for run in said["runs"] if run["variant"] == "fused"]
        return max(output["max_rel"] for run in timed for output in run["outputs"])

    def zoo(self, name: str, folder: Path) -> Path:
        """The description of a network of the zoo, as a file in `folder`."""
        if name not in output_of([self.command, "zoo"]).split():
            raise Failed(f"frit's zoo has no {name}")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        path.write_text(output_of([self.command, "zoo", name]), encoding="utf-8")
        return path

    def macs(self, model: Path) -> int:
        """Multiply-accumulates of one image."""
        return self._say("cost", model)["totals"]["macs"]

    def _say(self, verb: str, model: Path, *arguments: str) -> dict[str, Any]:
        return json.loads(output_of([self.command, verb, model, *arguments, "--format", "json"]))
