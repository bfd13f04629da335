"""What differs between databases: the types they keep, the fast way in and out, how a partition is replaced.

`Server` does everything through SQLAlchemy and stands for any database it knows; the others replace the slow
parts. Identifiers in statements are quoted, and names of partitions are plain ASCII (see `names.segment`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops_assets.io_managers.sql.duckdb import DuckDb
from mlops_assets.io_managers.sql.mysql import MySql
from mlops_assets.io_managers.sql.postgres import Postgres
from mlops_assets.io_managers.sql.server import Server
from mlops_assets.io_managers.sql.sqlite import Sqlite
from mlops_assets.io_managers.sql.values import arrow_type

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Server", "arrow_type", "server_of"]


def server_of(engine: "sa.Engine") -> Server:
    """Return what knows the engine's kind of database."""
    known: Mapping[str, type[Server]] = {
        "sqlite": Sqlite, "postgresql": Postgres, "duckdb": DuckDb, "mysql": MySql, "mariadb": MySql,
    }  # fmt: skip
    return known.get(engine.dialect.name, Server)(engine)
