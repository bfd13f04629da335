"""Tables in a database, for somebody who only looks: the database itself refuses every change."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_assets.io_managers.parts import Head
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.resources.secrets import reveal, variable_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from mlops_assets.io_managers.sql.servers import Server


class ReadOnlySqlTables(SqlTables):
    """The tables of a database as they are; before the first has been stored, there are none."""

    @cached_property
    def _server(self) -> "Server":
        from mlops_assets.io_managers.sql.servers import server_of
        from mlops_assets.resources.databases import make_engine

        made = make_engine(reveal(self.url), read_only=True, variable=variable_of(self.url))
        return server_of(_reading_only(made))

    @property
    def _there(self) -> bool:
        """Whether there is a register to ask: whoever only looks makes none."""
        from mlops_assets.io_managers.sql import register_before

        if "_register" in self.__dict__:
            return True
        with self._server.looking() as connection:
            return register_before.is_ready(connection)

    def versions(self, key: Sequence[str]) -> dict[str | None, str]:
        """Ask the register."""
        return super().versions(key) if self._there else {}

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the parts of the names of the tables in the register directly below a key."""
        return super().children(key) if self._there else []

    def _wanted(self, key: Sequence[str], partitions: Sequence[str] | None) -> Sequence[str | None]:
        return super()._wanted(key, partitions if self._there else None)

    def _stored(self, key: Sequence[str]) -> list[str | None]:
        return super()._stored(key) if self._there else []

    def _latest(self, key: Sequence[str]) -> Iterator[str | None]:
        return super()._latest(key) if self._there else iter(())

    def _heads(self, key: Sequence[str], partitions: Sequence[str | None]) -> dict[str | None, Head]:
        return super()._heads(key, partitions) if self._there else {}


def _reading_only(engine: "Engine") -> "Engine":
    """Return an engine whose transactions change nothing; those of SQLite and DuckDB are so already."""
    from sqlalchemy import event

    name = engine.dialect.name
    if name == "postgresql":  # by transaction, not by session: a pooler before the server may give that to others
        return engine.execution_options(postgresql_readonly=True)
    if name in ("mysql", "mariadb"):

        @event.listens_for(engine, "connect")
        def on_connect(connection: Any, record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")

    return engine
