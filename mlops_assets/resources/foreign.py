"""Code of others that ours calls: what it raises is told in our words, without secrets."""

from collections.abc import Callable
from typing import Any

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.model import extensions
from mlops_assets.resources.secrets import scrub


def call(
    place: str,
    refused: type[MlopsAssetsError],
    away: type[MlopsAssetsError],
    function: Callable[..., Any],
    *given: Any,
    **named: Any,
) -> Any:
    """Return what a function of somebody's package gives.

    Args:
        place: what is called, for messages.
        refused: what becomes of an error of its own.
        away: what becomes of an OSError, such as one of the network.
        function: what is called.
        given: its arguments.
        named: those that are named.

    Raises:
        MlopsAssetsError: one of the two, or what it has raised of ours.
    """
    try:
        return function(*given, **named)
    except MlopsAssetsError:
        raise
    except OSError as error:
        raise away(f"{place}: {type(error).__name__}: {scrub(str(error))}") from error
    except Exception as error:
        raise refused(f"{place}: {scrub(extensions.told(error))}") from error
