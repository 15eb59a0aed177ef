"""What the tests of the package share: the folders of models, and models that are compiled once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import frit

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/mobilenet_v2"


def models() -> Path | None:
    """The folder of models that are too large for the tree."""
    folder = os.environ.get("FRIT_MODELS")
    return Path(folder) if folder else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if models() is None:
        terminalreporter.write_line("left out: the goldens of large models (FRIT_MODELS is not set)")
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"left out: {report.nodeid}: {report.longrepr[2]}")


SMALL = """{"frit": 1, "name": "small", "input": {"name": "image", "shape": [16, 12, 3]},
 "weights": {"seed": 7}, "labels": "labels.json",
 "defaults": {"padding": "same", "activation": "relu6", "batch_norm": {"epsilon": 1e-3}}, "layers": [
   {"name": "stem", "op": "conv2d", "filters": 8, "kernel": 3, "stride": 2}, "relu6",
   {"name": "block", "stage": "inverted_residual", "expand": 4, "filters": 8, "stride": 1},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 3}, "softmax"]}"""

WRONG = """{"frit": 1, "name": "net", "input": {"name": "x", "shape": [8, 8, 3]}, "weights": {"seed": 1}, "layers": [
   {"name": "a", "op": "conv2d", "filters": 4, "kernel": 1, "stride": 2},
   {"name": "sum", "op": "add", "inputs": ["x", "a"]},
   {"name": "late", "op": "conv2d", "filters": 4, "kernel": 1, "groups": 3}]}"""


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "labels.json").write_text('["a", "b", "c"]')
    path = folder / "small.json"
    path.write_text(SMALL)
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.json"
    path.write_text(WRONG)
    return path


@pytest.fixture(scope="session")
def small(description: Path) -> frit.Model:
    return frit.compile(description, threads=2)


@pytest.fixture(scope="session")
def trained() -> frit.Model:
    return frit.compile(EXAMPLE / "model.json", threads=1)


def images(batch: int, seed: int = 0) -> np.ndarray:
    """Images for the small model."""
    return np.random.default_rng(seed).standard_normal((batch, 16, 12, 3)).astype(np.float32)
