"""Compiled networks."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from frit import _frit
from frit._errors import Diagnostic, FritError, InputError, diagnostic, refusal
from frit._results import Difference, Drawing, Guess, StepTime, Timing, Verdict, svg
from frit._sources import source

Array: TypeAlias = npt.NDArray[np.float32]
Path: TypeAlias = str | os.PathLike[str]
Shapes: TypeAlias = Mapping[str, Sequence[int]] | Sequence[int]

# An input of another name, shape or element than the model takes.
INPUT = "FR0031"


@dataclass(frozen=True)
class Port:
    """An input or output.

    Attributes
    ----------
    name : str
        Its name in the source.
    shape : tuple of int
        The shape of one image, without an axis for a batch, in the source's order of axes: channels last for Keras and
        descriptions, channels first for most ONNX files.
    dtype : numpy.dtype
        Its elements.
    unbatched : bool
        Whether the source gives it no axis for the images of a batch.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    unbatched: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {'x'.join(map(str, self.shape))} {self.dtype}"


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives, in order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class Model:
    """A compiled network; `compile` and `load` make it.

    Every array has the source's own order of axes and the element that the signature says, as the arrays have that ``frit run``
    takes. In front stands an axis for the images of a batch, of any number. An image may also come without it, and its results
    come without it then. What lies so that a call can read or write it is read and written where it lies: NumPy arrays, and
    whatever else has the buffer protocol or DLPack, with any strides that are not negative. Nothing is converted: another
    element is an `InputError`.

    A model may be called by several threads at once, each with arrays of its own: the interpreter's lock is released, and each
    call has a session of the model's, with memory and `threads` threads, which the next call takes over. Results are the same
    bits for any number of threads. What a call reads or writes must not be changed by others meanwhile.
    """

    def __init__(self, program: _frit.Program) -> None:
        self._program = program
        self._run = program.run
        self._single = len(program.outputs) == 1
        self.signature = Signature(_ports(program.inputs), _ports(program.outputs))
        self._takes = [port.name for port in self.signature.inputs]
        self._gives = [port.name for port in self.signature.outputs]

    def __call__(self, *inputs: Any, out: Any = None) -> Any:
        """Runs the model.

        Parameters
        ----------
        *inputs : array
            An array for each input, in order: a batch, or one image without an axis for it.
        out : array or tuple of array, optional
            Where the outputs are written to: an array for each, none of which shares memory with another or with an input.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            The output, or all of them where the model has several; `out` itself where it was given.

        Raises
        ------
        InputError
            Arrays of another number, shape or element than the signature has.
        """
        if out is not None:
            out = tuple(out) if isinstance(out, (tuple, list)) else (out,)
        found = self._run(inputs, out)
        return found[0] if self._single else found

    def run(self, feed: Mapping[str, Any], out: Mapping[str, Any] | None = None) -> dict[str, Array]:
        """Runs the model on arrays by name.

        Parameters
        ----------
        feed : mapping of str to array
            An array for each input.
        out : mapping of str to array, optional
            An array for each output, which it is written to.

        Returns
        -------
        dict of str to numpy.ndarray
            Each output.
        """
        inputs = ordered(feed, self._takes, "input")
        given = None if out is None else ordered(out, self._gives, "output")
        return dict(zip(self._gives, self._run(inputs, given), strict=True))

    @property
    def name(self) -> str:
        """The model's name."""
        return self._program.name

    @property
    def target(self) -> str:
        """The instruction sets that it was compiled for."""
        return self._program.target

    @property
    def threads(self) -> int:
        """Threads of each call."""
        return self._program.threads

    @property
    def labels(self) -> list[str] | None:
        """Names of the classes, where the source has them."""
        return self._program.labels

    @property
    def repairs(self) -> list[str]:
        """What ``residual=`` repaired of the source, a line each."""
        return self._program.repairs

    def preprocess(self, image: Any) -> Array:
        """A picture as the model's input: cropped, resized and normalised as its source says, in its own order of axes.

        Parameters
        ----------
        image : path, array, PIL image, or a list of these
            A ``.png`` or ``.jpg`` file; an array of uint8, height by width by 3; or an object with ``convert("RGB")``.

        Returns
        -------
        numpy.ndarray
            One image without an axis for a batch; for a list a batch.

        Raises
        ------
        InputError
            A picture that can't be read; FR0032 where the source says nothing about pictures: compile it with
            ``preprocess="imagenet"``.
        """
        if isinstance(image, (list, tuple)):
            return np.stack([self.preprocess(one) for one in image])
        if isinstance(image, (str, os.PathLike)):
            elements = _frit.of_file(self._program, os.fspath(image))
        else:
            pixels = _pixels(image)
            height, width, _ = pixels.shape
            elements = _frit.of_pixels(self._program, pixels.tobytes(), (height, width))
        return np.frombuffer(elements, np.float32).reshape(self.signature.inputs[0].shape).copy()

    def top(self, scores: Any, k: int = 5, labels: Sequence[str] | None = None) -> Any:
        """The likeliest classes of a classifier.

        Parameters
        ----------
        scores : array
            What the model gave for one image, or for a batch.
        k : int
            How many classes.
        labels : sequence of str, optional
            Names of the classes instead of the model's own.

        Returns
        -------
        list of Guess
            Likeliest first; for a batch a list of these. Scores that no softmax made become probabilities by one.
        """
        scores = np.ascontiguousarray(scores, np.float32)
        names = None if labels is None else list(labels)
        if scores.ndim > 1 and scores.ndim > len(self.signature.outputs[-1].shape):
            return [self.top(one, k, names) for one in scores]
        return [Guess(*guess) for guess in _frit.top(self._program, scores.reshape(-1), k, names)]

    def check(self, lint: bool = False) -> list[Diagnostic]:
        """What is odd about the source, and allowed; with `lint` also what is legal and probably not meant."""
        return [diagnostic(*told) for told in _frit.warnings(self._program, lint)]

    def graph(self, stage: str = "optimized") -> Drawing:
        """The network at a stage: ``imported``, ``legal``, ``optimized`` or ``scheduled``.

        Returns
        -------
        Drawing
            Its text, with ``.dot`` for Graphviz; a picture in a notebook where Graphviz is installed.
        """
        return Drawing(*_frit.graph(self._program, stage))

    def explain(self, code: str | None = None) -> str:
        """The page of a diagnostic's code, such as ``"FR0201"``; without one, what each pass did to this network."""
        return _frit.passes(self._program) if code is None else _frit.page(code)

    def profile(self, *inputs: Any) -> list[StepTime]:
        """How long each step takes for one image."""
        return [StepTime(*step) for step in _frit.profile(self._program, inputs)]

    def bench(
        self, compare: Sequence[str] = (), *, threads: Sequence[int] | None = None, batch: int = 1, runs: int = 50
    ) -> list[Timing]:
        """Times variants of the model, in turns.

        Parameters
        ----------
        compare : sequence of str
            Variants: ``fused``, ``unfused``, ``portable``, ``wide``, or a way through the caches such as ``bands``; none
            means the model as it is.
        threads : sequence of int, optional
            Numbers of threads, the model's own where none is given.
        batch, runs : int
            Images of one run, and timed runs of each variant.
        """
        race: _frit.Race = {
            "compare": list(compare),
            "threads": [self.threads] if threads is None else list(threads),
            "batch": batch,
            "runs": runs,
        }
        timed = _frit.times(self._program, race)
        first = {threads: times[0] for _, threads, _, _, times in reversed(timed)}
        return [
            Timing(variant, threads_, images, counted, *times, times[0] / first[threads_])
            for variant, threads_, images, counted, times in timed
        ]

    def verify(self, samples: int = 1, *, threads: Sequence[int] = (1, 2), against: Path | None = None) -> Verdict:
        """Compares the model with plain evaluation of its source in float64, on random images.

        Parameters
        ----------
        samples : int
            How many images.
        threads : sequence of int
            Numbers of threads, which must all give the same bits.
        against : path, optional
            A ``.npz`` file of known results instead: arrays ``input`` and ``output``, the batch first.

        Returns
        -------
        Verdict
            True where every output is within 1e-4 of its largest magnitude.
        """
        passed, off, text = _frit.verdict(self._program, samples, list(threads), against)
        return Verdict(passed, tuple(Difference(*one) for one in off), text)

    def save(self, path: Path) -> None:
        """Writes the model to an artifact, ``path.frit``, which `load` and ``frit run`` take."""
        if not os.fspath(path).endswith(".frit"):
            raise ValueError(f"artifacts are .frit files: {os.fspath(path)} is none")
        self._program.save(path)

    def __reduce__(self) -> tuple[Callable[[bytes, int], Model], tuple[bytes, int]]:
        return _restored, (self._program.artifact(), self.threads)

    def __repr__(self) -> str:
        takes, gives = (", ".join(map(str, ports)) for ports in (self.signature.inputs, self.signature.outputs))
        return f"<frit.Model {self.name}: {takes} -> {gives}; {self.target}>"

    def _repr_html_(self) -> str:
        ports = [("input", port) for port in self.signature.inputs] + [("output", port) for port in self.signature.outputs]
        rows = "".join(
            f"<tr><td>{kind}</td><td>{html.escape(port.name)}</td><td>{'×'.join(map(str, port.shape))}</td>"
            f"<td>{port.dtype}</td></tr>"
            for kind, port in ports
        )
        size = f"{self._program.macs / 1e6:,.1f} million multiply-accumulates"
        return f"<b>{html.escape(self.name)}</b>, {html.escape(self.target)}, {size}<table>{rows}</table>"

    def _repr_svg_(self) -> str | None:
        try:
            return svg(self.graph().dot)
        except FritError:
            return None


