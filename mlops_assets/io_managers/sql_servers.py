"""What differs between databases: the types they keep, the fast way in and out, how a partition is replaced.

`Server` does everything through SQLAlchemy and stands for any database it knows; the others replace the slow
parts. Identifiers in statements are quoted, and names of partitions are plain ASCII (see `names.segment`).
"""

import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.io_managers.errors import StorageError, UnstorableFrameError
from mlops_assets.io_managers.sql_columns import PARTITION, ROW, Column, partition_table

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

_WAIT_SECONDS = 300
_FEW_ROWS = 20_000

Stored = Sequence[tuple[str, int]]
"""Stored partitions by name, with their number of rows."""


class Server:
    """Any database, through SQLAlchemy alone."""

    transactional_ddl = True
    """Whether creating and dropping tables is part of a transaction, or commits it."""

    key_by_row = True
    """Whether a table without a declared key gets one of partition and row number."""

    def __init__(self, engine: "sa.Engine") -> None:
        self.engine = engine

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        preparer = self.engine.dialect.identifier_preparer
        opening, closing = preparer.initial_quote, preparer.final_quote
        return opening + name.replace(closing, closing * 2) + closing

    def run(self, connection: "sa.Connection", statement: str) -> Any:
        """Run a statement as it stands: nothing in it is taken for a parameter."""
        cursor = connection.connection.cursor()
        cursor.execute(statement)
        return cursor

    def storage(self, kind: "pa.DataType") -> "pa.DataType":
        """Return the Arrow type that the database keeps for a type of values."""
        import pyarrow as pa
        from pyarrow import types

        wider = {
            pa.int8(): pa.int16(), pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(),
            pa.uint64(): pa.decimal128(20, 0), pa.float16(): pa.float32(), pa.null(): pa.string(),
            pa.large_string(): pa.string(), pa.large_binary(): pa.binary(),
        }  # fmt: skip
        if kind in wider:
            return wider[kind]
        if types.is_duration(kind):
            return pa.int64()
        if types.is_time(kind):
            return pa.time64("us")
        if types.is_timestamp(kind):
            return pa.timestamp("us", "UTC" if kind.tz else None)
        return kind

    def declared(self, kind: "pa.DataType") -> "pa.DataType":
        """Return the Arrow type that a column is declared as: `storage`, or one that holds more."""
        return self.storage(kind)

    def check(self, name: str, array: "pa.Array", where: str) -> None:
        """Refuse values that the database would change or reject."""

    def sql_type(self, kind: "pa.DataType", in_key: bool) -> Any:
        """Return the column type for an Arrow type that `storage` gave."""
        import sqlalchemy as sa
        from pyarrow import types

        if types.is_boolean(kind):
            return sa.Boolean()
        if types.is_integer(kind):
            return {8: sa.SmallInteger(), 16: sa.SmallInteger(), 32: sa.Integer(), 64: sa.BigInteger()}[kind.bit_width]
        if types.is_floating(kind):
            return sa.REAL() if kind.bit_width == 32 else sa.Double()
        if types.is_decimal(kind):
            return sa.Numeric(kind.precision, kind.scale)
        if types.is_date(kind):
            return sa.Date()
        if types.is_time(kind):
            return sa.Time()
        if types.is_timestamp(kind):
            return sa.DateTime(timezone=kind.tz is not None)
        if types.is_binary(kind):
            return sa.LargeBinary()
        return self.key_text(255) if in_key else sa.Text()

    def key_text(self, length: int) -> Any:
        """Return a type for short text that is compared byte by byte."""
        import sqlalchemy as sa

        return sa.String(length)

    def create(
        self, connection: "sa.Connection", table: str, columns: Sequence[Column], primary_key: Sequence[str]
    ) -> None:
        """Create the table of an asset."""
        self.define(table, columns, primary_key).create(connection)

    def define(self, table: str, columns: Sequence[Column], primary_key: Sequence[str]) -> "sa.Table":
        """Describe an asset's table: the frame's columns, then partition and row number; a primary key."""
        import sqlalchemy as sa
        from sqlalchemy.sql import quoted_name

        own = [
            sa.Column(
                quoted_name(column.column, True),
                self._type_of(column, column.name in primary_key),
                nullable=column.name not in primary_key,
            )
            for column in columns
        ]
        rests = [sa.Column(quoted_name(column.rest, True), sa.SmallInteger()) for column in columns if column.rest]
        places = {column.name: column.column for column in columns}
        key = [places[name] for name in primary_key] or [ROW]
        return sa.Table(
            quoted_name(table, True),
            sa.MetaData(),
            *own,
            *rests,
            sa.Column(PARTITION, self.key_text(200), nullable=False),
            sa.Column(ROW, sa.BigInteger(), nullable=False, autoincrement=False),
            *([sa.PrimaryKeyConstraint(PARTITION, *key)] if primary_key or self.key_by_row else []),
            **self.table_options(),
        )

    def table_options(self) -> dict[str, Any]:
        """Return what the dialect wants to know of a table."""
        return {}

    def _type_of(self, column: Column, in_key: bool) -> Any:
        return self.sql_type(arrow_type(column.kind), in_key)

    def add_column(self, connection: "sa.Connection", table: str, name: str, kind: Any) -> None:
        """Add a column, missing in all rows."""
        compiled = kind.compile(dialect=self.engine.dialect)
        self.run(connection, f"ALTER TABLE {self.quote(table)} ADD COLUMN {self.quote(name)} {compiled}")

    def drop_column(self, connection: "sa.Connection", table: str, name: str) -> None:
        """Remove a column."""
        self.run(connection, f"ALTER TABLE {self.quote(table)} DROP COLUMN {self.quote(name)}")

    def drop(self, connection: "sa.Connection", table: str) -> None:
        """Remove a table."""
        self.run(connection, f"DROP TABLE {self.quote(table)}")

    @contextmanager
    def writing(self, table: str) -> "Iterator[sa.Connection]":
        """Open the one transaction of a write; writers of the same table come one after another."""
        with self.engine.begin() as connection:
            self.lock(connection, table)
            yield connection

    def lock(self, connection: "sa.Connection", table: str) -> None:
        """Make other writers of this table wait."""

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """Open a transaction in which everything is seen as of one moment."""
        with self.engine.connect().execution_options(reads_only=True) as connection:
            yield connection

    def prepare(self, connection: "sa.Connection", table: str, partition: str, data: "pa.Table") -> Any:
        """Load a partition beside the table, where the database can."""
        return data

    def replace(self, connection: "sa.Connection", table: str, partition: str, prepared: Any) -> None:
        """Put a partition in the place of the old one."""
        self.remove(connection, table, partition)
        if prepared.num_rows:
            self.insert(connection, table, partition, prepared)

    def remove(self, connection: "sa.Connection", table: str, partition: str) -> None:
        """Delete a partition's rows."""
        import sqlalchemy as sa

        where = sa.column(PARTITION) == partition
        connection.execute(sa.delete(sa.table(table, sa.column(PARTITION))).where(where))

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: "pa.Table") -> None:
        """Add rows."""
        import sqlalchemy as sa

        target = sa.table(table, *(sa.column(name) for name in [*data.column_names, PARTITION]))
        for batch in data.to_batches(max_chunksize=10_000):
            rows = [{**row, PARTITION: partition} for row in batch.to_pylist()]
            connection.execute(sa.insert(target), rows)

    def select(
        self,
        connection: "sa.Connection",
        table: str,
        names: Sequence[str],
        partitions: Stored,
        every: bool,
    ) -> "pa.Table":
        """Read columns of some partitions, ordered by partition (byte by byte) and row."""
        cursor = self.run(connection, self.selection(table, names, partitions, every))
        return rows_to_arrow(names, cursor)

    def selection(self, table: str, names: Sequence[str], partitions: Stored, every: bool) -> str:
        """Return the SELECT statement of `select`; partition names are plain ASCII without quotes."""
        listed = ", ".join(self.quote(name) for name in names)
        where = (
            "" if every else f" WHERE {self.quote(PARTITION)} IN ({', '.join(literal(name) for name, _ in partitions)})"
        )
        order = f"{self.quote(PARTITION)}, {self.quote(ROW)}"
        return f"SELECT {listed} FROM {self.quote(table)}{where} ORDER BY {order}"  # noqa: S608

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Return the bytes a table takes, -1 where the database does not say."""
        return -1


class Sqlite(Server):
    """SQLite: text for what it has no type for, rows by the driver's own bulk call."""

    def storage(self, kind: "pa.DataType") -> "pa.DataType":
        """Keep whole numbers in 64 bits, times and decimals as readable text."""
        import pyarrow as pa
        from pyarrow import types

        if types.is_boolean(kind) or types.is_duration(kind) or (types.is_integer(kind) and not types.is_uint64(kind)):
            return pa.int64()
        if types.is_floating(kind):
            return pa.float64()
        if types.is_binary(kind) or types.is_large_binary(kind):
            return pa.binary()
        return pa.string()

    def sql_type(self, kind: "pa.DataType", in_key: bool) -> Any:
        """Declare 64-bit numbers, double, text, blob."""
        import sqlalchemy as sa
        from pyarrow import types

        if types.is_integer(kind):
            return sa.Integer()
        return sa.REAL() if types.is_floating(kind) else sa.LargeBinary() if types.is_binary(kind) else sa.Text()

    def check(self, name: str, array: "pa.Array", where: str) -> None:
        """Refuse not-a-number, which SQLite would turn into a missing value."""
        refuse_nan(name, array, where)

    def table_options(self) -> dict[str, Any]:
        """Keep the rows in the order of the key, without a second index."""
        return {"sqlite_with_rowid": False}

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: "pa.Table") -> None:
        """Add rows through the driver, with no layer between."""
        names = ", ".join(self.quote(name) for name in [*data.column_names, PARTITION])
        marks = ", ".join(["?"] * data.num_columns + [literal(partition)])
        statement = f"INSERT INTO {self.quote(table)} ({names}) VALUES ({marks})"  # noqa: S608
        cursor = connection.connection.cursor()
        for batch in data.to_batches(max_chunksize=50_000):
            rows: Any = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            cursor.executemany(statement, rows)

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """Read within one transaction."""
        with self.engine.connect().execution_options(reads_only=True) as connection, connection.begin():
            yield connection


