"""Dagster's event log in SQLite, with connections that stay open: chosen by `event_log_storage` in dagster.yaml.

Dagster's own storage makes an engine, a connection and a synchronised commit for every event. Files and tables are the
same, so either can go on where the other was.
"""

import inspect
import logging
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage, SqliteEventLogStorageWatchdog
from dagster._core.storage.sqlite import create_db_conn_string
from sqlalchemy import event as events_of
from sqlalchemy.pool import NullPool
from watchdog.observers import Observer

PATIENCE_SECONDS = 30
"""That a writer waits for another one to finish."""
OPEN = 8
"""Runs, and the index of all, whose files are kept open in a process; of more, those used last."""
BATCH = "1000"
"""Events that Dagster stores at once (`DAGSTER_EVENT_BATCH_SIZE`), unless the environment says otherwise."""

_INDEX = "index"
_ENDINGS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)
_RELIED_ON = {
    "__init__": "self base_dir inst_data",
    "_connect": "self shard",
    "_initdb": "self engine for_index_shard",
    "conn_string_for_shard": "self shard_name",
    "path_for_shard": "self run_id",
    "run_connection": "self run_id",
    "index_connection": "self",
    "has_table": "self table_name",
    "store_event": "self event",
    "_store_asset_event": "self conn event event_id",
    "_has_asset_key_col_on_connection": "self conn column_name",
    "store_event_batch": "self events",
    "watch": "self run_id cursor callback",
    "wipe": "self",
    "dispose": "self",
}
"""Methods of Dagster's storage that are replaced or called, with their parameters."""
_CONNECTS_BY = (
    "_db_lock check str_param conn_string_for_shard create_engine NullPool SQLITE_BUSY_TIMEOUT_SECONDS "
    "_initialized_dbs _initdb add connect begin dispose"
)
"""All that Dagster's `_connect` does, which is replaced: the names in it."""

log = logging.getLogger(__name__)