def compile(
    model: Any,
    *,
    weights: Path | None = None,
    shapes: Shapes | None = None,
    threads: int | None = None,
    target: str = "native",
    residual: str | None = None,
    disable: Sequence[str] = (),
    fuse: bool = True,
    preprocess: Path | None = None,
    example: Any = None,
    progress: Callable[[int, int], object] | None = None,
) -> Model:
    """Compiles a network.

    Parameters
    ----------
    model : path, bytes, onnx.ModelProto, Keras model or torch.nn.Module
        A file (``.json``, ``.onnx``, ``.keras``, ``.h5``), the bytes of an ONNX file, or a model object. One of Keras is saved
        to a temporary file; one of PyTorch is exported by PyTorch's own exporter and needs `example`.
    weights : path, optional
        A file of weights instead of those that the model holds or names.
    shapes : mapping of str to sequence of int, or sequence of int, optional
        Shapes of inputs that the file leaves open, the batch included; a shape alone is that of the only input.
    threads : int, optional
        Threads of each call; as many as the machine runs at once where it is not given.
    target : str
        The instruction sets to compile for: ``native``, ``x86-64-v2``, ``x86-64-v3``, ``x86-64-v4`` or ``aarch64``. What this
        CPU can't run can be saved.
    residual : str, optional
        What is done about residuals that don't fit: ``drop`` them, ``project`` them by a 1x1 convolution that nobody trained,
        or ``insert`` those that blocks could have. `Model.repairs` tells what was done. Without it they are errors.
    disable : sequence of str
        Rewrite rules that are never applied.
    fuse : bool
        Whether layers are fused; without it each is a kernel of its own.
    preprocess : path, optional
        How pictures become inputs, where the model does not say it: ``imagenet``, or a JSON file.
    example : array or tuple of array
        What a module of PyTorch takes: its inputs as tensors.
    progress : callable, optional
        Called with the number of parts that are done, and of all.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        All faults of the model in one go.
    ValueError
        An option that means nothing.
    """
    options = _Options(weights, shapes, preprocess, residual, target, disable, fuse)
    with source(model, example) as given:
        return Model(_frit.compile(given, options.wishes(), _positive(threads), progress))


