#!/usr/bin/env python3
"""Loads a server of `serve.py` up to twice its capacity: latency, refusals, and whether every answer came and was right.

    pip install httpx
    python examples/python/load.py http://127.0.0.1:8000 mobilenet_v2 --seconds 5

First as many clients as `--clients` ask as fast as they are answered: that is the capacity. Then requests come at shares of it,
evenly in time, whatever becomes of those before. One that is refused (503) asks again a little later. Every answer is compared,
bit by bit, with the first that came for the same image.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

HEADER = "Inference-Header-Content-Length"
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 2.0)
# Distinct images, which all requests take turns with.
IMAGES = 8
# A request that is refused waits so long before it asks again, and longer each time.
PATIENCE_SECONDS = 0.02


@dataclass
class Outcome:
    """What became of requests."""

    seconds: list[float] = field(default_factory=list)
    refusals: int = 0
    wrong: int = 0
    lost: int = 0

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.seconds, share)) * 1e3 if self.seconds else float("nan")


class Client:
    """Requests for one model."""

    def __init__(self, http: httpx.AsyncClient, model: str, bodies: list[tuple[bytes, int]]) -> None:
        self.http = http
        self.address = f"/v2/models/{model}/infer"
        self.bodies = bodies
        self.expected: list[bytes | None] = [None] * len(bodies)

    async def ask(self, number: int, outcome: Outcome) -> None:
        """One request, until it is answered."""
        which = number % len(self.bodies)
        body, length = self.bodies[which]
        started, patience = time.perf_counter(), PATIENCE_SECONDS
        while True:
            try:
                response = await self.http.post(self.address, content=body, headers={HEADER: str(length)})
            except httpx.HTTPError:
                outcome.lost += 1
                return
            if response.status_code != 503:
                break
            outcome.refusals += 1
            await asyncio.sleep(patience)
            patience *= 1.5
        outcome.seconds.append(time.perf_counter() - started)
        if response.status_code != 200:
            outcome.wrong += 1
            return
        values = response.content[int(response.headers[HEADER]):]
        self.expected[which] = self.expected[which] or values
        outcome.wrong += values != self.expected[which]


def body(inputs: list[dict[str, Any]], seed: int) -> tuple[bytes, int]:
    """A request with one random image for each input, and how long its JSON is."""
    generator = np.random.default_rng(seed)
    arrays = [generator.standard_normal([1, *given["shape"][1:]], np.float32) for given in inputs]
    told = [
        {"name": given["name"], "datatype": given["datatype"], "shape": list(values.shape),
         "parameters": {"binary_data_size": values.nbytes}}
        for given, values in zip(inputs, arrays, strict=True)
    ]
    head = json.dumps({"inputs": told}).encode()
    return b"".join([head, *(values.tobytes() for values in arrays)]), len(head)


async def capacity(client: Client, clients: int, seconds: float) -> float:
    """Answers a second to clients that ask again as soon as they are answered."""
    outcome, end = Outcome(), time.perf_counter() + seconds

    async def one(number: int) -> None:
        while time.perf_counter() < end:
            await client.ask(number, outcome)
            number += clients

    started = time.perf_counter()
    await asyncio.gather(*map(one, range(clients)))
    return len(outcome.seconds) / (time.perf_counter() - started)


async def at_rate(client: Client, rate: float, seconds: float) -> Outcome:
    """Requests at a steady rate, each of which is waited for."""
    outcome, started, asked = Outcome(), time.perf_counter(), []
    for number in range(max(1, int(rate * seconds))):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        asked.append(asyncio.create_task(client.ask(number, outcome)))
    await asyncio.gather(*asked)
    return outcome


async def load(server: str, model: str, clients: int, seconds: float) -> bool:
    """The whole test; whether every answer came and was right."""
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
    async with httpx.AsyncClient(base_url=server, limits=limits, timeout=120) as http:
        inputs = (await http.get(f"/v2/models/{model}")).raise_for_status().json()["inputs"]
        client = Client(http, model, [body(inputs, seed) for seed in range(IMAGES)])
        most = await capacity(client, clients, seconds)
        print(f"{most:.0f} answers a second to {clients} clients")
        print(f"{'share':>6} {'asked/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'answers':>8} {'refused':>8} {'wrong':>6} {'lost':>6}")
        is_right = True
        for share in SHARES:
            found = await at_rate(client, share * most, seconds)
            print(f"{share:6.2f} {share * most:8.1f} {found.quantile(0.5):8.2f} {found.quantile(0.99):8.2f} "
                  f"{len(found.seconds):8} {found.refusals:8} {found.wrong:6} {found.lost:6}", flush=True)
            is_right &= found.wrong == found.lost == 0
    return is_right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", help="such as http://127.0.0.1:8000")
    parser.add_argument("model", help="the model's name")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each part takes")
    given = parser.parse_args()
    return 0 if asyncio.run(load(given.server, given.model, given.clients, given.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
