"""The register as releases before 0.2.0 kept it: a row for each partition with its whole schema.

It is taken over once, when a newer release first opens the database, and becomes a view of today's. So an older release
that still runs reads on what it can understand, and whatever it tries to write is refused by the database: it would
take tables that its register does not know for leftovers, and replace them.
"""

import hashlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from mlops_assets.io_managers.sql.server import Server

VIEW = "_mlops_partitions"
_TAKEN = "_mlops_partitions_before"
"""The old register while it is taken over."""
_NEW_VIEW = "_mlops_partitions_view"
_AT_ONCE = 2_000


def prepare(server: "Server", register: sa.Table, looks: sa.Table) -> None:
    """Create today's register, and take over that of an earlier release if there is one.

    Where creating tables commits, each step leaves a state from which the next process goes on: the view comes after
    the tables, and the old register goes when all of it is in the new one.
    """
    with server.looking() as connection:
        if is_ready(connection):
            return
    with server.writing(VIEW) as connection:  # the name by which earlier releases wait for one another
        if is_ready(connection):  # another process was faster
            return
        is_view = VIEW in sa.inspect(connection).get_view_names()
        is_old = not is_view and sa.inspect(connection).has_table(VIEW)
        register.metadata.create_all(connection, checkfirst=True)
        if is_old and server.transactional_ddl:
            server.run(connection, f"ALTER TABLE {server.quote(VIEW)} RENAME TO {server.quote(_TAKEN)}")
        elif is_old:
            server.run(connection, f"DROP VIEW IF EXISTS {server.quote(_NEW_VIEW)}")
            server.run(connection, _view(server, _NEW_VIEW, register, looks))
            moved = [(VIEW, _TAKEN), (_NEW_VIEW, VIEW)]
            renamed = ", ".join(f"{server.quote(name)} TO {server.quote(new)}" for name, new in moved)
            server.run(connection, f"RENAME TABLE {renamed}")
            is_view = True
        if not is_view:
            server.run(connection, _view(server, VIEW, register, looks))
        if sa.inspect(connection).has_table(_TAKEN):
            _take_over(connection, register, looks)
            server.drop(connection, _TAKEN)


def outdated(server: "Server") -> dict[str, int]:
    """Return the register of an earlier release, if it has not been taken over, with its number of partitions."""
    with server.looking() as connection:
        known = sa.inspect(connection)
        before = [VIEW] if VIEW not in known.get_view_names() else []
        found = [sa.table(name) for name in (*before, _TAKEN) if known.has_table(name)]
        counts = [connection.execute(sa.select(sa.func.count()).select_from(one)).scalar_one() for one in found]
        return {VIEW: max(counts)} if counts else {}


def is_ready(connection: sa.Connection) -> bool:
    """Whether today's register is there, whole."""
    known = sa.inspect(connection)
    return VIEW in known.get_view_names() and not known.has_table(_TAKEN)


def _view(server: "Server", name: str, register: sa.Table, looks: sa.Table) -> str:
    """Return the statement that makes the view, in which the register looks as it did before."""
    r, s = register.c, looks.c
    shown = sa.select(
        r.table_name, r.partition_name, r.partition_key, r.claim, r.rows, r.written_at, s.columns, s.arrow_schema
    ).where(r.table_name == s.table_name, r.schema_id == s.schema_id)
    return f"CREATE VIEW {server.quote(name)} AS {shown.compile(dialect=server.engine.dialect)}"


def _take_over(connection: sa.Connection, register: sa.Table, looks: sa.Table) -> None:
    """Copy the old register into the new one, which nobody uses yet."""
    kept = [column for column in register.c if column.name != "schema_id"]
    said = [column for column in looks.c if column.name in ("columns", "arrow_schema")]
    old = sa.Table(_TAKEN, sa.MetaData(), *(sa.Column(column.name, column.type) for column in (*kept, *said)))
    connection.execute(sa.delete(register))
    connection.execute(sa.delete(looks))
    known: set[tuple[str, str]] = set()
    for table in list(connection.execute(sa.select(old.c.table_name).distinct()).scalars()):
        asked = sa.select(old).where(old.c.table_name == table).order_by(old.c.partition_name).limit(_AT_ONCE)
        page = [dict(row) for row in connection.execute(asked).mappings()]
        while page:
            rows, more = [], []
            for row in page:
                look = {"columns": row.pop("columns"), "arrow_schema": row.pop("arrow_schema")}
                rows.append({**row, "schema_id": look_id(**look)})
                if (table, look_id(**look)) not in known:
                    known.add((table, look_id(**look)))
                    more.append({"table_name": table, "schema_id": look_id(**look), **look})
            connection.execute(sa.insert(register), rows)
            if more:
                connection.execute(sa.insert(looks), more)
            after = asked.where(old.c.partition_name > rows[-1]["partition_name"])
            page = [dict(row) for row in connection.execute(after).mappings()]


def look_id(columns: str, arrow_schema: str) -> str:
    """Return the hash of how a partition is stored, by which the register knows it."""
    return hashlib.sha256(f"{columns}\n{arrow_schema}".encode()).hexdigest()[:32]
