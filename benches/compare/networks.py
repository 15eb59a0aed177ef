#!/usr/bin/env python3
"""Makes the full-size networks with the frameworks that they come from: seeded weights, batch normalisations kept.

Each gets an .onnx file, those of Keras a .keras file of the same weights too, and a golden file (.npz with `input`,
channels before height and width, and `output`, a batch of two) with what its framework computes. Each is then run
layer by layer: where a number is denormal, a layer's output vanishes or explodes, or the output ignores its input,
the network is refused. manifest.json in the folder lists them; NAME.layers.json has the deviation of every tensor.
"""

import argparse
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# What is made here goes below target/ only.
sys.dont_write_bytecode = True

from frit import Failed, output_of
from peers import CACHE, CONVERTER, HERE, MAKER, RUNTIMES, Environment, digest, progress

EXAMPLES = """\
examples:
  networks.py                                all, below target/compare/networks; what is there already is kept
  networks.py --only xception_keras          one of them
  networks.py --out /data/networks           elsewhere

The first run installs TensorFlow and PyTorch below target/compare (6 GB) and takes a quarter of an hour.
Exit status: 0 done, 1 a network could not be made or is not fit, 2 wrong usage.
"""

NETWORKS_FOLDER = CACHE / "networks"
MANIFEST = "manifest.json"

# Deviations of a tensor between which a signal lives. Softmax over 1000 classes is near the lower one.
LEAST_DEVIATION, MOST_DEVIATION = 1e-5, 1e3

# Faults of a network that are worth a line.
MOST_FAULTS = 3

# Of the largest output: runtimes agree far better, and two unlike images differ far more.
MOST_ERROR, LEAST_SPREAD = 1e-4, 1e-3


@dataclass(frozen=True)
class Network:
    """One network: its name in frit's zoo, and who makes it."""

    network: str
    framework: str
    constructor: str
    size: int = 224

    @property
    def name(self) -> str:
        return f"{self.network}_{self.framework}"

    def environment(self) -> Environment:
        return CONVERTER if self.framework == "keras" else MAKER

    def scripts(self) -> list[Path]:
        """What the files depend on; the first is the one to run."""
        script = "network_keras.py" if self.framework == "keras" else "network_torch.py"
        return [HERE / script, HERE / "seeded.py"]

    def arguments(self) -> list[str]:
        framework = [] if self.framework == "keras" else [self.framework]
        return [*framework, self.constructor, str(self.size), self.name]


NETWORKS = [
    Network("mobilenet_v1", "keras", "MobileNet"),
    Network("mobilenet_v2", "keras", "MobileNetV2"),
    Network("mobilenet_v2", "torchvision", "mobilenet_v2"),
    Network("mobilenet_v3_large", "keras", "MobileNetV3Large"),
    Network("mobilenet_v3_large", "torchvision", "mobilenet_v3_large"),
    Network("mobilenet_v3_small", "keras", "MobileNetV3Small"),
    Network("mobilenet_v3_small", "torchvision", "mobilenet_v3_small"),
    Network("mnasnet_a1", "timm", "semnasnet_100"),
    Network("mnasnet_b1", "torchvision", "mnasnet1_0"),
    Network("efficientnet_b0", "keras", "EfficientNetB0"),
    Network("efficientnet_b0", "torchvision", "efficientnet_b0"),
    Network("resnext50_32x4d", "torchvision", "resnext50_32x4d"),
    Network("xception", "keras", "Xception", 299),
    Network("inception_resnet_v2", "keras", "InceptionResNetV2", 299),
]


def make(network: Network, folder: Path) -> dict[str, Any]:
    """The network's files in `folder`, and its entry of the manifest."""
    environment = network.environment()
    environment.install_listed()
    part = folder / f"{network.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    quiet = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    script = network.scripts()[0]
    output_of([environment.tool("python"), script, *network.arguments(), part], quiet, timeout=3600)
    looked = look(network, part)
    files = {path.suffix.removeprefix("."): path.name for path in sorted(part.iterdir()) if path.suffix != ".json"}
    for path in part.iterdir():
        path.replace(folder / path.name)
    part.rmdir()
    return asdict(network) | {
        "name": network.name,
        "versions": {name: environment.pins[name] for name in versions_of(network)},
        "files": files,
        "input": [None, 3, network.size, network.size],
        "layout": "NCHW",
        "checks": looked,
        "recipe": recipe(network),
    }


