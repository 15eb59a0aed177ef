"""Models from files and objects, what they tell of themselves, and what is refused."""

from __future__ import annotations

import contextlib
import doctest
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE, ROOT, images

import frit

ONNX = ROOT / "tests/goldens/seeds/s3_mobilenet_v3_bottleneck.onnx"


def test_the_lines_of_the_readme_see_the_cat() -> None:
    text = (ROOT / "README.md").read_text()
    lines = text.split("## From Python", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    assert len(lines.strip().splitlines()) == 5
    ran = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == "0.787 Egyptian cat"


def test_the_lines_of_the_package_see_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert doctest.testmod(frit) == doctest.TestResults(failed=0, attempted=4)


def test_pictures_become_the_same_input_from_a_file_an_array_and_pillow(trained: frit.Model) -> None:
    image_of = pytest.importorskip("PIL.Image")
    path = EXAMPLE / "cat.png"
    picture = image_of.open(path)
    expected = trained.preprocess(path)
    assert expected.shape == (224, 224, 3)
    assert np.array_equal(trained.preprocess(picture), expected)
    assert np.array_equal(trained.preprocess(np.asarray(picture.convert("RGB"))), expected)
    assert trained.preprocess([path, picture]).shape == (2, 224, 224, 3)


def test_what_is_no_picture_is_refused(trained: frit.Model, small: frit.Model, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    for wrong in (tmp_path / "x.png", tmp_path / "none.png", np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8)):
        with pytest.raises(frit.InputError, match="FR0030"):
            trained.preprocess(wrong)
    with pytest.raises(frit.InputError, match="FR0032") as refused:
        small.preprocess(EXAMPLE / "cat.png")
    assert any('preprocess="imagenet"' in way for way in refused.value.help)


def test_top_names_classes_likeliest_first(small: frit.Model) -> None:
    scores = np.array([[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]], np.float32)
    first, second = small.top(scores, 2)
    assert [guess.label for guess in first] == ["b", "a"]
    assert [guess.index for guess in second] == [0, 2]
    assert first[0].probability == pytest.approx(0.7)
    assert [guess.label for guess in small.top(scores[0], 1, ["x", "y", "z"])] == ["y"]
    assert small.labels == ["a", "b", "c"]


def test_an_artifact_gives_the_same_bits(small: frit.Model, tmp_path: Path) -> None:
    batch = images(3)
    path = tmp_path / "small.frit"
    small.save(path)
    loaded = frit.load(path, threads=1)
    assert np.array_equal(loaded(batch), small(batch))
    assert loaded.signature == small.signature
    assert np.array_equal(frit.load(path, huge_pages=True)(batch), small(batch))
    loaded.save(path)
    assert np.array_equal(frit.load(path)(batch), loaded(batch))
    with pytest.raises(ValueError, match=r"\.frit"):
        small.save(tmp_path / "small.so")
    with pytest.raises(frit.FritError, match="FR0301"):
        small.save(tmp_path / "nowhere/small.frit")


def test_a_pickled_model_gives_the_same_bits(small: frit.Model) -> None:
    batch = images(3)
    restored = pickle.loads(pickle.dumps(small))
    assert np.array_equal(restored(batch), small(batch))
    assert (restored.threads, restored.labels, repr(restored)) == (small.threads, small.labels, repr(small))
    again = pickle.loads(pickle.dumps(restored))
    assert np.array_equal(again(batch), small(batch))


def test_an_artifact_says_that_it_has_no_source(small: frit.Model) -> None:
    restored = pickle.loads(pickle.dumps(small))
    for call in (restored.graph, restored.verify, restored.explain, lambda: restored.bench(["fused", "unfused"])):
        with pytest.raises(frit.ArtifactError, match="FR0406"):
            call()
    assert restored.bench(runs=2)[0].median_ms > 0


def test_damaged_artifacts_are_refused(small: frit.Model, tmp_path: Path) -> None:
    path = tmp_path / "x.frit"
    small.save(path)
    whole = path.read_bytes()
    wrong = {"FR0401": b"something else", "FR0403": whole[: len(whole) // 2], "FR0001": None}
    for code, content in wrong.items():
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(frit.ArtifactError) as refused:
            frit.load(path)
        assert refused.value.code == code
        assert str(path) in str(refused.value)


def test_a_model_for_another_cpu_is_saved_and_not_run(description: Path, tmp_path: Path) -> None:
    import platform

    other = "aarch64" if platform.machine() == "x86_64" else "x86-64-v2"
    model = frit.compile(description, target=other)
    assert model.target == other
    model.save(tmp_path / "other.frit")
    for call in (lambda: model(images(1)), lambda: frit.load(tmp_path / "other.frit")):
        with pytest.raises(frit.ArtifactError) as refused:
            call()
        assert refused.value.code == "FR0405"
        assert any('target="native"' in way for way in refused.value.help)


def test_all_faults_of_a_model_are_told_at_once(wrong: Path) -> None:
    with pytest.raises(frit.ModelError) as refused:
        frit.compile(wrong)
    error = refused.value
    codes = [diagnostic.code for diagnostic in error.diagnostics]
    assert "FR0201" in codes
    assert len(codes) >= 2
    residual = next(found for found in error.diagnostics if found.code == "FR0201")
    assert residual.layers[0] == "sum"
    assert len(residual.shapes) == 2
    assert any('residual="drop"' in way for way in residual.help)
    assert [found.code for found in frit.check(wrong)] == codes
    assert "residual add joins different shapes" in str(error)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.code, str(copied)) == (frit.ModelError, error.code, str(error))


def test_residuals_are_repaired_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(
        """{"frit": 1, "name": "net", "input": {"name": "x", "shape": [8, 8, 3]}, "weights": {"seed": 1}, "layers": [
        {"name": "a", "op": "conv2d", "filters": 4, "kernel": 1, "stride": 2},
        {"name": "sum", "op": "add", "inputs": ["x", "a"]}]}"""
    )
    dropped = frit.compile(path, residual="drop")
    assert dropped.repairs == ["dropped the residual edge from x into sum: a goes on alone"]
    projected = frit.compile(path, residual="project")
    assert projected.repairs[0].startswith("inserted the projection")
    assert any(found.code == "FR0205" for found in projected.check())
    assert "sum" in projected.graph("imported")


def test_options_that_mean_nothing_are_refused(description: Path) -> None:
    for wrong in ({"target": "z80"}, {"disable": ["no-such-rule"]}, {"residual": "keep"}, {"threads": 0}, {"shapes": [0, 3]}):
        with pytest.raises(ValueError):
            frit.compile(description, **wrong)
    with pytest.raises(frit.ModelError, match="FR0001"):
        frit.compile(description.parent / "none.json")
    for wrong in (7, None, object()):
        with pytest.raises(frit.ModelError, match="is no model"):
            frit.compile(wrong)


def test_progress_is_told_and_may_stop(description: Path) -> None:
    told: list[tuple[int, int]] = []
    frit.compile(description, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        frit.compile(description, progress=stop)


def test_a_model_tells_of_itself(small: frit.Model) -> None:
    assert repr(small).startswith("<frit.Model small: image: 16x12x3 float32 -> logits/softmax: 3 float32;")
    assert "16×12×3" in small._repr_html_()
    for stage in ("imported", "legal", "optimized", "scheduled"):
        drawing = small.graph(stage)
        assert "stem" in drawing
        assert drawing.dot.startswith("digraph")
    assert pickle.loads(pickle.dumps(small.graph())).dot == small.graph().dot
    with pytest.raises(ValueError, match="no stage"):
        small.graph("late")
    assert small.check() == []
    assert all(found.severity in ("hint", "warning") for found in small.check(lint=True))
    assert "legality" in small.explain()
    assert "FR0201" in small.explain("FR0201")
    with pytest.raises(ValueError):
        frit.explain("FR9999")


def test_a_model_is_measured_and_verified(small: frit.Model, tmp_path: Path) -> None:
    steps = small.profile(images(1)[0])
    assert {layer for step in steps for layer in step.layers} >= {"stem", "logits"}
    assert all(step.milliseconds >= 0 for step in steps)
    with pytest.raises(frit.InputError, match="one image"):
        small.profile(images(2))
    fused, unfused = small.bench(["fused", "unfused"], threads=[1], runs=3)
    assert (fused.variant, fused.ratio, fused.runs) == ("fused", 1.0, 3)
    assert unfused.ratio == pytest.approx(unfused.median_ms / fused.median_ms)
    with pytest.raises(ValueError, match="no variant"):
        small.bench(["fastest"])
    verdict = small.verify(2)
    assert verdict
    assert verdict.outputs[0].relative < 1e-5
    batch = images(2)
    golden = tmp_path / "golden.npz"
    np.savez(golden, input=batch, output=small(batch))
    assert small.verify(against=golden)
    np.savez(golden, input=batch, output=small(batch) + 1)
    assert not small.verify(against=golden)


def test_fused_and_unfused_agree(description: Path, small: frit.Model) -> None:
    batch = images(2)
    assert np.allclose(frit.compile(description, fuse=False)(batch), small(batch), atol=1e-6)
    assert np.allclose(frit.compile(description, disable=["fold-batch-norm"])(batch), small(batch), atol=1e-6)


def test_a_model_of_onnx_is_taken_as_bytes_and_as_an_object() -> None:
    onnx = pytest.importorskip("onnx")
    arrays = np.load(ONNX.with_suffix(".npz"))
    expected = frit.compile(ONNX)(arrays["input"])
    assert np.array_equal(frit.compile(ONNX.read_bytes())(arrays["input"]), expected)
    assert np.array_equal(frit.compile(onnx.load(ONNX))(arrays["input"]), expected)
    assert np.abs(expected - arrays["output"]).max() <= 1e-4 * np.abs(arrays["output"]).max()
    with pytest.raises(frit.ModelError, match="FR004"):
        frit.compile(b"no ONNX file")


def test_sizes_that_a_file_leaves_open_are_given() -> None:
    path = ROOT / "tests/goldens/reports/onnx_pyramid_open_size.onnx"
    with pytest.raises(frit.ModelError) as refused:
        frit.compile(path)
    assert refused.value.code == "FR0047"
    rank = len(frit.compile(path, shapes=(1, 3, 64, 64)).signature.inputs[0].shape)
    assert rank == 3


def test_a_model_of_keras_is_compiled_in_one_line() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5),
        ]
    )
    batch = np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype(np.float32)
    expected = np.asarray(model(batch))
    assert np.abs(frit.compile(model)(batch) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_module_of_torch_is_compiled_in_one_line() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    layers: list[Any] = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)]
    module = torch.nn.Sequential(*layers)
    batch = torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        expected = module(batch).numpy()
    model = frit.compile(module, example=torch.zeros(1, 3, 8, 8))
    assert np.abs(model(batch) - expected).max() <= 1e-5 * np.abs(expected).max()
    with pytest.raises(frit.ModelError, match="does not say what it takes"):
        frit.compile(module)
    with pytest.raises(frit.InputError, match="can't be read where it lies"):
        model(torch.zeros(1, 3, 8, 8, requires_grad=True))


