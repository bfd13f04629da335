"""Questions that a forecast has no answer to; each message names the parameter and what can be asked instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlops_assets.errors import UsageError, nearest


class QuestionError(UsageError):
    """A question that this forecast has no answer to; the message says what can be asked.

    Attributes:
        parameter: that has no answer; empty where the message is about none.
        nearest: right values that are most like what was given.
    """

    def __init__(
        self, message: str = "", *, advice: Sequence[str] = (), parameter: str = "", nearest: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.advice, self.parameter, self.nearest = tuple(advice), parameter, tuple(nearest)

    @classmethod
    def of(cls, parameter: str, given: object, known: Iterable[str]) -> QuestionError:
        """Make the error of a value that is none of a few."""
        names = list(known)
        near = nearest(shown(given), names)
        hint = f"did you mean {near[0]}? " if near else ""
        return cls(
            f"{parameter}={shown(given)!r}: {hint}There are: {', '.join(names)}", parameter=parameter, nearest=near
        )


class UnknownItemError(QuestionError, LookupError):
    """There is no such item."""


class UnknownOriginError(QuestionError, LookupError):
    """Nothing was forecast from there."""


class TooEarlyError(QuestionError, LookupError):
    """Nothing was stored yet at the moment that is asked about."""


def shown(given: object, longest: int = 60) -> str:
    """Return what was given as a message shows it: the beginning of a long text."""
    text = str(given)
    return text if len(text) <= longest else f"{text[:longest]}…"
