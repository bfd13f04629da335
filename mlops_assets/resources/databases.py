"""`make_engine`: the only place that opens a database, so that every connection is opened rightly.

`shared_engine` is for our own databases, which a process opens again and again: one engine, with one pool of
connections, for each address.
"""

import atexit
import os
import sqlite3
import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mlops_assets.errors import MissingExtraError, MlopsAssetsError, TransientError
from mlops_assets.resources.secrets import scrub

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL, ExceptionContext

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pyodbc",
}
"""The driver where the address names none: SQLAlchemy's own choice depends on its version."""

_EXTRAS = {
    "psycopg": "postgres",
    "duckdb": "duckdb",
    "duckdb_engine": "duckdb",
    "pymysql": "mysql",
    "pyodbc": "mssql",
}
"""Which extra of this package brings a module."""

_BUSY_SECONDS = 30
_IDLE_SECONDS = 1.0
"""A connection that was used so lately is not tried before it is used again."""
_TAKEN = ("lock", "handle conflict", "different configuration")
"""What DuckDB says of a file that another has open, in this process or elsewhere."""

_SHARED: "OrderedDict[tuple[str, str], Engine]" = OrderedDict()
"""The shared engines of this process by address and variable, the one that was asked for last at the end."""
_MOST_SHARED = 8
_SHARING = Lock()


class DatabaseError(MlopsAssetsError, ValueError):
    """A database cannot be opened as asked; the message says why, without the password."""


class DatabaseUnavailableError(DatabaseError, TransientError):
    """A database lets nobody in now; a later try may succeed."""


class MissingDriverError(DatabaseError, MissingExtraError):
    """The driver of a database is not installed."""


def make_engine(url: "str | SecretStr | URL", read_only: bool = False, variable: str = "") -> "Engine":
    """Return a SQLAlchemy engine for an address such as `sqlite:///data/tables.db` or `postgresql://…`.

    SQLite waits for other writers instead of failing, keeps readers and writers apart (WAL), and takes its
    write lock at the start of a transaction, without which updates of two processes are lost. Statements'
    parameters, which may be data or secrets, appear in no error.

    Args:
        url: the address; a driver is added where it names none.
        read_only: for databases that are not ours: nothing is changed, not even SQLite's journal mode.
        variable: of the environment, which gave the address; empty: another gave it.

    Raises:
        DatabaseError: the address is not one.
        MissingDriverError: its driver is not installed.
        DatabaseUnavailableError: from the engine, when it cannot connect; a DatabaseError of a damaged file.
    """
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import NullPool

    address = _address(url)
    name = address.get_backend_name()
    arguments: dict[str, Any] = {"hide_parameters": True}
    if name == "sqlite":
        arguments["connect_args"] = {"timeout": _BUSY_SECONDS}
    elif name == "duckdb":
        # A process that keeps a DuckDB file open locks all others out: open it for each piece of work.
        arguments["poolclass"] = NullPool
    if name == "postgresql":
        # A table may be made anew, with other types, while a connection lies in the pool: a statement that the server
        # has prepared would fail then. A pooler before the server has no place for them either.
        arguments["connect_args"] = {"prepare_threshold": None}
    if name in ("mysql", "mariadb") and not read_only:
        arguments["connect_args"] = {"local_infile": True}
    try:
        engine = sa.create_engine(address, **arguments)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        raise MissingDriverError.of(shown(address), missing, _EXTRAS.get(missing)) from None
    except (ArgumentError, TypeError) as error:
        raise DatabaseError(f"{shown(address)} cannot be opened: {error}") from None
    _tell_unavailable(engine, f"; see {variable}" if variable else "")
    if name == "sqlite":
        _prepare_sqlite(engine, read_only)
    elif name == "duckdb":
        _open_duckdb(engine, read_only)
    else:
        _try_idle(engine)
    return engine


def shared_engine(url: "str | SecretStr | URL", variable: str = "") -> "Engine":
    """Return this process's one engine for an address; `make_engine` tells the rest.

    Dagster makes a resource anew for each tick of a sensor: an engine for each would leave its connections open until
    the garbage collector comes by. Idle connections are at most five for each address (SQLAlchemy's pool), and go with
    the process. The engines of the addresses asked for last are kept; a database in memory is nobody else's.
    """
    address = _address(url)
    if address.database in (None, "", ":memory:"):
        return make_engine(url, variable=variable)
    name = address.render_as_string(hide_password=False), variable
    with _SHARING:
        if name not in _SHARED:
            _SHARED[name] = make_engine(url, variable=variable)
        _SHARED.move_to_end(name)
        dropped = _SHARED.popitem(last=False)[1] if len(_SHARED) > _MOST_SHARED else None
        engine = _SHARED[name]
    if dropped is not None:
        dropped.dispose()
    return engine


def close_shared() -> None:
    """Close what `shared_engine` keeps open; it is opened again when it is asked for."""
    _let_go(close=True)


