"""Runs an ONNX file with every tensor exposed and looks at each: a network is fit for timing only where none vanishes.

Prints one line of JSON: per node what it computes and the deviation of its output, the denormal numbers, the numbers
that are not finite, and the difference of the output from the golden file. Denormal numbers make a CPU many times
slower, which would time the weights and not the runtime.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


def exposed(model: onnx.ModelProto) -> tuple[bytes, list[tuple[str, str, str]]]:
    """The model with each tensor of floats as an output, and (tensor, node, operation) of each."""
    inferred = onnx.shape_inference.infer_shapes(model)
    kinds = {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}
    kinds |= {value.name: value.type.tensor_type.elem_type for value in inferred.graph.output}
    computed = [node for node in model.graph.node if node.op_type != "Constant"]
    made = [(name, node.name, node.op_type) for node in computed for name in node.output if name]
    made = [each for each in made if kinds.get(each[0]) == onnx.TensorProto.FLOAT]
    known = {value.name for value in model.graph.output}
    for name, _, _ in made:
        if name not in known:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return model.SerializeToString(), made


def denormals(values: np.ndarray) -> int:
    magnitudes = np.abs(values)
    return int(np.count_nonzero((magnitudes > 0) & (magnitudes < SMALLEST_NORMAL)))


def main(path: str, golden_path: str) -> None:
    model = onnx.load(path)
    output = model.graph.output[0].name
    data, made = exposed(model)
    options = onnxruntime.SessionOptions()
    # As written, so that nothing is fused away before it has been looked at.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    golden = np.load(golden_path)
    names = [name for name, _, _ in made]
    values = dict(zip(names, session.run(names, {session.get_inputs()[0].name: golden["input"]}), strict=True))
    layers = [
        {"node": node, "op": operation, "shape": list(values[name].shape), "std": float(values[name].std()),
         "denormals": denormals(values[name]), "not_finite": int(np.count_nonzero(~np.isfinite(values[name])))}
        for name, node, operation in made
    ]
    weights = sum(denormals(onnx.numpy_helper.to_array(each)) for each in model.graph.initializer)
    wanted = golden["output"]
    scale = float(np.abs(wanted).max())
    print(json.dumps({
        "layers": layers,
        "denormal_weights": weights,
        "norms": sum(layer["op"] == "BatchNormalization" for layer in layers),
        "error": float(np.abs(values[output] - wanted).max()) / scale,
        # An output that ignores its input would agree with anything.
        "spread": float(np.abs(wanted[0] - wanted[1]).max()) / scale,
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
