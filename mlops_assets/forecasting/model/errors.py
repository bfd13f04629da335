"""The root of our errors and what the engine raises; here, because this package travels inside logged models."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class MlopsAssetsError(Exception):
    """Something that is expected to go wrong: a person can understand it and act on it.

    Everything else that is raised is a bug. Every class of errors is also the builtin that fits, and can be pickled,
    for Dagster and process pools carry errors between processes: a constructor takes the message, and `of` makes it.

    Attributes:
        message: what is wrong and where, in one sentence that shows no secret.
        advice: commands that mend it, each as a person can run it; no message repeats them.
        exit_code: of a command that ends with it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, advice: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.advice = tuple(advice)

    def __str__(self) -> str:
        """The message and the advice, for logs and for errors that are shown by other tools than our own."""
        return f"{self.message} (try: {'; '.join(self.advice)})" if self.advice else self.message

    def about(self, what: str) -> MlopsAssetsError:
        """Return the same error with what it is about in front of the message, unless that is there already."""
        if self.message.startswith(f"{what}: "):
            return self
        other = type(self).__new__(type(self))  # not copied: libraries (tblib) change how exceptions are
        other.__dict__.update(self.__dict__)
        other.message = f"{what}: {self.message}"
        other.args = (other.message,)
        return other


class TransientError(MlopsAssetsError):
    """The same may succeed later: it is worth trying again."""


class TerminalError(MlopsAssetsError):
    """It fails the same way until somebody changes something: trying again is a waste."""


class UsageError(TerminalError, ValueError):
    """What was asked for, or declared, cannot be; nothing was done."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(UsageError, LookupError):
    """There is nothing of that name.

    Attributes:
        parameter: that has the name; empty where it is none's.
    """

    def __init__(self, message: str = "", *, advice: Sequence[str] = (), parameter: str = "") -> None:
        super().__init__(message, advice=advice)
        self.parameter = parameter

    @classmethod
    def of(
        cls,
        kind: str,
        name: str,
        known: Iterable[str],
        where: str = "",
        advice: Sequence[str] = (),
        parameter: str = "",
    ) -> UnknownNameError:
        """Make the error, with the nearest right name.

        Args:
            kind: what was looked for, such as `forecast`.
            name: what was given.
            known: the right names.
            where: they are kept, such as a folder.
            advice: commands that show the right names, for a name that is near none.
            parameter: that has the name.
        """
        names = list(map(str, known))
        near = nearest(name, names)
        place = f" in {where}" if where else ""
        hint = f"; did you mean {near[0]}?" if near else "."
        there = f"There are: {', '.join(names)}" if names else "There is none"
        return cls(f"no {kind} {name!r}{place}{hint} {there}", advice=() if near else advice, parameter=parameter)


class DataError(TerminalError, ValueError):
    """The data do not allow what is asked of them: no usable row, too little history, a column of another type."""


class ModelFileError(TerminalError, ValueError):
    """A stored model is not what was saved, holds something that must not be loaded, or is of a later release."""


class MissingExtraError(TerminalError, ImportError):
    """A library is not installed that this needs and the package does not bring by itself."""

    @classmethod
    def of(cls, what: str, module: str, extra: str | None, otherwise: str = "") -> MissingExtraError:
        """Make the error, with the command that installs the library.

        Args:
            what: needs it.
            module: is missing.
            extra: of this package that brings it; None if there is none.
            otherwise: another way out.
        """
        words = f"; {otherwise}" if otherwise else ""
        command = f"pip install 'mlops-assets[{extra}]'" if extra else f"pip install {module}"
        return cls(f"{what} needs the module {module}{words}", advice=[command])


def nearest(name: object, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return the known names that are most like a wrong one, the nearest first; empty if none is."""
    return difflib.get_close_matches(str(name), list(map(str, known)), most, cutoff)