def _let_go(close: bool) -> None:
    while _SHARED:
        _SHARED.popitem()[1].dispose(close=close)


def _after_fork() -> None:
    """Leave the connections to the parent process: two that speak on one would take each other's answers."""
    global _SHARING  # noqa: PLW0603 (a thread that the child does not have may have held it)
    _SHARING = Lock()
    _let_go(close=False)


atexit.register(close_shared)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def with_driver(address: str) -> str:
    """Return an address with the driver that this package brings, where it names none."""
    dialect, separator, rest = address.partition("://")
    return f"{_DRIVERS.get(dialect, dialect)}{separator}{rest}"


def open_adbc(url: "URL") -> Any:
    """Open a second, Arrow-native connection to a PostgreSQL database (use it in a `with` block)."""
    from adbc_driver_postgresql import dbapi

    return dbapi.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))


def shown(url: "str | SecretStr | URL") -> str:
    """Return an address as it may be shown: without password and parameters, which may hold another."""
    return _address(url).set(query={}).render_as_string(hide_password=True)


def _address(url: "str | SecretStr | URL") -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    try:
        address = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseError(
            "the address of a database is not one: it takes the form dialect://user:password@host:port/name, "
            "e.g. sqlite:///data/tables.db. Characters like @ or / in a password are written as %40 and %2F."
        ) from None
    return address.set(drivername=_DRIVERS.get(address.drivername, address.drivername))


def _tell_unavailable(engine: "Engine", see: str) -> None:
    """Let a failure to connect, and a connection that gets lost, be an error of ours: drivers name it otherwise."""
    from sqlalchemy import event

    @event.listens_for(engine, "handle_error")
    def on_error(context: "ExceptionContext") -> None:
        lost = context.connection is None or context.is_disconnect
        if lost and context.sqlalchemy_exception is not None:
            reason = scrub(" ".join(str(context.original_exception).split()))
            if type(context.original_exception) is sqlite3.DatabaseError:  # a damaged file: no later try succeeds
                raise DatabaseError(f"{shown(engine.url)} cannot be used: {reason}{see}") from None
            raise DatabaseUnavailableError(f"{shown(engine.url)} cannot be reached: {reason}{see}") from None


def _try_idle(engine: "Engine") -> None:
    """Try a connection that has lain in the pool, and make another where it is lost: servers are restarted.

    SQLAlchemy's own way tries each time that one is taken, which in a round is hundreds of times a second.
    """
    from sqlalchemy import event
    from sqlalchemy.exc import InvalidatePoolError

    @event.listens_for(engine, "checkin")
    def on_checkin(connection: Any, record: Any) -> None:
        record.info["since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("since", time.monotonic()) > _IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except Exception as error:
                raise InvalidatePoolError from error


def _file_of(engine: "Engine") -> tuple[int, int] | None:
    """Return what tells a database's file from every other; None if there is no such file."""
    try:
        found = Path(engine.url.database or "").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare_sqlite(engine: "Engine", read_only: bool) -> None:
    from sqlalchemy import event
    from sqlalchemy.exc import InvalidatePoolError

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        # The driver's own transactions begin too late and commit behind our back: we begin them ourselves.
        connection.isolation_level = None
        if read_only:
            connection.execute("PRAGMA query_only=ON")
            return
        connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: Any, proxy: Any) -> None:
        """Open the file again that was removed, or replaced by another, while the connection lay in the pool."""
        known = record.info.setdefault("file", _file_of(engine))
        if known is not None and known != _file_of(engine):
            raise InvalidatePoolError

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        deferred = read_only or connection.get_execution_options().get("reads_only")
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _open_duckdb(engine: "Engine", read_only: bool) -> None:
    """Wait for whoever has the file open, as the other databases do.

    That is another process (it holds a lock), or a thread of this one that is just closing it (a conflict of handles).
    """
    from sqlalchemy import event

    file = Path(engine.url.database or "")

    @event.listens_for(engine, "do_connect")
    def on_connect(dialect: Any, record: Any, arguments: Any, keywords: Any) -> Any:
        deadline = time.monotonic() + _BUSY_SECONDS
        if read_only and file.is_file():
            keywords["read_only"] = True
        while True:
            try:
                return dialect.connect(*arguments, **keywords)
            except Exception as error:
                taken = any(sign in str(error).lower() for sign in _TAKEN)
                if not taken or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)


def server_time(connection: "Connection") -> "datetime | None":
    """Return the present moment by a database server's clock, in UTC without its zone; None without a server."""
    import sqlalchemy as sa

    dialect = connection.dialect.name
    if dialect == "postgresql":
        return connection.execute(sa.select(sa.func.timezone("UTC", sa.func.clock_timestamp()))).scalar_one()
    if dialect in ("mysql", "mariadb"):
        return connection.execute(sa.select(sa.func.utc_timestamp(type_=sa.DateTime))).scalar_one()
    return None
