"""One turn of one runtime: load a model, warm up, time inferences one by one, print one line of JSON.

Runs in the virtual environment that peers.py makes, in a process of its own, so that no runtime leaves threads or
memory behind for the next one. Every runtime is held to 32-bit floats and to the number of threads that was asked for.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP_RUNS = 10


@dataclass(frozen=True)
class Loaded:
    """A model in a runtime, with its input in place."""

    infer: Callable[[], Any]
    """What is timed."""
    read: Callable[[Any], np.ndarray]
    """Makes an array of what `infer` gave."""
    feed: Callable[[], None] = lambda: None
    """Untimed before each inference, for a runtime that overwrites its input."""


def onnxruntime(model: str, image: np.ndarray, threads: int) -> Loaded:
    import onnxruntime as ort

    providers = ["CPUExecutionProvider"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # An open batch is closed before the graph is optimised: the other runtimes know all shapes, too.
    given = ort.InferenceSession(model, options, providers=providers).get_inputs()[0]
    for name, size in zip(given.shape, image.shape, strict=True):
        if isinstance(name, str):
            options.add_free_dimension_override_by_name(name, size)
    session = ort.InferenceSession(model, options, providers=providers)
    feed = {given.name: image}
    return Loaded(lambda: session.run(None, feed), lambda outputs: outputs[0])


def openvino(model: str, image: np.ndarray, threads: int) -> Loaded:
    return openvino_streams(model, image, threads, 1)[0]


def openvino_streams(model: str, image: np.ndarray, threads: int, streams: int) -> list[Loaded]:
    """Its own way to compute several images at the same time: one model, a request for each."""
    import openvino as ov

    core = ov.Core()
    network = core.read_model(model)
    network.reshape(list(image.shape))
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "INFERENCE_NUM_THREADS": threads * streams,
        "NUM_STREAMS": streams,
    }
    compiled = core.compile_model(network, "CPU", settings)

    def loaded() -> Loaded:
        request = compiled.create_infer_request()
        request.set_input_tensor(ov.Tensor(image))
        return Loaded(request.infer, lambda _: request.get_output_tensor(0).data)

    return [loaded() for _ in range(streams)]


def litert(model: str, image: np.ndarray, threads: int) -> Loaded:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=threads)
    interpreter.allocate_tensors()
    given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(given["shape"]) != image.shape:
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    interpreter.set_tensor(given["index"], image)
    return Loaded(interpreter.invoke, lambda _: interpreter.get_tensor(result["index"]))


def ncnn(model: str, image: np.ndarray, threads: int) -> Loaded:
    import ncnn as nc

    net = nc.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16")):
            setattr(net.opt, option, False)
    net.load_param(model)
    net.load_model(str(Path(model).with_suffix(".bin")))
    given, result = net.input_names()[0], net.output_names()[0]
    matrix = nc.Mat(image[0])

    def infer() -> nc.Mat:
        with net.create_extractor() as extractor:
            extractor.input(given, matrix)
            _, output = extractor.extract(result)
        return output

    return Loaded(infer, np.array)


def mnn(model: str, image: np.ndarray, threads: int) -> Loaded:
    import MNN

    interpreter = MNN.Interpreter(model)
    session = interpreter.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
    given = interpreter.getSessionInput(session)
    interpreter.resizeTensor(given, image.shape)
    interpreter.resizeSession(session)
    source = host_tensor(image)

    def read(_: Any) -> np.ndarray:
        result = interpreter.getSessionOutput(session)
        output = host_tensor(np.zeros(result.getShape(), np.float32))
        result.copyToHostTensor(output)
        return np.array(output.getData(), np.float32)

    return Loaded(lambda: interpreter.runSession(session), read, lambda: given.copyFrom(source))


def host_tensor(array: np.ndarray) -> Any:
    import MNN

    return MNN.Tensor(array.shape, MNN.Halide_Type_Float, array, MNN.Tensor_DimensionType_Caffe)


RUNTIMES = {runtime.__name__: runtime for runtime in (onnxruntime, openvino, litert, ncnn, mnn)}


def time_runs(loaded: Loaded, runs: int) -> dict[str, float]:
    """Times of single inferences, and CPU time over wall time: far below the number of threads, somebody else took
    the cores; above it, the runtime has threads that it was not asked for."""
    times, busy = [], 0.0
    for number in range(WARM_UP_RUNS + runs):
        loaded.feed()
        cpu, start = time.process_time(), time.perf_counter()
        loaded.infer()
        taken = time.perf_counter() - start
        if number >= WARM_UP_RUNS:
            times.append(taken)
            busy += time.process_time() - cpu
    low, median, high = np.percentile(times, [10, 50, 90]) * 1e3
    in_ms = {"median_ms": median, "min_ms": min(times) * 1e3, "p10_ms": low, "p90_ms": high}
    return in_ms | {"cpu_per_wall": busy / sum(times)}


def loaded_streams(runtime: str, model: str, image: np.ndarray, threads: int, streams: int) -> list[Loaded]:
    """The model as often as images are computed at the same time."""
    if runtime == "openvino":
        return openvino_streams(model, image, threads, streams)
    return [RUNTIMES[runtime](model, image, threads) for _ in range(streams)]


def time_streams(streams: list[Loaded], runs: int) -> dict[str, float]:
    """The time of an image where each stream computes `runs` of them, all at the same time."""
    begin = threading.Barrier(len(streams) + 1)

    def work(loaded: Loaded) -> None:
        for number in range(WARM_UP_RUNS + runs):
            if number == WARM_UP_RUNS:
                begin.wait()
            loaded.feed()
            loaded.infer()

    workers = [threading.Thread(target=work, args=(loaded,)) for loaded in streams]
    for worker in workers:
        worker.start()
    begin.wait()
    cpu, start = time.process_time(), time.perf_counter()
    for worker in workers:
        worker.join()
    taken = time.perf_counter() - start
    image = taken * 1e3 / (runs * len(streams))
    return {"median_ms": image, "min_ms": image, "cpu_per_wall": (time.process_time() - cpu) / taken}


def relative_error(output: np.ndarray, golden: np.ndarray) -> float:
    """The largest difference, as a share of the largest magnitude; infinite where a number is missing."""
    if output.size != golden.size:
        return float("inf")
    difference = np.abs(output.reshape(-1) - golden.reshape(-1)).max() / np.abs(golden).max()
    return float(difference) if np.isfinite(difference) else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("model")
    parser.add_argument("golden", help="an .npz file with `input` and `output` of one image")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--streams", type=int, default=1, help="images at the same time, each by so many threads")
    arguments = parser.parse_args()

    golden = np.load(arguments.golden)
    image = np.ascontiguousarray(golden["input"])
    streams = loaded_streams(arguments.runtime, arguments.model, image, arguments.threads, arguments.streams)
    loaded = streams[-1]
    turn = time_runs(loaded, arguments.runs) if len(streams) == 1 else time_streams(streams, arguments.runs)
    # Checked after the timing, so that an input or a state that inferences spoil is noticed.
    loaded.feed()
    turn["error"] = relative_error(loaded.read(loaded.infer()), golden["output"])
    print(json.dumps(turn))


if __name__ == "__main__":
    main()
