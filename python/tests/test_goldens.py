"""What Keras, ONNX Runtime and PyTorch computed, and ONNX Runtime itself on the same files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import EXAMPLE, ROOT, models

import frit

# Of the largest magnitude of an output; frameworks differ among themselves by a fifth of it.
TOLERANCE = 1e-4

# Files of a manifest that hold a model, with those of the weights that belong to them.
KINDS = {"onnx": None, "keras": None, "h5": None, "h5-keras2": None, "json": "weights", "json-keras2": "weights-keras2"}


class Case(NamedTuple):
    path: Path
    weights: Path | None
    golden: Path
    # Channels last in the model, first in the golden.
    turned: bool
    shape: str | None


def cases() -> Iterator[Case]:
    """All models with a golden: those of the tree, and with them those of the folder of models."""
    folders = [ROOT / "tests/goldens" / name for name in ("onnx", "keras", "reports", "seeds")]
    large = models()
    if large is not None:
        folders += [large / name for name in ("seeds", "onnx", "pretrained", "reports")]
    for folder in folders:
        for entry in json.loads((folder / "manifest.json").read_text()):
            if entry["expect"].startswith("ok"):
                yield from of_entry(folder, entry)


def of_entry(folder: Path, entry: dict[str, Any]) -> Iterator[Case]:
    files = entry["files"]
    for kind, weights in KINDS.items():
        if kind in files and "golden" in files:
            turned = kind != "onnx" and entry.get("layout") == "NCHW"
            beside = folder / files[weights] if weights else None
            yield Case(folder / files[kind], beside, folder / files["golden"], turned, entry.get("shape"))


def named(arrays: dict[str, np.ndarray], kind: str, ports: tuple[frit.Port, ...]) -> list[np.ndarray]:
    """The array of each port: the one of its name, or the only one."""
    found = []
    for port in ports:
        names = [f"{kind}.{port.name}", f"{kind}.{port.name.replace('/', '_').replace(':', '_')}", f"{kind}put"]
        found.append(arrays[next(name for name in names if name in arrays)])
    return found


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"{case.path.parent.name}/{case.path.name}")
def test_a_model_gives_what_its_framework_computed(case: Case) -> None:
    shapes = None
    if case.shape:
        name, axes = case.shape.split("=")
        shapes = {name: [int(axis) for axis in axes.split("x")]}
    model = frit.compile(case.path, weights=case.weights, shapes=shapes, threads=1)
    arrays = dict(np.load(case.golden))
    inputs = named(arrays, "in", model.signature.inputs)
    if case.turned:
        inputs = [np.moveaxis(array, 1, -1) for array in inputs]
    found = model(*inputs)
    found = (found,) if isinstance(found, np.ndarray) else found
    for port, got, wanted in zip(model.signature.outputs, found, named(arrays, "out", model.signature.outputs), strict=True):
        assert np.abs(got.reshape(wanted.shape) - wanted).max() <= TOLERANCE * np.abs(wanted).max(), port


def test_the_trained_network_gives_the_logits_of_pytorch(trained: frit.Model) -> None:
    arrays = np.load(ROOT / "tests/goldens/mobilenet_v2_imagenet.npz")
    # Channels first in the file: they are taken as they lie.
    found = trained(arrays["input"].transpose(0, 2, 3, 1))
    assert np.abs(found - arrays["output"]).max() <= TOLERANCE * np.abs(arrays["output"]).max()


# Files that ONNX Runtime does not load: average pools with dilations.
REFUSED = ["pools_with_counted_pads"]


def sessions() -> list[Path]:
    """ONNX files of the tree that ONNX Runtime takes too."""
    folder = ROOT / "tests/goldens/onnx"
    entries = json.loads((folder / "manifest.json").read_text())
    taken = [entry for entry in entries if entry["name"] not in REFUSED and not entry.get("shape")]
    return [folder / entry["files"]["onnx"] for entry in taken]


@pytest.mark.parametrize("path", sessions(), ids=lambda path: path.stem)
def test_a_session_has_the_shape_of_onnx_runtime(path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    theirs = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ours = frit.InferenceSession(path, providers=["CPUExecutionProvider"])
    for one, other in zip(ours.get_inputs() + ours.get_outputs(), theirs.get_inputs() + theirs.get_outputs(), strict=True):
        assert (one.name, one.type) == (other.name, other.type)
        if other.shape:
            assert len(one.shape) - len(other.shape) in (0, 1), one.name
    arrays = dict(np.load(path.with_suffix(".npz")))
    feed = {}
    for port in theirs.get_inputs():
        array = arrays.get(f"in.{port.name}", arrays.get("input"))
        fixed = port.shape[0] if isinstance(port.shape[0], int) else len(array)
        feed[port.name] = array[:fixed] if len(array) > fixed else array
    expected, found = theirs.run(None, feed), ours.run(None, feed)
    for node, wanted, got in zip(theirs.get_outputs(), expected, found, strict=True):
        assert got.shape == wanted.shape, node.name
        assert np.abs(got - wanted).max(initial=0) <= TOLERANCE * np.abs(wanted).max(initial=0), node.name
    (last,) = ours.run([theirs.get_outputs()[-1].name], feed)
    assert np.array_equal(last, found[-1])


def test_a_session_refuses_other_names() -> None:
    path = ROOT / "tests/goldens/onnx/conv_groups_and_dilation.onnx"
    session = frit.InferenceSession(path.read_bytes())
    array = np.load(path.with_suffix(".npz"))["input"]
    (name,) = [node.name for node in session.get_inputs()]
    for names, feed in ((["none"], {name: array}), (None, {"none": array}), (None, {}), (None, {name: array, "none": array})):
        with pytest.raises(frit.InputError, match="FR0031"):
            session.run(names, feed)


def test_a_session_runs_an_artifact(small: frit.Model, tmp_path: Path) -> None:
    small.save(tmp_path / "small.frit")
    session = frit.InferenceSession(tmp_path / "small.frit")
    image = np.zeros((1, 16, 12, 3), np.float32)
    assert np.array_equal(session.run(None, {"image": image})[0], small(image))


def test_pictures_are_classified_as_by_the_framework_that_trained_the_network(trained: frit.Model) -> None:
    guesses = trained.top(trained(trained.preprocess(EXAMPLE / "cat.png")), 3)
    assert [guess.label for guess in guesses] == ["Egyptian cat", "tiger cat", "tabby"]
    assert guesses[0].probability == pytest.approx(0.787, abs=0.005)
