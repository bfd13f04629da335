"""MariaDB and MySQL."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.errors import LockTimeoutError, UnstorableFrameError
from mlops_assets.io_managers.sql.columns import PARTITION
from mlops_assets.io_managers.sql.server import WAIT_SECONDS, Server, literal
from mlops_assets.io_managers.sql.values import kinds, refuse_nan, text_lines

if TYPE_CHECKING:
    import sqlalchemy as sa


class MySql(Server):
    """MariaDB and MySQL: LOAD DATA in, rows out. Creating or changing a table commits."""

    transactional_ddl = False
    with_views = True
    text_by_bytes = True

    def storage(self, kind: pa.DataType) -> pa.DataType:
        """Keep truth values as small numbers, and all floats as double, which alone come back exactly."""
        if types.is_boolean(kind):
            return pa.int16()
        if types.is_decimal(kind):
            return pa.decimal256(65, 30)
        if types.is_floating(kind):
            return pa.float64()
        return super().storage(kind)

    def sql_type(self, kind: pa.DataType, in_key: bool) -> Any:
        """Microseconds, long text, and keys compared byte by byte."""
        import sqlalchemy.dialects.mysql as own

        if types.is_timestamp(kind):
            return own.DATETIME(fsp=6)
        if types.is_time(kind):
            return own.TIME(fsp=6)
        if types.is_string(kind):
            return self.key_text(255) if in_key else own.LONGTEXT(charset="utf8mb4", collation=self._exact())
        return own.LONGBLOB() if types.is_binary(kind) else super().sql_type(kind, in_key)

    def key_text(self, length: int) -> Any:
        """Compare bytes, trailing spaces included."""
        import sqlalchemy.dialects.mysql as own

        return own.VARCHAR(length, charset="utf8mb4", collation=self._exact())

    def _exact(self) -> str:
        return "utf8mb4_nopad_bin" if getattr(self.engine.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"

    def check(self, name: str, array: pa.Array, where: str) -> None:
        """Refuse numbers that are not finite, for which there is no place."""
        refuse_nan(name, array, where, infinite=True)

    def table_options(self) -> dict[str, Any]:
        """Use the engine with transactions."""
        return {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_row_format": "DYNAMIC"}

    @contextmanager
    def writing(self, table: str) -> "Iterator[sa.Connection]":
        """Take turns by a named lock, which lives as long as the connection."""
        import sqlalchemy as sa

        with self.engine.connect() as connection:
            name = f"mlops_assets.{table}"[-64:]
            if (
                connection.execute(
                    sa.text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": WAIT_SECONDS}
                ).scalar()
                != 1
            ):
                raise LockTimeoutError(f"another writer of {table} did not finish within {WAIT_SECONDS} s")
            connection.commit()
            try:
                with connection.begin():
                    yield connection
            finally:
                connection.execute(sa.text("SELECT RELEASE_LOCK(:name)"), {"name": name})

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> None:
        """Send the rows as one file; row by row where the server does not take files."""
        if self.run(connection, "SELECT @@local_infile").fetchone()[0] != 1:
            super().insert(connection, table, partition, data)
            return
        fields = [
            f"@c{i}" if kind in ("binary",) else self.quote(name) for i, (name, kind) in enumerate(kinds(data).items())
        ]
        assigned = [
            f"{self.quote(name)} = UNHEX(@c{i})"
            for i, (name, kind) in enumerate(kinds(data).items())
            if kind == "binary"
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            path.write_bytes(text_lines(data))
            self.run(
                connection,
                f"LOAD DATA LOCAL INFILE {literal(str(path))} INTO TABLE {self.quote(table)} "
                "CHARACTER SET utf8mb4 "
                f"({', '.join(fields)}) SET "
                f"{', '.join([*assigned, f'{self.quote(PARTITION)} = {literal(partition)}'])}",
            )
            found = self.run(connection, "SHOW WARNINGS").fetchmany(3)
            if found:
                raise UnstorableFrameError(f"the database changed values while loading: {found}")

    def create_view(self, connection: "sa.Connection", name: str, query: str) -> None:
        """Make a view, in the place of one of that name, in one step."""
        self.run(connection, f"CREATE OR REPLACE VIEW {self.quote(name)} AS {query}")

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Ask the server."""
        import sqlalchemy as sa

        statement = (
            "SELECT data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = :name"
        )
        return int(connection.execute(sa.text(statement), {"name": table}).scalar() or -1)
