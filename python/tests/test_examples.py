"""The examples of many machines: a pool of workers of which one is killed, and a server at twice its capacity."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import frit

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "python"
PICTURES = 240


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    path = tmp_path_factory.mktemp("artifact") / "mobilenet_v2.frit"
    frit.compile(ROOT / "examples" / "mobilenet_v2" / "model.json").save(path)
    return path


def workers(psutil):
    """The processes of Ray that classify."""
    for process in psutil.process_iter(["name", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "MapWorker" in line and "Classifier" in line and "IDLE" not in line:
            yield process


def kill_one(psutil, killed, done):
    """Kills a worker once it has begun."""
    while not done.is_set():
        for process in workers(psutil):
            time.sleep(0.2)
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
            return
        time.sleep(0.02)


def test_a_killed_worker_loses_no_picture(artifact, tmp_path):
    pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = {}
    for number in range(PICTURES):
        picture, label = [("cat", "Egyptian cat"), ("coffee", "espresso")][number % 2]
        path = folder / f"{number:03}.png"
        path.symlink_to(ROOT / "examples" / "mobilenet_v2" / f"{picture}.png")
        names[str(path.resolve())] = label
        names[str(path)] = label
    (folder / "broken.png").write_bytes(b"no picture")
    killed, done = [], threading.Event()
    killer = threading.Thread(target=kill_one, args=(psutil, killed, done))
    killer.start()
    output = tmp_path / "classes.jsonl"
    command = [sys.executable, EXAMPLES / "ray_batch.py", artifact, folder, "-o", output, "--batch", "8"]
    ran = subprocess.run([*map(str, command), "--beside"], capture_output=True, text=True, timeout=540, check=False)
    done.set()
    killer.join()
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert killed, "no worker was found to be killed"
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(lines) == PICTURES + 1
    refused = [line for line in lines if "error" in line]
    assert [Path(line["path"]).name for line in refused] == ["broken.png"]
    assert all(names[line["path"]] == line["class"] for line in lines if "class" in line)
    assert re.search(r"2 workers: 241 pictures in .* a second", ran.stderr), ran.stderr[-4000:]


@pytest.fixture
def server(artifact):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, EXAMPLES / "serve.py", artifact, "--port", port, "--streams", "2", "--waiting", "8"]
    process = subprocess.Popen(list(map(str, command)))
    address = f"http://127.0.0.1:{port}"
    httpx = pytest.importorskip("httpx")
    for _ in range(300):
        try:
            httpx.get(f"{address}/v2/health/ready").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(30)


def test_an_overloaded_server_answers_every_request_and_rightly(server):
    command = [sys.executable, EXAMPLES / "load.py", server, "mobilenet_v2", "--seconds", "2"]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr[-4000:]
    rows = [line.split() for line in ran.stdout.splitlines() if re.match(r" +\d\.\d\d ", line)]
    assert [row[0] for row in rows] == ["0.25", "0.50", "0.75", "0.90", "1.00", "2.00"], ran.stdout
    assert all(row[6] == row[7] == "0" for row in rows), ran.stdout


def test_the_server_speaks_json_and_says_what_is_wrong(server, artifact):
    import httpx
    import numpy as np

    model = frit.load(artifact)
    known = httpx.get(f"{server}/v2/models/mobilenet_v2").json()
    (given,) = known["inputs"]
    assert given["shape"] == [-1, 224, 224, 3] and given["datatype"] == "FP32"
    image = model.preprocess(ROOT / "examples" / "mobilenet_v2" / "cat.png")
    tensor = {"name": given["name"], "datatype": "FP32", "shape": [1, *image.shape], "data": image.ravel().tolist()}
    address = f"{server}/v2/models/mobilenet_v2/infer"
    answer = httpx.post(address, json={"id": "7", "inputs": [tensor]}, timeout=60).json()
    assert answer["id"] == "7"
    found = np.array(answer["outputs"][0]["data"], np.float32)
    assert (found == model(image)).all()
    for change in ({"shape": [1, 2, 3]}, {"name": "another"}, {"datatype": "INT8"}):
        refused = httpx.post(address, json={"inputs": [tensor | change]}, timeout=60)
        assert refused.status_code == 400 and refused.json()["detail"], change
    assert httpx.post(address, content=b"{", timeout=60).status_code == 400
