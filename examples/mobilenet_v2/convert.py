"""Makes model.json and mobilenet_v2.safetensors from torchvision's trained MobileNetV2, exported to ONNX.

    python convert.py mobilenet_v2_imagenet.onnx

needs the packages onnx, numpy and safetensors. The convolutions and batch normalisations of the file stand in the order
of the layers; kernels are turned from OIHW to HWIO, the classifier's from [units, inputs] to [inputs, units].
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 3), (6, 64, 2, 4), (6, 96, 1, 3), (6, 160, 2, 3), (6, 320, 1, 1)]


def description():
    """The description as lines, a layer each."""
    stages = [
        json.dumps({"name": f"s{index}", "stage": "inverted_residual", "expand": expand, "filters": filters,
                    "stride": stride, "repeat": repeat})
        for index, (expand, filters, stride, repeat) in enumerate(STAGES, 1)
    ]
    stem = '{"name": "stem", "op": "conv2d", "filters": 32, "kernel": 3, "stride": 2, "bias": false}, "batch_norm", "relu6"'
    head = '{"name": "head", "op": "conv2d", "filters": 1280, "kernel": 1, "bias": false}, "batch_norm", "relu6"'
    layers = [stem, *stages, head, '"global_avg_pool"', '{"name": "logits", "op": "dense", "units": 1000}']
    return """{"frit": 1,
 "name": "mobilenet_v2",
 "input": {"name": "image", "shape": [224, 224, 3],
           "preprocess": {"crop": "center_square", "resize": "bicubic", "range": [0, 1],
                          "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
 "weights": "mobilenet_v2.safetensors",
 "labels": "imagenet.json",
 "defaults": {"padding": "torch", "activation": "relu6", "batch_norm": {"epsilon": 1e-5}},
 "layers": [
   """ + ",\n   ".join(layers) + "]}\n"


def convolutions():
    """Names of the convolutions, in the order in which the network computes them."""
    yield "stem"
    for index, (expand, _, _, repeat) in enumerate(STAGES, 1):
        for repetition in range(1, repeat + 1):
            if expand > 1:
                yield f"s{index}/{repetition}/expand"
            yield f"s{index}/{repetition}/depthwise"
            yield f"s{index}/{repetition}/project"
    yield "head"


def main():
    graph = onnx.load(sys.argv[1]).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = lambda kind: [node for node in graph.node if node.op_type == kind]
    tensors = {}
    for name, conv, norm in zip(convolutions(), nodes("Conv"), nodes("BatchNormalization"), strict=True):
        tensors[f"{name}.kernel"] = values[conv.input[1]].transpose(2, 3, 1, 0)
        for role, weight in zip(("gamma", "beta", "mean", "variance"), norm.input[1:], strict=True):
            tensors[f"{name}/batch_norm.{role}"] = values[weight]
    (dense,) = nodes("Gemm")
    tensors["logits.kernel"] = values[dense.input[1]].T
    tensors["logits.bias"] = values[dense.input[2]]
    here = Path(__file__).parent
    tensors = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in sorted(tensors.items())}
    save_file(tensors, here / "mobilenet_v2.safetensors")
    (here / "model.json").write_text(description())


if __name__ == "__main__":
    main()