def test_what_saves_and_exports_itself_is_compiled_from_that_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of the shape that Keras and PyTorch give theirs, whose files are in the tree."""
    keras, saved = ROOT / "tests/goldens/keras/operators.keras", []

    class Saves:
        name = "saves"

        def get_config(self) -> dict[str, Any]:
            return {}

        def save(self, path: Path) -> None:
            saved.append(path)
            shutil.copy(keras, path)

    class Module:
        training = True

        def state_dict(self) -> dict[str, Any]:
            return {}

        def forward(self) -> None:
            pass

        def eval(self) -> None:
            self.training = False

        def train(self, mode: bool) -> None:
            self.training = mode

    def export(module: Module, arguments: tuple[Any, ...], path: str, dynamo: bool) -> None:
        assert (module.training, arguments) == (False, ("example",))
        saved.append(Path(path))
        shutil.copy(ONNX, path)

    torch = SimpleNamespace(no_grad=contextlib.nullcontext, onnx=SimpleNamespace(export=export))
    monkeypatch.setitem(sys.modules, "torch", torch)
    module = Module()
    for model, path in ((frit.compile(Saves()), keras), (frit.compile(module, example="example"), ONNX)):
        expected = frit.compile(path)
        assert model.signature == expected.signature
        inputs = [np.ones((2, *port.shape), np.float32) for port in model.signature.inputs]
        np.testing.assert_equal(model(*inputs), expected(*inputs))
    assert module.training
    assert [path.name for path in saved] == ["saves.keras", "Module.onnx"]
    assert not any(path.exists() for path in saved)


def test_a_module_without_its_package_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        training = False

        def state_dict(self) -> dict[str, Any]:
            return {}

        def forward(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(frit.ModelError, match="takes torch") as refused:
        frit.compile(Module(), example=0)
    assert refused.value.help == ("pip install torch",)


def test_the_package_is_typed() -> None:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-incremental", "frit", "benches/call.py"]
    checked = subprocess.run(command, cwd=ROOT / "python", capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
