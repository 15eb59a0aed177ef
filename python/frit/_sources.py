"""Model objects of other packages as what the compiler reads: a file, or the bytes of an ONNX file.

None of these packages is imported here: whoever holds a model of one has it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from frit._errors import ModelError, refusal

Source: TypeAlias = str | bytes

_TYPE = "FR0004"


@contextmanager
def source(model: Any, example: Any) -> Iterator[Source]:
    """What the compiler reads of `model`, for as long as the block runs."""
    if isinstance(model, (str, os.PathLike)):
        yield os.fspath(model)
    elif isinstance(model, (bytes, bytearray, memoryview)):
        yield bytes(model)
    elif hasattr(model, "SerializeToString"):
        yield bytes(model.SerializeToString())
    elif hasattr(model, "state_dict") and hasattr(model, "forward"):
        with TemporaryDirectory(prefix="frit-") as folder:
            yield _exported(model, example, Path(folder))
    elif hasattr(model, "get_config") and hasattr(model, "save"):
        with TemporaryDirectory(prefix="frit-") as folder:
            path = Path(folder) / f"{_file_name(model)}.keras"
            model.save(path)
            yield str(path)
    else:
        raise ModelError([refusal(_TYPE, f"{type(model).__name__} is no model", _TAKES)])


_TAKES = "give a path, the bytes of an ONNX file, an onnx.ModelProto, a model of Keras or a module of PyTorch"


def _file_name(model: Any) -> str:
    """The model's own name, which its file gives it, as far as a file may be called so."""
    name = str(getattr(model, "name", ""))
    return name if name.isidentifier() else "model"


def _exported(module: Any, example: Any, folder: Path) -> str:
    """A module of PyTorch as an ONNX file, by PyTorch's own exporter: the newer one where what it needs is there."""
    if example is None:
        fault = refusal(_TYPE, "a module of PyTorch does not say what it takes", "example=torch.zeros(1, 3, 224, 224)")
        raise ModelError([fault])
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise _missing("torch", error) from error
    path = folder / f"{type(module).__name__}.onnx"
    arguments = example if isinstance(example, tuple) else (example,)
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            torch.onnx.export(module, arguments, str(path), dynamo=_has("onnxscript"))
    except ImportError as error:
        raise _missing(error.name or "onnx", error) from error
    finally:
        module.train(was_training)
    return str(path)


def _has(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def _missing(package: str, error: ImportError) -> ModelError:
    fault = refusal(_TYPE, f"to export a module of PyTorch takes {package}: {error}", f"pip install {package}")
    return ModelError([fault])
