"""What an address names as `module:name`: it opens a cluster, or a session, for a run."""

import importlib
from typing import Any

from mlops_assets.scale.address import Address
from mlops_assets.scale.failures import EngineAddressError, EngineUnavailableError


def open_by_path(where: Address) -> Any:
    """Call what an address names with the address's options, and return what it gives.

    Raises:
        EngineAddressError: there is no such thing.
        EngineUnavailableError: it could not open what it opens.
    """
    module, _, name = where.opener.partition(":")
    try:
        opener = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise EngineAddressError(f"MLOPS_ENGINE={where.text}: {error}") from error
    try:
        return opener(**where.options)
    except Exception as error:
        raise EngineUnavailableError(f"MLOPS_ENGINE={where.text}: {type(error).__name__}: {error}") from error
