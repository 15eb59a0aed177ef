"""What frit refuses, and what it says about it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnostic:
    """One fault, warning or hint.

    Attributes
    ----------
    code : str
        A stable code, such as ``"FR0201"``; `frit.explain` has a page for each.
    severity : str
        ``"error"``, ``"warning"`` or ``"hint"``.
    message : str
        What is wrong, in one line.
    layers : tuple of str
        The layers that it is about, by their names in the source, the one at fault first.
    shapes : tuple of str
        The shapes that meet there, each with how it came about.
    help : tuple of str
        The ways out.
    text : str
        All of it, as the command ``frit`` shows it.
    """

    code: str
    severity: str
    message: str
    layers: tuple[str, ...]
    shapes: tuple[str, ...]
    help: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


class FritError(Exception):
    """What frit refuses. The message is that of all diagnostics.

    Attributes
    ----------
    diagnostics : tuple of Diagnostic
        All that was found, in one go.
    code, layers, shapes, help
        Those of the first error among them.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(diagnostic.text for diagnostic in diagnostics))
        self.diagnostics = tuple(diagnostics)

    @property
    def _first(self) -> Diagnostic:
        errors = (diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")
        return next(errors, self.diagnostics[0])

    @property
    def code(self) -> str:
        return self._first.code

    @property
    def layers(self) -> tuple[str, ...]:
        return self._first.layers

    @property
    def shapes(self) -> tuple[str, ...]:
        return self._first.shapes

    @property
    def help(self) -> tuple[str, ...]:
        return self._first.help

    def __reduce__(self) -> tuple[type[FritError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class ModelError(FritError):
    """A model that can't be read or is not legal, or options that it does not take."""


class ArtifactError(FritError):
    """An artifact that can't be loaded or saved, or holds not what is asked of it."""


class InputError(FritError):
    """Arrays or pictures that a model does not take."""


class ResourceError(FritError):
    """Memory, threads or executable pages that the system does not give."""


class InternalError(FritError):
    """A fault of frit itself."""


_ABOUT: dict[str, type[FritError]] = {"model": ModelError, "artifact": ArtifactError, "input": InputError}

# The arguments that do what a flag of the command does.
_ARGUMENTS = {"--shape": "shapes", "--residual": "residual", "--target": "target", "--preprocess": "preprocess"}
_FLAG = re.compile(r"^(--[a-z-]+) (\S+)$")


def exception(told: Sequence[tuple[str, str]], about: str) -> FritError:
    """The exception that tells diagnostics; `about` decides of which class, where the first error's code does not."""
    found = [diagnostic(*one) for one in told]
    error = FritError(found)
    return _class_of(error.code, about)(found)


def _class_of(code: str, about: str) -> type[FritError]:
    match int(code[2:]):
        case 30 | 31 | 32 | 33:
            return InputError
        case number if 400 <= number < 500:
            return ArtifactError
        case 302 | 901:
            return InternalError
        case 902:
            return ResourceError
        case _:
            return _ABOUT[about]


def diagnostic(as_json: str, text: str) -> Diagnostic:
    """What the compiler tells, as a value."""
    told = json.loads(as_json)
    return Diagnostic(
        code=told["code"],
        severity=told["severity"],
        message=told["message"],
        layers=tuple(told["layers"]),
        shapes=tuple(told["shapes"]),
        help=tuple(_way_out(way["text"], way["flag"]) for way in told["help"]),
        text=text,
    )


def _way_out(text: str, flag: str | None) -> str:
    """A way out with the argument that does it, or the flag of the command where none does."""
    if flag is None:
        return text
    found = _FLAG.match(flag)
    if found and found[1] in _ARGUMENTS:
        return f'{text}: {_ARGUMENTS[found[1]]}="{found[2]}"'
    return f"{text}: {flag}"


def refusal(code: str, message: str, *ways: str) -> Diagnostic:
    """A fault that is found in Python."""
    text = "\n".join([f"error[{code}]: {message}", *(f"  = help: {way}" for way in ways)])
    return Diagnostic(code, "error", message, (), (), ways, text)
