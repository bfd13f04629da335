"""Frames put down one after another until it is known what becomes of them; many go to a temporary file."""

from collections.abc import Iterator

import pandas as pd

from mlops_assets.io_managers.arrow import to_arrow, to_frame
from mlops_assets.io_managers.spool import Spool


class Frames:
    """Frames of the same columns and types, read back as often as wanted."""

    def __init__(self, name: str) -> None:
        """Begin without any.

        Args:
            name: of the table that they are to be, for messages.
        """
        self._spool = Spool(name)

    def add(self, frame: pd.DataFrame) -> None:
        """Put one down behind the others."""
        self._spool.add(to_arrow(frame))

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return map(to_frame, self._spool)
