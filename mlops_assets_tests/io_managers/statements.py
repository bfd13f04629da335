"""What a database of PostgreSQL is asked: each statement, and the tables that it has read whole for it."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_assets.resources.databases import close_shared

_PREFIX = "asked of "
_LINE = re.compile(rf"^{_PREFIX}(\S+) (\d+) LOG:  (?:statement|execute [^:]*): (.*)$")
_SMALL = {"_mlops_schemas"}
"""Tables that do not grow with partitions: reading one whole costs nothing."""
KINDS = {
    "transaction": ("BEGIN", "COMMIT", "ROLLBACK", "SET"),
    "ping": (";",),
    "partitions of a table": ("SELECT _mlops_register.partition_key",),
    "register": ("SELECT _mlops_register", "INSERT INTO _mlops_register", "DELETE FROM _mlops_register"),
}
"""Kinds of statements by what they begin with; what begins otherwise is `other`."""


@dataclass
class Asked:
    """What was asked in a while.

    Attributes:
        statements: in their order.
        connections: how many sent them.
        whole: table -> how often it was read whole, though it grows; those that were made meanwhile aside.
    """

    statements: list[str] = field(default_factory=list)
    connections: int = 0
    whole: dict[str, int] = field(default_factory=dict)

    @property
    def kinds(self) -> Counter[str]:
        """How many statements there were of each kind."""
        return Counter(_kind(statement) for statement in self.statements)


def _kind(statement: str) -> str:
    found = (kind for kind, starts in KINDS.items() if statement.lstrip().startswith(starts))
    return next(found, "other")


class Watched:
    """A database of a server that runs here, whose statements are written down.

    Attributes:
        url: its address.
    """

    def __init__(self, server: str, folder: Path, name: str) -> None:
        """Make the database.

        Args:
            server: address of another database of the server.
            folder: where the server runs.
            name: of the new database.
        """
        import psycopg
        from sqlalchemy.engine import make_url

        self._server, self._log, self._name = server, folder / "log", name
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute(f"ALTER DATABASE {name} SET log_statement = 'all'".encode())
            connection.execute(f"ALTER SYSTEM SET log_line_prefix = '{_PREFIX}%d %p '".encode())
            # What is read whole all the same can be found by no index, however small the table is now.
            connection.execute(f"ALTER DATABASE {name} SET enable_seqscan = off".encode())
            connection.execute("SELECT pg_reload_conf()")
        self.url = make_url(server).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def asked(self) -> Iterator[Asked]:
        """Write down what the block asks; it is known when the block has ended."""
        found = Asked()
        close_shared()
        before, start = self._scans(), self._log.stat().st_size
        yield found
        close_shared()  # with which the server counts what its connections have read
        with self._log.open("rb") as log:
            log.seek(start)
            lines = [line for line in map(_LINE.match, log.read().decode().splitlines()) if line is not None]
        own = [line for line in lines if line[1] == self._name]
        found.statements = [line[3] for line in own]
        found.connections = len({line[2] for line in own})
        found.whole = {
            table: count - before[table]
            for table, count in self._scans().items()
            if count > before.get(table, count) and table not in _SMALL
        }

    def connections(self) -> int:
        """Return how many connections are open."""
        return self._ask("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", self._name)[0][0]

    def _scans(self) -> dict[str, int]:
        import psycopg

        with psycopg.connect(self.url) as connection:
            connection.execute("SET log_statement = 'none'")
            return dict(connection.execute("SELECT relname, seq_scan FROM pg_stat_user_tables").fetchall())

    def _ask(self, statement: str, *values: Any) -> list[Any]:
        import psycopg

        with psycopg.connect(self._server) as connection:
            return connection.execute(statement.encode(), values).fetchall()
