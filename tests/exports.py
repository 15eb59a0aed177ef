"""Holds exported networks against what the interpreter computes: FOLDER has NAME.onnx and NAME.npz (`in.NAME`, `out.NAME`).

Every file must pass ONNX's own checker, shapes inferred, and give the same outputs in ONNX Runtime within a ten thousandth of
the largest magnitude, or within what the .npz says rounding costs (`rounding.NAME`).
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-4


def fault_of(model: Path) -> str | None:
    """What is wrong with one file."""
    onnx.checker.check_model(onnx.load(model), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    arrays = np.load(model.with_suffix(".npz"))
    named = lambda kind: {name.removeprefix(kind): arrays[name] for name in arrays.files if name.startswith(kind)}
    inputs, outputs, rounding = named("in."), named("out."), named("rounding.")
    if [value.name for value in session.get_inputs()] != list(inputs):
        return f"inputs {[value.name for value in session.get_inputs()]}, expected {list(inputs)}"
    if [value.name for value in session.get_outputs()] != list(outputs):
        return f"outputs {[value.name for value in session.get_outputs()]}, expected {list(outputs)}"
    for name, found in zip(outputs, session.run(None, inputs)):
        expected = outputs[name].astype(np.float64)
        if found.shape != expected.shape:
            return f"{name} is {found.shape}, expected {expected.shape}"
        finite = np.isfinite(expected)
        if not np.array_equal(found[~finite], expected[~finite].astype(np.float32), equal_nan=True):
            return f"{name} has other infinite values or NaN"
        # As the comparison of compiled networks has it: less is the tail of an activation.
        largest = np.abs(expected[finite]).max(initial=1e-12)
        off = np.abs(found[finite] - expected[finite]).max(initial=0) / largest
        if not off <= TOLERANCE + float(rounding[name]):
            return f"{name} is off by {off:.1e} of the largest magnitude"
    return None


def main() -> int:
    faults, models = [], sorted(Path(sys.argv[1]).glob("*.onnx"))
    for model in models:
        try:
            fault = fault_of(model)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            faults.append(f"{model.stem}: {fault}")
    print(f"{len(models)} networks, {len(faults)} faults", *faults, sep="\n")
    return 1 if faults or not models else 0


if __name__ == "__main__":
    sys.exit(main())
