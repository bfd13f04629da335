"""Which release of this package is running."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


@lru_cache
def package_version() -> str:
    """Return this package's version."""
    try:
        return version("mlops-assets")
    except PackageNotFoundError:
        return "not installed"
