"""The package of somebody else, Acme, as pip would have put it into the folder `foreign`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_assets.forecasting.model.extensions import resolver
from mlops_assets.forecasting.model.features import own


@contextmanager
def installed() -> Iterator[None]:
    """Install it within the block, entry points and all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "foreign"))
        _forget()
        try:
            yield
        finally:
            _forget()
            for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
                del sys.modules[name]


def _forget() -> None:
    for cached in (resolver._resolved, own._made):
        cached.cache_clear()
