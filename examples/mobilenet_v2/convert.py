"""Makes model.json and mobilenet_v2.safetensors from torchvision's trained MobileNetV2, exported to ONNX.

    pip install numpy==2.* onnx==1.* safetensors==0.*
    python convert.py mobilenet_v2_imagenet.onnx

The ONNX file must be an export that keeps batch normalisations apart. Nothing is computed: tensors get another order of axes
(channels last) and another name, so the same file gives the same bytes.
"""

import json
import sys
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

# MobileNetV2's table (Sandler et al., 2018): expansion, filters, blocks, stride of the first block.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def convolution_names():
    """The names of the convolutions, in the order of the network."""
    yield "stem"
    for stage, (expand, _, repeat, _) in enumerate(STAGES, 1):
        for block in range(1, repeat + 1):
            if expand != 1:
                yield f"s{stage}/{block}/expand"
            yield f"s{stage}/{block}/depthwise"
            yield f"s{stage}/{block}/project"
    yield "head"


def attributes(node):
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def expected_attributes(name):
    """Stride and padding of a convolution, to be sure that the file is the network of the table."""
    if name == "stem":
        return [2, 2], [1, 1, 1, 1]
    if name.endswith("depthwise"):
        stage, block, _ = name.split("/")
        stride = STAGES[int(stage[1:]) - 1][3] if block == "1" else 1
        return [stride] * 2, [1, 1, 1, 1]
    return [1, 1], [0, 0, 0, 0]


def tensors(model):
    """The weights by their names in the description."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    norms = {node.input[0]: node for node in model.graph.node if node.op_type == "BatchNormalization"}
    result = {}
    for name, node in zip(convolution_names(), convolutions, strict=True):
        found = attributes(node)
        assert (list(found["strides"]), list(found["pads"])) == expected_attributes(name), name
        assert len(node.input) == 2, f"{name} has a bias"
        result[f"{name}.kernel"] = values[node.input[1]].transpose(2, 3, 1, 0)
        norm = norms[node.output[0]]
        assert abs(attributes(norm)["epsilon"] - 1e-5) < 1e-9, name
        for role, source in zip(["gamma", "beta", "mean", "variance"], norm.input[1:], strict=True):
            result[f"{name}/batch_norm.{role}"] = values[source]
    (dense,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    kernel = values[dense.input[1]]
    result["logits.kernel"] = kernel.T if attributes(dense).get("transB", 0) else kernel
    result["logits.bias"] = values[dense.input[2]]
    return {name: numpy.ascontiguousarray(tensor, dtype=numpy.float32) for name, tensor in result.items()}


def description():
    """model.json as text, a layer a line."""
    stages = [
        json.dumps({"name": f"s{stage}", "stage": "inverted_residual", "expand": expand, "filters": filters,
                    "stride": stride, "repeat": repeat})
        for stage, (expand, filters, repeat, stride) in enumerate(STAGES, 1)
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


def main(network):
    here = Path(__file__).parent
    save_file(tensors(onnx.load(network)), here / "mobilenet_v2.safetensors")
    (here / "model.json").write_text(description(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
