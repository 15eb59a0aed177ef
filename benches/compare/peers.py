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

# TensorFlow has half a gigabyte, PyTorch and its libraries three.
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
        self._pip(package, f"{package} {self.pins[package]}", *options, "--constraint", self.requirements, package)

    def install_listed(self) -> None:
        """Installs all of the file and nothing else: torch asks for half a gigabyte that it does without."""
        self._pip("listed", f"all of {self.requirements.name}", "--no-deps", "--requirement", self.requirements)

    def _pip(self, name: str, what: str, *arguments: str | Path) -> None:
        stamp = self.folder / "installed" / name
        wanted = digest(self.requirements.read_bytes())
        if stamp.exists() and stamp.read_text() == wanted:
            return
        if not stamp.parent.exists():
            progress(f"making {self.folder.relative_to(ROOT)}")
            output_of([sys.executable, "-m", "venv", "--clear", self.folder])
            stamp.parent.mkdir()
        progress(f"installing {what}")
        pip = [self.tool("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        output_of([*pip, "--only-binary", ":all:", *arguments], timeout=INSTALL_SECONDS)
        stamp.write_text(wanted)


RUNTIMES = Environment("venv", "requirements.txt")
CONVERTER = Environment("venv-convert", "requirements-convert.txt")
MAKER = Environment("venv-torch", "requirements-torch.txt")


@dataclass(frozen=True)
class Model:
    """A network of models.json, its paths made absolute. frit reads the file `frit`, with the peers' weights, or runs
    the network `zoo` of its own zoo, with weights of its own."""

    id: str
    name: str
    onnx: Path
    golden: Path
    keras: Path | None = None
    frit: Path | None = None
    zoo: str | None = None

    def missing(self) -> list[Path]:
        """Files that are named and not there."""
        named = (self.onnx, self.golden, self.keras, self.frit)
        return [path for path in named if path and not path.exists()]


def read_models(folders: dict[str, Path | None]) -> list[Model]:
    """The list of networks; `$NAME` at the beginning of a path stands for the folder of that name, if it is known."""

    def resolve(key: str, value: str) -> Any:
        if key not in ("onnx", "golden", "keras", "frit"):
            return value
        for name, folder in folders.items():
            if folder:
                value = value.replace(f"${name}/", f"{folder.resolve()}/")
        return ROOT / value

    entries = json.loads((HERE / "models.json").read_text(encoding="utf-8"))
    return [Model(**{key: resolve(key, value) for key, value in entry.items()}) for entry in entries]


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
    scripts = (HERE / name for name in ("convert.py", "onnx_tensorflow.py", "peers.py"))
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
    """Converted with TensorFlow, which fights with the runtimes' versions and so lives apart."""
    source = model.keras or model.onnx

    def convert(folder: Path) -> None:
        CONVERTER.install_listed()
        output_of([CONVERTER.tool("python"), HERE / "convert.py", "tflite", source, folder / "model.tflite"])

    return kept("litert", source, CONVERTER.pins["tensorflow-cpu"], convert) / "model.tflite"


def as_ncnn(model: Model, golden: Golden) -> Path:
    """Converted with the program in pnnx's wheel; PyTorch, which the wheel asks for, serves its Python half only."""

    def convert(folder: Path) -> None:
        RUNTIMES.install("pnnx", "--no-deps")
        RUNTIMES.install("onnx")
        scratch = folder / "scratch"
        scratch.mkdir()
        source = scratch / "model.onnx"
        output_of([RUNTIMES.tool("python"), HERE / "convert.py", "spelled_out", model.onnx, source])
        files = {"ncnnparam": folder / "model.param", "ncnnbin": folder / "model.bin"}
        files |= {name: scratch / name for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")}
        options = [f"{option}={file}" for option, file in files.items()]
        output_of([RUNTIMES.package_file("pnnx/pnnx"), source, f"inputshape=[{golden.shape}]", "fp16=0", *options])
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
        """Installs the runtime and converts the model, unless that has been done, and tries it out."""
        RUNTIMES.install(self.package)
        path = self.convert(model, golden)
        self.turn(path, golden, threads=1, runs=1)
        return path

    def turn(self, model: Path, golden: Golden, threads: int, runs: int, streams: int = 1) -> dict[str, Any]:
        """Times the runtime in a fresh process."""
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | dict.fromkeys(variables, str(threads))
        options = ["--threads", str(threads), "--runs", str(runs), "--streams", str(streams)]
        command = [RUNTIMES.tool("python"), HERE / "turn.py", self.name, model, golden.file, *options]
        return json.loads(output_of(command, environment).splitlines()[-1])


PEERS = [
    Peer("onnxruntime", "onnxruntime", as_onnx),
    Peer("openvino", "openvino", as_onnx),
    Peer("litert", "ai-edge-litert", as_tflite),
    Peer("ncnn", "ncnn", as_ncnn),
    Peer("mnn", "mnn", as_mnn),
]