class DuckDb(Server):
    """DuckDB: takes and gives Arrow as it is. One process at a time may write a file, so others wait."""

    key_by_row = False  # DuckDB keeps the index of a key in memory, and cannot change a table that has one.

    def storage(self, kind: "pa.DataType") -> "pa.DataType":
        """Keep nearly every type; decimals with room for later partitions."""
        import pyarrow as pa
        from pyarrow import types

        if kind in (pa.int8(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()):
            return kind
        if types.is_decimal(kind):
            roomy = kind.scale <= 10 and kind.precision - kind.scale <= 28
            return pa.decimal128(38, 10) if roomy else pa.decimal128(38, kind.scale)
        return super().storage(kind)

    def sql_type(self, kind: "pa.DataType", in_key: bool) -> Any:
        """Use DuckDB's own names."""
        import duckdb_engine.datatypes as own
        from pyarrow import types

        if types.is_int8(kind):
            return own.TinyInteger()
        if types.is_unsigned_integer(kind):
            return {8: own.UTinyInteger, 16: own.USmallInteger, 32: own.UInteger, 64: own.UBigInteger}[kind.bit_width]()
        return super().sql_type(kind, in_key)

    @contextmanager
    def writing(self, table: str) -> "Iterator[sa.Connection]":
        """Take turns by a lock file beside the database."""
        from filelock import FileLock

        with (
            FileLock(f"{self.engine.url.database}.lock", timeout=_WAIT_SECONDS),
            super().writing(table) as connection,
        ):
            yield connection

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: "pa.Table") -> None:
        """Let DuckDB read the Arrow table."""
        raw: Any = connection.connection.driver_connection
        names = ", ".join(self.quote(name) for name in [*data.column_names, PARTITION])
        values = ", ".join([*(self.quote(name) for name in data.column_names), literal(partition)])
        raw.register("incoming", data)
        raw.execute(f"INSERT INTO {self.quote(table)} ({names}) SELECT {values} FROM incoming")  # noqa: S608
        raw.unregister("incoming")

    def select(
        self,
        connection: "sa.Connection",
        table: str,
        names: Sequence[str],
        partitions: Stored,
        every: bool,
    ) -> "pa.Table":
        """Let DuckDB hand out Arrow."""
        raw: Any = connection.connection.driver_connection
        raw.execute("SET TimeZone = 'UTC'")
        return raw.sql(self.selection(table, names, partitions, every)).to_arrow_table()


