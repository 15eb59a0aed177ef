#!/usr/bin/env python3
"""Serves a compiled model over HTTP, by version 2 of KServe's inference protocol.

    pip install fastapi uvicorn ./python
    frit compile examples/mobilenet_v2/model.json -o mobilenet_v2.frit
    python examples/python/serve.py mobilenet_v2.frit --port 8000 --streams 2

Tensors come as JSON, or as bytes behind it where the header `Inference-Header-Content-Length` says how long the JSON is (the
protocol's binary extension), which is many times faster. `--streams` requests are computed at the same time, each by one thread;
`--waiting` more may wait. Beyond that a request is answered 503 with `Retry-After` at once: none is lost, and those that are
taken are answered soon. `load.py` measures it.
"""

import argparse
import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

import frit

HEADER = "inference-header-content-length"
FLOAT = "FP32"


class Server:
    """A model, threads that run it, and how many requests it takes at a time."""

    def __init__(self, model: frit.Model, streams: int, waiting: int) -> None:
        self.model = model
        self.threads = ThreadPoolExecutor(streams)
        self.room = streams + waiting

    async def infer(self, request: Request) -> Response:
        """One request: a batch for each input, and each output."""
        if self.room == 0:
            raise HTTPException(503, "the server is full", {"Retry-After": "1"})
        self.room -= 1
        try:
            body = await request.body()
            length = request.headers.get(HEADER)
            work = asyncio.get_running_loop().run_in_executor(self.threads, self.answer, body, length)
            return await work
        finally:
            self.room += 1

    def answer(self, body: bytes, header: str | None) -> Response:
        """What the model makes of a request's body."""
        try:
            length = len(body) if header is None else int(header)
            head = json.loads(body[:length])
            feed = tensors(head["inputs"], memoryview(body)[length:])
            outputs = self.model.run(feed)
        except frit.FritError as error:
            raise HTTPException(400, f"{error.code}: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise HTTPException(400, f"this is no request for inference: {error!r}") from error
        found = {"model_name": self.model.name, "id": head.get("id")}
        return as_json(found, outputs) if header is None else as_bytes(found, outputs)

    def metadata(self) -> dict[str, Any]:
        """What the model takes and gives."""

        def tensor(port: frit.Port) -> dict[str, Any]:
            batch = [] if port.unbatched else [-1]
            return {"name": port.name, "datatype": FLOAT, "shape": [*batch, *port.shape]}

        signature = self.model.signature
        return {
            "name": self.model.name,
            "platform": f"frit {frit.__version__}",
            "inputs": [tensor(port) for port in signature.inputs],
            "outputs": [tensor(port) for port in signature.outputs],
        }


def tensors(inputs: list[dict[str, Any]], behind: memoryview) -> dict[str, np.ndarray]:
    """The arrays of a request: out of its JSON, or one after the other out of the bytes behind it."""
    feed = {}
    for given in inputs:
        if given["datatype"] != FLOAT:
            raise ValueError(f"{given['name']} is {given['datatype']}, the model takes {FLOAT}")
        size = given.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.asarray(given["data"], np.float32)
        else:
            values, behind = np.frombuffer(behind[:size], np.float32), behind[size:]
        feed[given["name"]] = values.reshape(given["shape"])
    return feed


def described(name: str, values: np.ndarray) -> dict[str, Any]:
    return {"name": name, "datatype": FLOAT, "shape": list(values.shape)}


def as_json(head: dict[str, Any], outputs: dict[str, np.ndarray]) -> Response:
    told = [described(name, values) | {"data": values.reshape(-1).tolist()} for name, values in outputs.items()]
    return Response(json.dumps(head | {"outputs": told}), media_type="application/json")


def as_bytes(head: dict[str, Any], outputs: dict[str, np.ndarray]) -> Response:
    told = [
        described(name, values) | {"parameters": {"binary_data_size": values.nbytes}} for name, values in outputs.items()
    ]
    text = json.dumps(head | {"outputs": told}).encode()
    body = b"".join([text, *(values.tobytes() for values in outputs.values())])
    return Response(body, headers={HEADER: str(len(text))}, media_type="application/octet-stream")


def application(server: Server) -> FastAPI:
    """The protocol's addresses."""
    app = FastAPI(title="frit")
    name = server.model.name

    @app.get("/v2/health/live")
    @app.get("/v2/health/ready")
    @app.get(f"/v2/models/{name}/ready")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.get("/v2")
    def about() -> dict[str, Any]:
        return {"name": "frit", "version": frit.__version__, "extensions": ["binary_tensor_data"]}

    @app.get(f"/v2/models/{name}")
    def metadata() -> dict[str, Any]:
        return server.metadata()

    @app.post(f"/v2/models/{name}/infer")
    async def infer(request: Request) -> Response:
        return await server.infer(request)

    return app


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", help="a .frit file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--streams", type=int, default=2, help="requests that are computed at the same time")
    parser.add_argument("--waiting", type=int, default=32, help="requests that may wait")
    given = parser.parse_args()
    model = frit.load(given.artifact, threads=1)
    server = Server(model, given.streams, given.waiting)
    uvicorn.run(application(server), host=given.host, port=given.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
