"""Arrow tables put down one after another until all are known; few stay in memory, many go to a temporary file."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType

import pyarrow as pa

from mlops_assets.io_managers import schemas
from mlops_assets.io_managers.errors import UnstorableFrameError

IN_MEMORY = 32 * 2**20
"""Compressed bytes from which on they are kept on disk."""


class Spool:
    """The batches of one partition that is to be written: read back as often as wanted, in one schema."""

    def __init__(self, name: str) -> None:
        """Open an empty one.

        Args:
            name: of the table, for messages.
        """
        self.rows = 0
        self._name = name
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 -- closed by __exit__
        self._schemas: dict[str, tuple[pa.Schema, int]] = {}
        self._empty: pa.Table | None = None

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, table: pa.Table) -> None:
        """Put a table down behind the others."""
        if not table.num_rows:
            self._empty = table if self._empty is None else self._empty
            return
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(pa.PythonFile(self._file, mode="w"), table.schema, options=options) as writer:
            writer.write_table(table)
        self.rows += table.num_rows
        known = [schema for schema, _ in self._schemas.values()]
        if not any(table.schema.equals(schema, check_metadata=True) for schema in known):
            self._schemas[f"batch from row {self.rows - table.num_rows}"] = (table.schema, table.num_rows)

    @property
    def schema(self) -> pa.Schema:
        """The schema in which the rows of all have a place.

        Raises:
            SchemaDriftError: there is none.
            UnstorableFrameError: nothing was put down.
        """
        if len(self._schemas) > 1:
            return schemas.common_schema(self._schemas, self._name)
        if self._schemas:
            return next(iter(self._schemas.values()))[0]
        if self._empty is None:
            raise UnstorableFrameError(
                f"{self._name}: no batch came, so that its columns are not known. Give one without rows at least."
            )
        return self._empty.schema

    def __iter__(self) -> Iterator[pa.Table]:
        schema = self.schema
        if not self.rows:
            yield schema.empty_table()
            return
        self._file.seek(0)
        left = self.rows
        while left:
            with pa.ipc.open_stream(pa.PythonFile(self._file, mode="r")) as stream:
                table = stream.read_all()
            left -= table.num_rows
            yield table if len(self._schemas) == 1 else schemas.conform(table, schema)