class Postgres(Server):
    """PostgreSQL: COPY in binary, in and out, and a partition of its own table that is swapped in.

    A reader first takes the weakest lock on the table, then looks: a swap needs the strongest, so what the
    reader sees is of one moment, whatever its isolation level.
    """

    def declared(self, kind: "pa.DataType") -> "pa.DataType":
        """Declare decimals without bounds."""
        import pyarrow as pa

        return pa.decimal256(76, 38) if pa.types.is_decimal(kind) else super().declared(kind)

    def sql_type(self, kind: "pa.DataType", in_key: bool) -> Any:
        """Keep decimals of any size, and text of any length in keys."""
        import sqlalchemy as sa
        from pyarrow import types

        if types.is_decimal(kind):
            return sa.Numeric()
        return sa.Text() if types.is_string(kind) else super().sql_type(kind, in_key)

    def key_text(self, length: int) -> Any:
        """Compare bytes, not letters."""
        import sqlalchemy as sa

        return sa.Text(collation="C")

    def check(self, name: str, array: "pa.Array", where: str) -> None:
        """Refuse the one character that PostgreSQL's text cannot hold."""
        refuse_zero_character(name, array, where)

    def table_options(self) -> dict[str, Any]:
        """Divide by partition."""
        return {"postgresql_partition_by": f"LIST ({self.quote(PARTITION)})"}

    def lock(self, connection: "sa.Connection", table: str) -> None:
        """Take turns by an advisory lock, which lives as long as the transaction."""
        import sqlalchemy as sa

        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": table})

    def prepare(self, connection: "sa.Connection", table: str, partition: str, data: "pa.Table") -> str:
        """Load the rows into a table that nobody else sees yet."""
        child = f"{partition_table(table, partition)[:50]}+{secrets.token_hex(4)}"
        self.run(
            connection,
            f"CREATE TABLE {self.quote(child)} (LIKE {self.quote(table)}, "
            f"CHECK ({self.quote(PARTITION)} = {literal(partition)} AND {self.quote(PARTITION)} IS "
            "NOT NULL))",
        )
        self.run(
            connection,
            f"ALTER TABLE {self.quote(child)} ALTER {self.quote(PARTITION)} SET DEFAULT {literal(partition)}",
        )
        if data.num_rows:
            self._copy(connection, child, data)
        key = ", ".join(self.quote(name) for name in self._key(connection, table))
        self.run(connection, f"ALTER TABLE {self.quote(child)} ADD PRIMARY KEY ({key})")
        return child

    def _key(self, connection: "sa.Connection", table: str) -> list[str]:
        import sqlalchemy as sa

        return sa.inspect(connection).get_pk_constraint(table)["constrained_columns"]

    def _copy(self, connection: "sa.Connection", table: str, data: "pa.Table") -> None:
        import pgpq
        import pyarrow as pa

        naive = [pa.timestamp("us") if pa.types.is_timestamp(kind) else kind for kind in data.schema.types]
        data = data.cast(pa.schema(list(zip(data.column_names, naive, strict=True))))
        names = ", ".join(self.quote(name) for name in data.column_names)
        encoder = pgpq.ArrowToPostgresBinaryEncoder(data.schema)
        with connection.connection.cursor().copy(  # pyright: ignore[reportAttributeAccessIssue]
            f"COPY {self.quote(table)} ({names}) FROM STDIN WITH (FORMAT BINARY, FREEZE)"
        ) as copy:
            copy.write(encoder.write_header())
            for batch in data.to_batches(max_chunksize=65_536):
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())

    def replace(self, connection: "sa.Connection", table: str, partition: str, prepared: str) -> None:
        """Take the old part out and put the new one in its place."""
        self.remove(connection, table, partition)
        final = partition_table(table, partition)
        parent, child = self.quote(table), self.quote(prepared)
        self.run(connection, f"ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES IN ({literal(partition)})")
        for constraint in self._own_checks(connection, prepared):
            self.run(connection, f"ALTER TABLE {child} DROP CONSTRAINT {self.quote(constraint)}")
        self.run(connection, f"ALTER TABLE {child} RENAME TO {self.quote(final)}")

    def _own_checks(self, connection: "sa.Connection", table: str) -> list[str]:
        import sqlalchemy as sa

        found = connection.execute(
            sa.text("SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype = 'c'"),
            {"name": self.quote(table)},
        )
        return [row[0] for row in found]

    def remove(self, connection: "sa.Connection", table: str, partition: str) -> None:
        """Drop the part of the table."""
        self.run(connection, f"DROP TABLE IF EXISTS {self.quote(partition_table(table, partition))}")

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """Hold off swaps while reading."""
        with self.engine.begin() as connection:
            self.run(connection, "SET LOCAL synchronize_seqscans = off")
            if self.run(connection, f"SELECT to_regclass({literal(self.quote(table))})").fetchone()[0] is not None:
                self.run(connection, f"LOCK TABLE {self.quote(table)} IN ACCESS SHARE MODE")
            yield connection

    def select(
        self,
        connection: "sa.Connection",
        table: str,
        names: Sequence[str],
        partitions: Stored,
        every: bool,
    ) -> "pa.Table":
        """Read part after part, as they lie there: many rows through ADBC, whose start takes a while."""
        import pyarrow as pa

        if sum(rows for _, rows in partitions) < _FEW_ROWS:
            return super().select(connection, table, names, partitions, every)

        from mlops_assets.resources.databases import open_adbc

        # A part is written once, by one COPY, and read from its beginning: its rows lie in their order, unless another
        # hand changed one. Its transaction then differs from the others', which is quicker to see than row numbers.
        listed = ", ".join(self.quote(name) for name in names if name != ROW) or self.quote(ROW)
        tables = []
        with open_adbc(self.engine.url) as fast:
            cursor = fast.cursor()
            cursor.execute("SET max_parallel_workers_per_gather = 0")
            cursor.execute("SET synchronize_seqscans = off")
            for start in range(0, len(partitions), 200):
                parts = [self.quote(partition_table(table, name)) for name, _ in partitions[start : start + 200]]
                changed = [f"EXISTS (SELECT FROM {p} WHERE xmin <> (SELECT xmin FROM {p} LIMIT 1))" for p in parts]  # noqa: S608
                cursor.execute(f"SELECT {' OR '.join(changed)}")
                if cursor.fetchone()[0]:
                    raise StorageError(f"{table}: another hand has changed rows of it. Materialize it again.")
                cursor.execute(" UNION ALL ".join(f"SELECT {listed} FROM {part}" for part in parts))  # noqa: S608
                tables.append(cursor.fetch_arrow_table())
        return pa.concat_tables(tables)

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Ask the server."""
        import sqlalchemy as sa

        tree = "pg_partition_tree(to_regclass(:name))"
        statement = f"SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM {tree}"  # noqa: S608
        return int(connection.execute(sa.text(statement), {"name": self.quote(table)}).scalar_one())


class MySql(Server):
    """MariaDB and MySQL: LOAD DATA in, rows out. Creating or changing a table commits."""

    transactional_ddl = False

    def storage(self, kind: "pa.DataType") -> "pa.DataType":
        """Keep truth values as small numbers, and all floats as double, which alone come back exactly."""
        import pyarrow as pa
        from pyarrow import types

        if types.is_boolean(kind):
            return pa.int16()
        if types.is_decimal(kind):
            return pa.decimal256(65, 30)
        if types.is_floating(kind):
            return pa.float64()
        return super().storage(kind)

    def sql_type(self, kind: "pa.DataType", in_key: bool) -> Any:
        """Microseconds, long text, and keys compared byte by byte."""
        import sqlalchemy.dialects.mysql as own
        from pyarrow import types

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

    def check(self, name: str, array: "pa.Array", where: str) -> None:
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
                    sa.text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": _WAIT_SECONDS}
                ).scalar()
                != 1
            ):
                raise TimeoutError(f"another writer of {table} did not finish within {_WAIT_SECONDS} s")
            connection.commit()
            try:
                with connection.begin():
                    yield connection
            finally:
                connection.execute(sa.text("SELECT RELEASE_LOCK(:name)"), {"name": name})

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: "pa.Table") -> None:
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

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Ask the server."""
        import sqlalchemy as sa

        statement = (
            "SELECT data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = :name"
        )
        return int(connection.execute(sa.text(statement), {"name": table}).scalar() or -1)


