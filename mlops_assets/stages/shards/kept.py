"""Shards that a step has read once: on the disk of its machine, for as long as it works."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import pandas as pd

from mlops_assets.io_managers.arrow import to_arrow, to_frame
from mlops_assets.resources.rows import Span


@dataclass(frozen=True)
class Kept:
    """The rows of shards, a file each, in a folder that is there while a step works.

    Whoever works on the step's machine sees the folder, and looks a second time without asking the store. A worker on
    another machine does not, and reads what it needs in each look.

    Attributes:
        folder: that only this user may look into.
    """

    folder: str

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["Kept"]:
        """Open the folder, and remove it with all that is in it."""
        with TemporaryDirectory(prefix="mlops-assets-", ignore_cleanup_errors=True) as folder:
            yield cls(folder)

    def read(
        self, shard: Span, columns: Sequence[str] | None, load: Callable[[Sequence[str] | None], pd.DataFrame]
    ) -> pd.DataFrame:
        """Return a shard's rows.

        Args:
            shard: the items.
            columns: that are wanted; None: all.
            load: reads them from the store.
        """
        from pyarrow import feather

        if not Path(self.folder).is_dir():
            return load(columns)
        place = Path(self.folder) / hashlib.sha256(repr(shard).encode()).hexdigest()
        if place.exists():
            return to_frame(feather.read_table(place, None if columns is None else list(columns)))
        rows = load(None)
        # A full disk costs a second look at the store; of a worker that is killed, no half file stays under the name.
        with suppress(OSError), NamedTemporaryFile(dir=self.folder, delete=False) as file:
            feather.write_feather(to_arrow(rows), file, compression="lz4")
            file.flush()
            Path(file.name).replace(place)
        return rows if columns is None else rows[list(columns)]
