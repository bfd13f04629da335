"""Asking stores that may not answer: what cannot be learnt becomes a line, and the rest goes on."""

from collections.abc import Callable
from typing import TypeVar

from mlops_assets.errors import MlopsAssetsError, TransientError
from mlops_assets.resources.refusals import refusal
from mlops_assets.resources.secrets import scrub

Found = TypeVar("Found")
LONGEST = 400
"""Letters of a reason that are shown."""


class Reachable:
    """Asks one store after another; one that does not answer is not asked again."""

    def __init__(self) -> None:
        self._silent: set[str] = set()
        self._said: dict[str, None] = {}

    @property
    def unreachable(self) -> tuple[str, ...]:
        """What could not be learnt and why, a line for each reason."""
        return tuple(self._said)

    def ask(self, store: str, question: Callable[[], Found], otherwise: Found) -> Found:
        """Return the answer of a store, or what stands for it where there is none.

        Args:
            store: what is asked, in words: `tables`, `MLflow`, `Dagster's runs`.
            question: asks it.
            otherwise: what is returned if that fails.
        """
        if store in self._silent:
            return otherwise
        try:
            return question()
        except Exception as error:  # whatever it is, the other sections are wanted all the same
            if isinstance(error, TransientError):
                self._silent.add(store)
            self._said[f"{store} cannot be read: {reason_of(error)}"] = None
            return otherwise


def reason_of(error: Exception) -> str:
    """Return why something failed, in one line without secrets."""
    expected = error if isinstance(error, MlopsAssetsError) else refusal(str(error))
    text = expected.message if expected is not None else f"{type(error).__name__}: {error}"
    return " ".join(scrub(text).partition("Debug source")[0].split())[:LONGEST]