def server_of(engine: "sa.Engine") -> Server:
    """Return what knows the engine's kind of database."""
    known: Mapping[str, type[Server]] = {
        "sqlite": Sqlite, "postgresql": Postgres, "duckdb": DuckDb, "mysql": MySql, "mariadb": MySql,
    }  # fmt: skip
    return known.get(engine.dialect.name, Server)(engine)


def arrow_type(text: str) -> "pa.DataType":
    """Read the Arrow type of a column back from its text."""
    import pyarrow as pa

    sized = re.fullmatch(r"decimal(128|256)\((\d+), (-?\d+)\)", text)
    if sized:
        make = pa.decimal128 if sized[1] == "128" else pa.decimal256
        return make(int(sized[2]), int(sized[3]))
    special = {
        "date32[day]": pa.date32(), "time64[us]": pa.time64("us"), "timestamp[us]": pa.timestamp("us"),
        "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"), "double": pa.float64(), "float": pa.float32(),
    }  # fmt: skip
    return special.get(text) or pa.type_for_alias(text)


def literal(text: str) -> str:
    """Quote a text that we made ourselves for SQL: no backslashes, quotes doubled."""
    return "'" + text.replace("'", "''") + "'"


def kinds(data: "pa.Table") -> dict[str, str]:
    """Return the types of a table's columns as text."""
    return {field.name: str(field.type) for field in data.schema}


