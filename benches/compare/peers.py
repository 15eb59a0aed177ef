"""The other runtimes: installed at pinned versions, and each model in the form that each of them reads.

Everything lands below `target/compare` and is kept: a second run finds it there and needs no network. What is cut off
half-way leaves nothing that would pass for whole.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frit import ROOT, Failed, output_of

HERE = Path(__file__).resolve().parent
CACHE = ROOT / "target/compare"

# TensorFlow has half a gigabyte.
INSTALL_SECONDS = 3600


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Environment:
    """A virtual environment whose packages have the versions of one requirements file."""

    def __init__(self, name: str, requirements: str) -> None:
        self.folder = CACHE / name
        self.requirements = HERE / requirements
        lines = [line.strip() for line in self.requirements.read_text().splitlines()]
        self.pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))

    def tool(self, name: str) -> Path:
        return self.folder / "bin" / name

    def package_file(self, name: str) -> Path:
        """A file inside an installed package."""
        return next(self.folder.glob("lib/python*/site-packages")) / name

    def install(self, package: str, *options: str) -> None:
        """Installs a package at its pinned version; does nothing where that has been done."""
        stamp = self.folder / "installed" / package
        wanted = digest(self.requirements.read_bytes())
        if stamp.exists() and stamp.read_text() == wanted:
            return
        if not stamp.parent.exists():
            progress(f"making {self.folder.relative_to(ROOT)}")
            output_of([sys.executable, "-m", "venv", "--clear", self.folder])
            stamp.parent.mkdir()
        progress(f"installing {package} {self.pins[package]}")
        pip = [self.tool("pip"), "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
        output_of([*pip, *options, "--constraint", self.requirements, package], timeout=INSTALL_SECONDS)
        stamp.write_text(wanted)


RUNTIMES = Environment("venv", "requirements.txt")
CONVERTER = Environment("venv-convert", "requirements-convert.txt")


@dataclass(frozen=True)
class Model:
    """A network of models.json, its paths made absolute."""

    name: str
    frit: Path
    onnx: Path
    golden: Path
    keras: Path | None = None


def read_models(models: Path) -> list[Model]:
    """The list of networks; `$FRIT_MODELS` in a path stands for the folder `models`."""

    def resolve(key: str, value: str) -> Any:
        return value if key == "name" else ROOT / value.replace("$FRIT_MODELS", str(models.resolve()))

    entries = json.loads((HERE / "models.json").read_text(encoding="utf-8"))
    listed = [Model(**{key: resolve(key, value) for key, value in entry.items()}) for entry in entries]
    for path in (path for model in listed for path in (model.frit, model.onnx, model.golden)):
        if not path.exists():
            raise Failed(f"{path} is missing: is FRIT_MODELS or --models the right folder?")
    return listed


@dataclass(frozen=True)
class Golden:
    """The first image of a model's golden file, and its shape as `1,3,224,224`."""

    file: Path
    shape: str


def golden_of(model: Model) -> Golden:
    RUNTIMES.install("numpy")

    def convert(folder: Path) -> None:
        target = folder / "golden.npz"
        shape = output_of([RUNTIMES.tool("python"), HERE / "convert.py", "golden", model.golden, target])
        (folder / "shape").write_text(shape.strip())

    folder = kept("golden", model.golden, "", convert)
    return Golden(folder / "golden.npz", (folder / "shape").read_text())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def kept(kind: str, source: Path, how: str, convert: Callable[[Path], None]) -> Path:
    """The folder that `convert` filled from `source`, or fills now; `how` names the converter's version."""
    scripts = (HERE / name for name in ("convert.py", "peers.py"))
    key = digest(source.read_bytes() + how.encode() + b"".join(script.read_bytes() for script in scripts))
    folder = CACHE / "models" / f"{source.stem}-{kind}-{key}"
    if not folder.exists():
        progress(f"converting {source.name} for {kind}")
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        convert(part)
        part.rename(folder)
    return folder


def as_onnx(model: Model, _: Golden) -> Path:
    return model.onnx


def as_tflite(model: Model, _: Golden) -> Path:
    """Converted from Keras with TensorFlow, which fights with the runtimes' versions and so lives apart."""
    if model.keras is None or not model.keras.exists():
        raise Failed("there is no Keras file of this network to convert")

    def convert(folder: Path) -> None:
        CONVERTER.install("tensorflow-cpu")
        output_of([CONVERTER.tool("python"), HERE / "convert.py", "tflite", model.keras, folder / "model.tflite"])

    return kept("litert", model.keras, CONVERTER.pins["tensorflow-cpu"], convert) / "model.tflite"


def as_ncnn(model: Model, golden: Golden) -> Path:
    """Converted with the program in pnnx's wheel; PyTorch, which the wheel asks for, serves its Python half only."""

    def convert(folder: Path) -> None:
        RUNTIMES.install("pnnx", "--no-deps")
        scratch = folder / "scratch"
        scratch.mkdir()
        files = {"ncnnparam": folder / "model.param", "ncnnbin": folder / "model.bin"}
        files |= {name: scratch / name for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")}
        options = [f"{option}={file}" for option, file in files.items()]
        output_of([RUNTIMES.package_file("pnnx/pnnx"), model.onnx, f"inputshape=[{golden.shape}]", "fp16=0", *options])
        shutil.rmtree(scratch)

    return kept("ncnn", model.onnx, RUNTIMES.pins["pnnx"] + golden.shape, convert) / "model.param"


def as_mnn(model: Model, _: Golden) -> Path:
    def convert(folder: Path) -> None:
        target = ["--MNNModel", folder / "model.mnn", "--bizCode", "compare"]
        output_of([RUNTIMES.tool("mnnconvert"), "-f", "ONNX", "--modelFile", model.onnx, *target])
        if not (folder / "model.mnn").exists():
            raise Failed("the converter made no file")

    return kept("mnn", model.onnx, RUNTIMES.pins["mnn"], convert) / "model.mnn"


@dataclass(frozen=True)
class Peer:
    """A runtime to compare with: its name on the command line, its package, and how it gets a model."""

    name: str
    package: str
    convert: Callable[[Model, Golden], Path]

    def version(self) -> str:
        return RUNTIMES.pins[self.package]

    def prepare(self, model: Model, golden: Golden) -> Path:
        """Installs the runtime and converts the model; either may be done already."""
        RUNTIMES.install(self.package)
        return self.convert(model, golden)

    def turn(self, model: Path, golden: Golden, threads: int, runs: int) -> dict[str, Any]:
        """Times the runtime in a fresh process."""
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | dict.fromkeys(variables, str(threads))
        options = ["--threads", str(threads), "--runs", str(runs)]
        command = [RUNTIMES.tool("python"), HERE / "turn.py", self.name, model, golden.file, *options]
        return json.loads(output_of(command, environment).splitlines()[-1])


PEERS = [
    Peer("onnxruntime", "onnxruntime", as_onnx),
    Peer("openvino", "openvino", as_onnx),
    Peer("litert", "ai-edge-litert", as_tflite),
    Peer("ncnn", "ncnn", as_ncnn),
    Peer("mnn", "mnn", as_mnn),
]
