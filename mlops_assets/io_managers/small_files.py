"""Small Parquet files near by, read once a process: an earlier stage has read most of what a round reads."""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import pandas as pd
import pyarrow as pa

from mlops_assets.io_managers import schemas
from mlops_assets.io_managers.parts import Head, Part

LARGEST, MOST = 2**16, 2**25
"""Bytes of a file that is small; bytes in memory of all that are kept: of more, those that were used last."""
TABLES = 16
"""Whole small tables that are kept as frames too, such as the log of decisions, which a round asks a dozen times."""


class SmallFile:
    """A file as it was read.

    Attributes:
        table: all that it holds.
        rows: their number.
    """

    def __init__(self, table: pa.Table, rows: int) -> None:
        self.table, self.rows = table, rows
        self._narrow: dict[tuple[str, ...], pa.Table] = {}

    def head(self) -> Head:
        """Return its schema and number of rows."""
        return Head(self.table.schema, self.rows)

    def part(self, columns: list[str] | None) -> Part:
        """Return wanted columns, of those that it has, of all rows: `as_one` leaves out what is not wanted."""
        present = tuple(schemas.present(self.table.schema, columns))
        if present not in self._narrow:
            schema = schemas.narrow(self.table.schema, list(present))
            self._narrow[present] = self.table.select(list(present)).replace_schema_metadata(schema.metadata)
        return Part(self._narrow[present], self.rows)


class SmallFiles:
    """Keeps files by their path, as long as inode, time and size are the same: one is replaced, never changed."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.forget()

    def forget(self) -> None:
        """Keep nothing, as in the beginning."""
        self._bytes, self._lock = 0, Lock()
        self._kept: OrderedDict[str, tuple[_Identity, SmallFile]] = OrderedDict()
        self._frames: OrderedDict[str, tuple[list[tuple[str, _Identity]], pd.DataFrame]] = OrderedDict()

    def known(self, path: Path) -> SmallFile | None:
        """Return a file if it is kept as it is now.

        Raises:
            FileNotFoundError: there is none.
        """
        return self._known(str(path), _identity(path))

    def read(self, path: Path, parse: Callable[[bytes], SmallFile]) -> SmallFile | None:
        """Return a file, read unless it is kept as it is now; None if it is not small.

        Args:
            path: of the file.
            parse: makes it of its bytes.

        Raises:
            FileNotFoundError: there is none.
        """
        identity, name = _identity(path), str(path)
        if identity[2] > LARGEST:
            return None
        found = self._known(name, identity)
        if found is None:
            found = parse(path.read_bytes())
            with self._lock:
                self._drop(name)
                self._kept[name] = identity, found
                self._bytes += found.table.nbytes
                while self._bytes > self._most:
                    self._drop(next(iter(self._kept)))
        return found

    def whole(self, name: str, files: Sequence[Path], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Return a table as a frame of its own, made unless it is kept and all its files are as they were.

        Args:
            name: of the table.
            files: all that it consists of.
            make: reads it.
        """
        try:
            now = [(str(file), _identity(file)) for file in files]
        except FileNotFoundError:  # removed a moment ago
            return make()
        with self._lock:
            was, frame = self._frames.get(name, (None, None))
        if frame is None or was != now:
            frame = make()
            if sum(size for _, (_, _, size) in now) > LARGEST:
                return frame
        with self._lock:
            self._frames[name] = now, frame
            self._frames.move_to_end(name)
            if len(self._frames) > TABLES:
                self._frames.popitem(last=False)
        return frame.copy()

    def _known(self, name: str, identity: "_Identity") -> SmallFile | None:
        with self._lock:
            was, found = self._kept.get(name, (None, None))
            if was != identity:
                return None
            self._kept.move_to_end(name)
            return found

    def _drop(self, name: str) -> None:
        if name in self._kept:
            self._bytes -= self._kept.pop(name)[1].table.nbytes


SMALL_FILES = SmallFiles()
"""Those of this process."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SMALL_FILES.forget)  # another thread may have held the lock


_Identity = tuple[int, int, int]


def _identity(path: Path) -> _Identity:
    found = os.stat(path)  # noqa: PTH116 -- a thousand in a round
    return found.st_ino, found.st_mtime_ns, found.st_size
