"""Frit compiles convolutional networks to native code for the CPU at hand, and runs them.

>>> import frit
>>> model = frit.compile("examples/mobilenet_v2/model.json")
>>> image = model.preprocess("examples/mobilenet_v2/cat.png")
>>> model.top(model(image), 1)[0].label
'Egyptian cat'

`compile` takes a model file or a model object, `load` an artifact (``.frit``) that runs without being compiled. `Model` runs
either. `InferenceSession` has the shape of ONNX Runtime's class of that name.
"""

from frit._errors import ArtifactError, Diagnostic, FritError, InputError, InternalError, ModelError, ResourceError
from frit._frit import __version__
from frit._model import Model, Port, Signature, check, compile, explain, load
from frit._results import Difference, Drawing, Guess, StepTime, Timing, Verdict
from frit._session import InferenceSession, NodeArg

__all__ = [
    "ArtifactError",
    "Diagnostic",
    "Difference",
    "Drawing",
    "FritError",
    "Guess",
    "InferenceSession",
    "InputError",
    "InternalError",
    "Model",
    "ModelError",
    "NodeArg",
    "Port",
    "ResourceError",
    "Signature",
    "StepTime",
    "Timing",
    "Verdict",
    "__version__",
    "check",
    "compile",
    "explain",
    "load",
]