def load(path: Path, *, threads: int | None = None, huge_pages: bool = False) -> Model:
    """Loads an artifact, which is run and not compiled.

    An artifact is a program: one that is loaded, or unpickled, is trusted like a module that is imported.

    Parameters
    ----------
    path : path
        A ``.frit`` file, written by `Model.save` or ``frit compile``.
    threads : int, optional
        Threads of each call; as many as the machine runs at once where it is not given.
    huge_pages : bool
        Whether the weights are copied to huge pages instead of shared with every process that has the file loaded: slower to
        load, faster to run. Those of a model that was compiled in this process or unpickled always are.

    Raises
    ------
    ArtifactError
        No artifact, a damaged one, one of another version or for another CPU.
    """
    return Model(_frit.load(path, _positive(threads), huge_pages))


def check(
    model: Any,
    *,
    weights: Path | None = None,
    shapes: Shapes | None = None,
    residual: str | None = None,
    lint: bool = False,
) -> list[Diagnostic]:
    """All faults of a model and what is odd about it, in one go; none where it is legal and can be compiled.

    The parameters are those of `compile`; with `lint` also what is legal and probably not meant.
    """
    options = _Options(weights, shapes, None, residual, "native", (), True)
    with source(model, None) as given:
        return [diagnostic(*told) for told in _frit.check(given, options.wishes(), lint)]