def versions_of(network: Network) -> list[str]:
    return ["keras", "tensorflow-cpu", "tf2onnx"] if network.framework == "keras" else ["torch", network.framework]


def recipe(network: Network) -> str:
    """Changes whenever the files would come out differently."""
    sources = [*network.scripts(), network.environment().requirements]
    return digest(b"".join(source.read_bytes() for source in sources) + repr(network).encode())


def look(network: Network, folder: Path) -> dict[str, Any]:
    """What layers.py finds in the files, if it is nothing bad."""
    RUNTIMES.install("onnxruntime")
    RUNTIMES.install("onnx")
    paths = [folder / f"{network.name}{suffix}" for suffix in (".onnx", ".npz")]
    found = json.loads(output_of([RUNTIMES.tool("python"), HERE / "layers.py", *paths]))
    layers = found.pop("layers")
    (folder / f"{network.name}.layers.json").write_text(json.dumps(layers, indent=1) + "\n", encoding="utf-8")
    deviations = [layer["std"] for layer in layers]
    if bad := faults(found, layers):
        more = f" and {len(bad) - MOST_FAULTS} more" if len(bad) > MOST_FAULTS else ""
        raise Failed("; ".join(bad[:MOST_FAULTS]) + more)
    return found | {"tensors": len(layers), "least_std": min(deviations), "most_std": max(deviations)}


def faults(found: dict[str, Any], layers: list[dict[str, Any]]) -> list[str]:
    """Why a network is not fit for timing or for comparing outputs."""
    bad = []
    for layer in layers:
        where = f"{layer['node']} ({layer['op']})"
        for kind in ("denormals", "not_finite"):
            if layer[kind]:
                bad.append(f"{where}: {layer[kind]} numbers are {kind.replace('_', ' ')}")
        if not LEAST_DEVIATION <= layer["std"] <= MOST_DEVIATION:
            bad.append(f"{where}: a deviation of {layer['std']:.1e}")
    if found["denormal_weights"]:
        bad.append(f"{found['denormal_weights']} weights are denormal")
    if not found["norms"]:
        bad.append("the exporter folded every batch normalisation")
    if not found["error"] <= MOST_ERROR:
        bad.append(f"ONNX Runtime differs from the framework by {found['error']:.1e}")
    if not found["spread"] >= LEAST_SPREAD:
        bad.append(f"two images differ by {found['spread']:.1e} of the largest output only")
    return bad


def known(folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of the manifest, by name."""
    path = folder / MANIFEST
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {entry["name"]: entry for entry in entries}


def is_kept(network: Network, folder: Path, entry: dict[str, Any] | None) -> bool:
    if entry is None or entry["recipe"] != recipe(network):
        return False
    return all((folder / file).exists() for file in entry["files"].values())


def write(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    part = folder / f"{MANIFEST}.part"
    listed = [entries[name] for name in sorted(entries)]
    part.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / MANIFEST)


def describe(entry: dict[str, Any]) -> str:
    checks = entry["checks"]
    return (f"{entry['name']}: {checks['tensors']} tensors, none with denormal numbers, deviations "
            f"{checks['least_std']:.1e}–{checks['most_std']:.1e}, {checks['norms']} batch normalisations, "
            f"ONNX Runtime differs by {checks['error']:.1e}")


def chosen(text: str) -> list[Network]:
    names = {network.name: network for network in NETWORKS}
    unknown = [name for name in text.split(",") if name not in names]
    if unknown:
        raise argparse.ArgumentTypeError(f"no network is called {unknown[0]}; there are {', '.join(names)}")
    return [names[name] for name in text.split(",")]


def add_folder_option(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(name, metavar="DIR", type=Path, default=NETWORKS_FOLDER, dest="networks",
                        help="the folder of the networks that networks.py makes [default: target/compare/networks]")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder_option(parser, "--out")
    parser.add_argument("--only", metavar="LIST", type=chosen, default=NETWORKS, help="make these only")
    given = parser.parse_args()
    folder = given.networks
    folder.mkdir(parents=True, exist_ok=True)
    entries, failed = known(folder), 0
    for network in given.only:
        try:
            if not is_kept(network, folder, entries.get(network.name)):
                progress(f"making {network.name}")
                entries[network.name] = make(network, folder)
                write(folder, entries)
            print(describe(entries[network.name]), flush=True)
        except Failed as reason:
            failed += 1
            print(f"{network.name}: {reason}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
