"""Tables, views and queries of a database as a source."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from mlops_assets.errors import TransientError
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.sources.base import SourceError, SourceUnavailableError, require
from mlops_assets.spec import SqlSource

if TYPE_CHECKING:
    from sqlalchemy import Connection

_BOUNDS = {"window_start", "window_end"}


class SqlReader:
    """A table, a view or a query of a database, fetched in chunks.

    A table is filtered by the window where its time column is of a date or time type. A query is run as it stands:
    it may hold the parameters `:window_start` and `:window_end`, and then promises to honour them. They are naive
    and in the spec's time zone; on SQLite, which has no type for times, they are text: `2013-12-31`, with the time
    of day after it unless it is midnight.
    """

    def __init__(self, source: SqlSource, time_zone: str) -> None:
        self.source = source
        self.time_zone = time_zone
        self.name = f"table {source.table}" if source.table else "query"
        self.parameters = _parameters(source.query or "")
        self.exact = self.parameters == _BOUNDS
        self.notes: list[str] = []

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield chunks of rows as the database types them."""
        with self._connected() as connection:
            result = connection.execute(self._statement(connection, columns, time_column, window))
            present = list(result.keys())
            require(self.name, columns, present)
            row = 1
            for chunk in result.partitions(self.source.chunk_rows):
                frame = pd.DataFrame(list(map(tuple, chunk)), columns=present, dtype=object)[list(columns)]
                frame[ROW_SOURCE] = self.name
                frame[ROW_NUMBER] = range(row, row + len(frame))
                frame[ROW_PROBLEM] = None
                row += len(frame)
                yield frame

    def signature(self, time_column: str, window: Window) -> str:
        """Return the version."""
        return self.version(time_column, window)

    def version(self, time_column: str, window: Window) -> str:
        """Return the watermark: how many rows the window has, and the latest time of one.

        A value that was corrected in a row that stays changes neither.
        """
        count, last = self._counted(time_column, window)
        return f"{count} rows until {last}"

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return the number of rows that would be read."""
        return self._counted(time_column, window)[0]

    def _counted(self, time_column: str, window: Window) -> tuple[int, Any]:
        """Return the number of rows that would be read, and the latest time of one."""
        import sqlalchemy as sa

        with self._connected() as connection:
            asked = self._statement(connection, [time_column], time_column, window)
            if self.source.query is not None:
                asked = asked.columns(sa.column(time_column))
            rows = asked.subquery()
            statement = sa.select(sa.func.count(), sa.func.max(rows.c[time_column])).select_from(rows)
            count, last = connection.execute(statement).one()
        return count, last

    @contextmanager
    def _connected(self) -> "Iterator[Connection]":
        """Connect for a read, and say what goes wrong with it."""
        from sqlalchemy.exc import SQLAlchemyError

        from mlops_assets.resources.databases import DatabaseError, make_engine

        try:
            engine = make_engine(self.source.url, read_only=True)
            database = engine.url.database
            if engine.dialect.name == "sqlite" and database and database != ":memory:" and not Path(database).is_file():
                raise SourceError(f"{self.name}: there is no SQLite file {database}; see source.url in the spec")
            try:
                with engine.connect().execution_options(stream_results=True) as connection:
                    yield connection
            finally:
                engine.dispose()
        except DatabaseError as error:
            kind = SourceUnavailableError if isinstance(error, TransientError) else SourceError
            raise kind(f"{self.name}: source.url: {error.message}", advice=error.advice) from None
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise SourceError(f"{self.name}: {type(cause).__name__}: {self._without_password(cause)}") from None

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Connect and read no row, or of a query without a window the first ones."""
        empty = Window(pd.Timestamp(2000, 1, 1), pd.Timestamp(2000, 1, 1))
        next(self.read(columns, time_column, empty), None)
        return self.name

    def _without_password(self, error: Any) -> str:
        from sqlalchemy.engine import make_url

        password = make_url(self.source.url.get_secret_value()).password
        return str(error).replace(str(password), "***") if password else str(error)

    def _statement(self, connection: Any, columns: Sequence[str], time_column: str, window: Window) -> Any:
        import sqlalchemy as sa
        from sqlalchemy.exc import NoSuchTableError

        lite = connection.dialect.name == "sqlite"
        if self.source.query is not None:
            if unknown := sorted(self.parameters - _BOUNDS):
                raise SourceError(
                    f"{self.name}: there is no parameter :{unknown[0]}, only :window_start and :window_end; "
                    "a colon that means itself is written \\:"
                )
            values = {"window_start": window.start, "window_end": window.end}
            given = {name: _text(values[name]) if lite else values[name].to_pydatetime() for name in self.parameters}
            return sa.text(self.source.query).bindparams(**given)
        schema, _, name = str(self.source.table).rpartition(".")
        try:
            table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except NoSuchTableError:
            raise SourceError(f"no table or view {self.source.table!r} in the database; see source.table") from None
        require(self.name, columns, [column.name for column in table.columns])
        # The columns as the driver gives them: a malformed date must reach the contract, not end the read.
        statement = sa.select(*(sa.type_coerce(table.c[name], sa.types.NullType()).label(name) for name in columns))
        time = table.c[time_column]
        if not isinstance(time.type, sa.types.DateTime | sa.types.Date):
            return statement
        day = pd.Timedelta(days=1)  # slack for time zones; the contract selects exactly
        if lite:
            # Text compares rightly by its date, whatever follows it; what does not start with a date is read.
            text = sa.type_coerce(time, sa.types.String())
            low, high = _text((window.start - day).normalize()), _text((window.end + 2 * day).normalize())
            odd = sa.not_(text.like("____-__-__%"))
            return statement.where(sa.or_(time.is_(None), odd, sa.and_(text >= low, text < high)))
        low, high = (window.start - day).to_pydatetime(), (window.end + day).to_pydatetime()
        if getattr(time.type, "timezone", False):
            low, high = (bound.replace(tzinfo=ZoneInfo(self.time_zone)) for bound in (low, high))
        return statement.where(sa.or_(time.is_(None), sa.and_(time >= low, time < high)))


def _parameters(query: str) -> set[str]:
    from sqlalchemy import text

    return set(text(query).compile().params)


def _text(moment: pd.Timestamp) -> str:
    """Write a moment so that SQLite compares it rightly with ISO 8601 text: at midnight, as a date."""
    return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else f"{moment:%Y-%m-%d %H:%M:%S}"