class OwnEventLog(SqliteEventLogStorage):
    """Dagster's own storage, which finds the folder of its files by itself: `history/runs` of DAGSTER_HOME."""

    def __init__(self, base_dir: str | None = None, inst_data: Any = None) -> None:
        self._inst_data = inst_data
        if base_dir is not None:
            self._open(base_dir)

    @classmethod
    def config_type(cls) -> Any:
        """Return what dagster.yaml may say."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "OwnEventLog":  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the storage that dagster.yaml asks for."""
        return cls(config_value.get("base_dir"), inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Open the files of an instance."""
        if not hasattr(self, "_base_dir"):
            self._open(str(Path(instance.root_directory) / "history" / "runs"))
        super().register_instance(instance)

    def _open(self, base_dir: str) -> None:
        super().__init__(base_dir, self._inst_data)


class EventLog(OwnEventLog):
    """Keeps a connection to each file, does not wait for the disk with each event, and stores a batch at once.

    A process that is killed loses nothing that was stored (the system has it); a machine that loses its power may lose
    the last events, and no file breaks (SQLite's write-ahead log with `synchronous = NORMAL`). A batch is stored whole
    or not at all in a file. Where Dagster's internals are not those that this was made for, Dagster's own way is taken.
    """

    def __init__(self, base_dir: str | None = None, inst_data: Any = None) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._batch: ExitStack | None = None
        self._begun: dict[str, sa.Connection] = {}
        self._latest: dict[tuple[str, str], tuple[Any, int]] = {}
        self._tables: set[str] = set()
        self._columns: set[str] = set()
        self._pid = os.getpid()
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", BATCH)
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> OwnEventLog:
        """Return the storage; one that works as Dagster's own, if Dagster has changed."""
        if reason := changed():
            log.warning(f"Dagster {dg.__version__} stores events in its own, slower way: {reason}")
            return OwnEventLog.from_config_value(inst_data, config_value)
        return super().from_config_value(inst_data, config_value)

    def _open(self, base_dir: str) -> None:
        super()._open(base_dir)
        self._db_lock = RLock()  # within a batch, Dagster connects again for each event

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            if shard in self._begun:
                yield self._begun[shard]
                return
            connection = self._connection(shard)
            try:
                if self._batch is not None:
                    self._begun[shard] = connection
                    self._batch.enter_context(connection.begin())
                    yield connection
                else:
                    with connection.begin():
                        yield connection
            except BaseException:
                if self._batch is None:
                    self._close(shard)
                raise

    def store_event_batch(self, events: Sequence[Any]) -> None:
        """Store events, all or none in each file, in one transaction a file."""
        with self._db_lock:
            try:
                with ExitStack() as self._batch:
                    with self.index_connection():  # begun first, so committed last: as with single events
                        pass
                    super().store_event_batch(events)
                    with self.index_connection() as index:
                        for event, number in self._latest.values():
                            super()._store_asset_event(index, event, number)
            except BaseException:
                self._close(*self._begun)
                raise
            finally:
                self._batch, self._begun, self._latest = None, {}, {}

    def store_event(self, event: Any) -> None:
        """Store an event; the file of a run that is over is closed."""
        super().store_event(event)
        if self._batch is None and event.is_dagster_event and event.dagster_event_type in _ENDINGS:
            with self._db_lock:
                self._close(event.run_id)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table: one that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _store_asset_event(self, conn: sa.Connection, event: Any, event_id: int) -> None:
        """Let the row of an asset say what its latest event says; of a batch, the last event of each type says it."""
        if self._batch is None:
            super()._store_asset_event(conn, event, event_id)
        elif event.dagster_event and event.dagster_event.asset_key:
            one = event.dagster_event.asset_key.to_string(), event.dagster_event.event_type_value
            self._latest.pop(one, None)  # so that the last one stands behind all others
            self._latest[one] = event, event_id

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        """Whether the table of assets has a column: one that is there stays."""
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns.add(column_name)
        return column_name in self._columns

    def wipe(self) -> None:
        """Remove everything."""
        with self._db_lock:
            self._close(*self._kept)
            super().wipe()

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        """Tell of a run's events as they come."""
        if self._obs is None:
            self._obs = Observer()
            self._obs.start()
        watchdog = _Watchdog(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = (watchdog, self._obs.schedule(watchdog, self._base_dir, recursive=True))

    def dispose(self) -> None:
        """Close all files."""
        super().dispose()
        with self._db_lock:
            self._close(*self._kept)

    def _connection(self, shard: str) -> sa.Connection:
        """Return the connection to a file, made if there is none, or if the file is another one by now."""
        if self._pid != os.getpid():  # in a forked process a connection must neither be used nor closed
            self._of_parent, self._kept, self._pid = self._kept, OrderedDict(), os.getpid()
        kept, path = self._kept.get(shard), self.path_for_shard(shard)
        if kept is not None and _identity(path) == kept.identity:
            self._kept.move_to_end(shard)
            return kept.connection
        if kept is not None:
            self._close(shard)
            self._initialized_dbs.discard(shard)
        engine = sa.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=NullPool,
            connect_args={"timeout": PATIENCE_SECONDS, "check_same_thread": False},
        )
        events_of.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = NORMAL"))
        if shard not in self._initialized_dbs:
            if shard == _INDEX or not self._copied(Path(path)):
                self._initdb(engine)
            self._initialized_dbs.add(shard)
        kept = self._kept[shard] = _Kept(engine.connect(), _identity(path))
        while len(self._kept) > OPEN:
            self._close(next(one for one in self._kept if one not in (shard, _INDEX)))
        return kept.connection

    def _copied(self, path: Path) -> bool:
        """Make the file of a new run as a copy of an empty one; to make it takes Dagster a twentieth of a second.

        Returns:
            Whether it is there now, as this Dagster makes it.
        """
        if path.exists():
            return False
        empty = path.with_name(f"empty-{dg.__version__}")
        with TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / "empty.db"
            if empty.exists():
                shutil.copyfile(empty, made)
            else:
                engine = sa.create_engine(create_db_conn_string(folder, made.stem), poolclass=NullPool)
                self._initdb(engine)
                shutil.copyfile(made, Path(folder) / empty.name)
                (Path(folder) / empty.name).replace(empty)
            try:
                os.link(made, path)  # whole, or not at all: another process may look for it at the same time
            except OSError:
                return False
        return True

    def _close(self, *shards: str) -> None:
        for shard in shards:
            kept = self._kept.pop(shard, None)
            if kept is not None:
                kept.connection.close()


class _Kept(NamedTuple):
    connection: sa.Connection
    identity: tuple[int, int] | None


class _Watchdog(SqliteEventLogStorageWatchdog):
    """Looks at the write-ahead log too: events stand in it long before they are in the file."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._patterns = [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: Any) -> None:
        self._process_log()


def changed() -> str:
    """Say in which way Dagster's storage is not the one that `EventLog` was made for; empty if it is."""
    for name, parameters in _RELIED_ON.items():
        method = getattr(SqliteEventLogStorage, name, None)
        found = " ".join(inspect.signature(method).parameters) if method is not None else "gone"
        if found != parameters:
            return f"{name} takes ({parameters}) no longer: ({found})"
    names = set(inspect.unwrap(SqliteEventLogStorage._connect).__code__.co_names)
    if odd := names ^ set(_CONNECTS_BY.split()):
        return f"it connects in another way ({', '.join(sorted(odd))})"
    for name in ("run_connection", "index_connection"):
        if "_connect" not in getattr(SqliteEventLogStorage, name).__code__.co_names:
            return f"{name} does not call _connect"
    return ""


def _identity(path: str) -> tuple[int, int] | None:
    """Return which file a path leads to; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- hundreds in a round
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
