"""The shape of ONNX Runtime's session, so that a script changes one import."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from frit import _frit
from frit._errors import InputError, refusal
from frit._model import INPUT, Port, compile, load, ordered


class NodeArg(NamedTuple):
    """An input or output: its name, its shape with the batch as ``"batch"``, and its type such as ``"tensor(float)"``."""

    name: str
    shape: list[str | int]
    type: str


class InferenceSession:
    """Runs a model as ``onnxruntime.InferenceSession`` does: channels first, as the ONNX file has them.

    Parameters
    ----------
    path_or_bytes : path or bytes
        An ONNX file or its bytes, another model that `frit.compile` takes, or an artifact (``.frit``).
    sess_options : object, optional
        Of it, ``intra_op_num_threads`` is taken where it is above 0.
    providers, provider_options : optional
        Ignored: frit runs on the CPU.
    """

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: Any = None,
        providers: Sequence[Any] | None = None,
        provider_options: Sequence[Any] | None = None,
        **_ignored: Any,
    ) -> None:
        threads = getattr(sess_options, "intra_op_num_threads", 0) or None
        is_artifact = not isinstance(path_or_bytes, bytes) and os.fspath(path_or_bytes).endswith(".frit")
        self._model = (load if is_artifact else compile)(path_or_bytes, threads=threads)  # type: ignore[arg-type]
        self._program: _frit.Program = self._model._program

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None
    ) -> list[npt.NDArray[np.float32]]:
        """The outputs of these names, or all in the file's order.

        Parameters
        ----------
        output_names : sequence of str or None
            Which outputs; none means all.
        input_feed : mapping of str to array
            An array of float32 for each input, in the file's own shape; the batch may be any.
        run_options : optional
            Ignored.

        Raises
        ------
        InputError
            A name that the model has not, an array that it does not take.
        """
        names = self._model._gives
        inputs = ordered(input_feed, self._model._takes, "input")
        found = dict(zip(names, self._program.run(inputs, None, True), strict=True))
        if output_names is None:
            return list(found.values())
        unknown = [name for name in output_names if name not in found]
        if unknown:
            raise InputError([refusal(INPUT, f"the model has no output {unknown[0]}", f"it has {', '.join(names)}")])
        return [found[name] for name in output_names]

    def get_inputs(self) -> list[NodeArg]:
        """The inputs in order."""
        return [_node_arg(port) for port in self._model.signature.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs in order."""
        return [_node_arg(port) for port in self._model.signature.outputs]

    def get_providers(self) -> list[str]:
        """What runs it, by the name that ONNX Runtime has for the CPU."""
        return ["CPUExecutionProvider"]


def _node_arg(port: Port) -> NodeArg:
    batch: list[str | int] = [] if port.unbatched else ["batch"]
    return NodeArg(port.name, [*batch, *port.shape], "tensor(float)")
