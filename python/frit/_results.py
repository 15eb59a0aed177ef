"""What models tell of themselves, as values that print."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Guess:
    """A class and how likely it is: between 0 and 1."""

    index: int
    label: str | None
    probability: float

    def __str__(self) -> str:
        return f"{self.probability:.3f} {self.label or self.index}"


@dataclass(frozen=True)
class StepTime:
    """A step of a model and how long it took for one image."""

    name: str
    layers: list[str]
    kernels: list[str]
    macs: int
    bytes: int
    milliseconds: float

    def __str__(self) -> str:
        return f"{self.milliseconds:8.3f} ms  {', '.join(self.layers) or self.name}"


class Timing(NamedTuple):
    """How long a variant of a model takes; `ratio` is its median by that of the first variant at as many threads."""

    variant: str
    threads: int
    batch: int
    runs: int
    median_ms: float
    min_ms: float
    p90_ms: float
    ratio: float

    def __str__(self) -> str:
        return f"{self.variant}, {self.threads} threads: {self.median_ms:.3f} ms ({self.ratio:.3f})"


class Difference(NamedTuple):
    """How far an output is from what it should be: absolute, as a share of its largest magnitude, in steps of its element."""

    output: str
    absolute: float
    relative: float
    ulp: int


@dataclass(frozen=True)
class Verdict:
    """Whether a model gives what it should; true where it passed. It prints as a table of all runs."""

    passed: bool
    outputs: tuple[Difference, ...]
    text: str

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return self.text


class Drawing(str):
    """A model at one stage: its text, `dot` for Graphviz, and a picture in a notebook where Graphviz is installed."""

    dot: str

    def __new__(cls, text: str, dot: str) -> Drawing:
        drawing = super().__new__(cls, text)
        drawing.dot = dot
        return drawing

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.dot

    def _repr_svg_(self) -> str | None:
        return svg(self.dot)

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        getattr(printer, "text")(str(self))


def svg(dot: str) -> str | None:
    """The picture that Graphviz draws; none where it is not installed, or fails."""
    command = shutil.which("dot")
    if command is None:
        return None
    drawn = subprocess.run([command, "-Tsvg"], input=dot, capture_output=True, text=True, check=False)
    return drawn.stdout if drawn.returncode == 0 else None