def explain(code: str) -> str:
    """The page of a diagnostic's code, such as ``"FR0201"``: what it means, an example and the repair."""
    return _frit.page(code)


@dataclass(frozen=True)
class _Options:
    """The options of compilation, as they are given."""

    weights: Path | None
    shapes: Shapes | None
    preprocess: Path | None
    residual: str | None
    target: str
    disable: Sequence[str]
    fuse: bool

    def wishes(self) -> _frit.Wishes:
        return {
            "weights": _text(self.weights),
            "shapes": list(_named(self.shapes)),
            "preprocess": _text(self.preprocess),
            "residual": self.residual,
            "target": self.target,
            "disable": [self.disable] if isinstance(self.disable, str) else list(self.disable),
            "fuse": self.fuse,
        }


def _text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _named(shapes: Shapes | None) -> Iterator[tuple[str | None, list[int]]]:
    if isinstance(shapes, Mapping):
        yield from ((name, list(shape)) for name, shape in shapes.items())
    elif shapes is not None:
        yield None, list(shapes)


def _positive(threads: int | None) -> int | None:
    if threads is not None and not 1 <= threads <= 256:
        raise ValueError(f"threads are from 1 to 256, not {threads}")
    return threads


def _restored(artifact: bytes, threads: int) -> Model:
    return Model(_frit.restore(artifact, threads))


def _ports(ports: Sequence[tuple[str, list[int], str, bool]]) -> tuple[Port, ...]:
    return tuple(Port(name, tuple(shape), np.dtype(element), unbatched) for name, shape, element, unbatched in ports)


def ordered(feed: Mapping[str, Any], names: Sequence[str], kind: str) -> tuple[Any, ...]:
    """The arrays of `feed` in the order of `names`, which are all that it has."""
    if len(feed) == len(names):
        try:
            return tuple([feed[name] for name in names])
        except KeyError:
            pass
    wrong = [f"the model has no {kind} {name}" for name in feed if name not in names]
    wrong += [f"no array is given for the {kind} {name}" for name in names if name not in feed]
    raise InputError([refusal(INPUT, message, f"its {kind}s are {', '.join(names)}") for message in wrong])


def _pixels(image: Any) -> npt.NDArray[np.uint8]:
    """The pixels of a picture that some package holds, height by width by 3."""
    pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        shape = "x".join(map(str, pixels.shape))
        message = f"a picture is an array of uint8, height by width by 3, not {pixels.dtype} of {shape}"
        raise InputError([refusal("FR0030", message, "give the path of the file, or an image of Pillow")])
    return pixels