def text_lines(data: "pa.Table") -> bytes:
    r"""Write rows as text: tabs between columns, a line feed after rows, `\N` for missing."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    compute: Any = pc
    columns = []
    for column in data.columns:
        text = column.combine_chunks()
        if types.is_binary(text.type):
            text = pa.array([None if value is None else value.hex() for value in text.to_pylist()], pa.string())
        elif types.is_timestamp(text.type):
            text = text.cast(pa.timestamp("us")).cast(pa.string())
        elif types.is_string(text.type):
            for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")):
                text = compute.replace_substring(text, raw, escaped)
        else:
            text = text.cast(pa.string())
        columns.append(compute.fill_null(text, "\\N").cast(pa.large_string()))
    lines = compute.binary_join_element_wise(*columns, pa.scalar("\t", pa.large_string()))
    return ("\n".join(lines.to_pylist()) + "\n").encode()


def rows_to_arrow(names: Sequence[str], cursor: Any) -> "pa.Table":
    """Gather the rows of a cursor into Arrow, each column of the type its values have."""
    import pyarrow as pa

    gathered: list[list[Any]] = [[] for _ in names]
    while rows := cursor.fetchmany(50_000):
        for column, values in zip(gathered, zip(*rows, strict=True), strict=True):
            decimals = isinstance(next((value for value in values if value is not None), None), Decimal)
            column.append(list(values) if decimals else _column(values))
    return pa.table([_joined(chunks) for chunks in gathered], names=list(names))


def _column(values: Sequence[Any]) -> "pa.Array":
    import pyarrow as pa

    first = next((value for value in values if value is not None), None)
    if isinstance(first, timedelta):  # How MariaDB gives a time of day.
        midnight = datetime(1970, 1, 1)
        times = [None if value is None else (midnight + value).time() for value in values]
        return pa.array(times, pa.time64("us"))
    return pa.array(values, pa.float64() if isinstance(first, float) else None)


def _joined(chunks: list[Any]) -> "pa.ChunkedArray":
    import pyarrow as pa

    if any(isinstance(chunk, list) for chunk in chunks):
        # Decimals must be seen together to find digits enough for all of them.
        return pa.chunked_array(
            [pa.array([v for chunk in chunks for v in (chunk if isinstance(chunk, list) else chunk.to_pylist())])]
        )
    kinds_seen = [chunk.type for chunk in chunks if not pa.types.is_null(chunk.type)]
    kind = kinds_seen[0] if kinds_seen else pa.null()
    return pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind)


def refuse_nan(name: str, array: "pa.Array", where: str, infinite: bool = False) -> None:
    """Raise if a column holds not-a-number (a missing value is not one) or, if asked, infinity."""
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_floating(array.type):
        return
    values = array.drop_null().to_numpy(zero_copy_only=False)
    bad = ~np.isfinite(values) if infinite else np.isnan(values)
    if bad.any():
        raise UnstorableFrameError(
            f"{where}: column {name!r} holds {values[bad][0]} in {int(bad.sum())} rows, which this "
            "database has no place "
            "for. Make them missing values, or keep this table as files."
        )


def refuse_zero_character(name: str, array: "pa.Array", where: str) -> None:
    """Raise if a text column holds the character of code 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(array.type):
        return
    compute: Any = pc
    found = compute.sum(compute.match_substring(array, "\0")).as_py()
    if found:
        raise UnstorableFrameError(
            f"{where}: column {name!r} holds the character NUL in {found} rows, which PostgreSQL has "
            "no place for. "
            "Remove it, or store the column as bytes."
        )
