"""What an address names as `module:name`: it opens a cluster, or a session, for a run."""

import importlib
from importlib.util import find_spec
from typing import Any

from mlops_assets.scale.address import Address
from mlops_assets.scale.failures import EngineAddressError, EngineUnavailableError


def require_module(where: Address) -> None:
    """Refuse an address that names a module which is not installed: most likely a host, and no port.

    Raises:
        EngineAddressError: there is none.
    """
    module, _, name = where.opener.partition(":")
    package = module.partition(".")[0]
    if package and find_spec(package) is None:
        raise EngineAddressError(
            f"MLOPS_ENGINE={where.text}: there is no module {package!r} here to open a cluster, and {name!r} is no port"
        )


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
