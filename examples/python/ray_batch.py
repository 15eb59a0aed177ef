#!/usr/bin/env python3
"""Classifies a folder of pictures with a pool of workers, on this machine or on a Ray cluster.

    pip install "ray[data]" ./python
    frit compile examples/mobilenet_v2/model.json -o mobilenet_v2.frit
    python examples/python/ray_batch.py mobilenet_v2.frit PICTURES -o classes.jsonl --workers 2

Each worker loads the artifact once; its weights lie in the file's pages, which all workers of a machine share. Ray gives the
pictures of a worker that dies to another one. A picture that can't be read gets a line with the reason, so that every picture
has a line. `--beside` classifies them once more in this process alone, and says both rates.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import frit

PICTURES = (".jpg", ".jpeg", ".png")


class Classifier:
    """What one worker does with a batch of paths."""

    def __init__(self, artifact: str, threads: int = 1) -> None:
        self.model = frit.load(artifact, threads=threads)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        return {"line": [json.dumps(found) for found in self.classify(map(str, batch["path"]))]}

    def classify(self, paths: Iterable[str]) -> list[dict[str, Any]]:
        """The likeliest class of each picture, or why it has none."""
        return [self.one(path) for path in paths]

    def one(self, path: str) -> dict[str, Any]:
        try:
            image = self.model.preprocess(path)
        except frit.InputError as error:
            return {"path": path, "error": error.code, "message": str(error)}
        best = self.model.top(self.model(image), 1)[0]
        return {"path": path, "class": best.label or best.index, "probability": best.probability}


def on_ray(artifact: str, paths: list[str], workers: int, batch: int) -> list[dict[str, Any]]:
    """All pictures, by a pool of workers with a core each."""
    import ray

    found = ray.data.from_items([{"path": path} for path in paths]).map_batches(
        Classifier,
        fn_constructor_args=(artifact,),
        batch_size=batch,
        concurrency=workers,
        num_cpus=1,
    )
    return [json.loads(row["line"]) for row in found.iter_rows()]


def here(artifact: str, paths: list[str]) -> list[dict[str, Any]]:
    """All pictures, in this process, each by one thread."""
    return Classifier(artifact).classify(paths)


def rate(name: str, classify: Any, *arguments: Any) -> list[dict[str, Any]]:
    """What `classify` finds, and on stderr how many pictures a second that were."""
    started = time.perf_counter()
    found: list[dict[str, Any]] = classify(*arguments)
    seconds = time.perf_counter() - started
    print(f"{name}: {len(found)} pictures in {seconds:.1f} s, {len(found) / seconds:.1f} a second", file=sys.stderr)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", help="a .frit file")
    parser.add_argument("folder", type=Path, help="a folder of .png and .jpg files")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a line of JSON for each picture")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16, help="pictures that a worker takes at a time")
    parser.add_argument("--beside", action="store_true", help="also in this process alone, for comparison")
    given = parser.parse_args()
    paths = sorted(str(path.resolve()) for path in given.folder.iterdir() if path.suffix.lower() in PICTURES)
    if not paths:
        parser.error(f"{given.folder} has no pictures")
    artifact = str(Path(given.artifact).resolve())

    if given.beside:
        rate("this process", here, artifact, paths)
    found = rate(f"{given.workers} workers", on_ray, artifact, paths, given.workers, given.batch)
    found.sort(key=lambda line: line["path"])
    given.output.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
