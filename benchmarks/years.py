"""What a table of years costs in a database: reading and writing one of 50,000 partitions against one of 50.

    python benchmarks/years.py                              # PostgreSQL, MariaDB, SQLite, DuckDB
    python benchmarks/years.py --only postgres --check      # one of them, and fails above a target
    python benchmarks/years.py --before ../checkout         # writing against an earlier release, in the same minutes

Measured is CPU time of client and server together, in turn, the median of some; wall time for what the server says
itself. Servers are started in temporary folders as the tests start them (`make services` installs MariaDB).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(Path(__file__).parent), *([] if os.environ.get("PYTHONPATH") else [str(ROOT)])]

from storage import Ratio, measured  # noqa: E402

FEW = 50
ROWS = 20
"""Rows of a partition where there are many."""
BIG = 200_000
"""Rows of the partition that is loaded."""
TIMES = 25
PLACES = ["postgres", "mariadb", "sqlite", "duckdb"]


def frame(rows: int, first: int = 0) -> Any:
    """Make the rows of a partition."""
    import numpy as np
    import pandas as pd

    number = np.arange(first, first + rows)
    return pd.DataFrame(
        {
            "item_id": [f"item-{n % 1000:04d}" for n in number],
            "timestamp": pd.Timestamp("2024-01-01").as_unit("us") + pd.to_timedelta(number, unit="h").as_unit("us"),
            "target": number * 0.37,
            "lead": (number % 14).astype("int32"),
        }
    )


def hours(partitions: int) -> list[str]:
    """Name so many hourly partitions."""
    import pandas as pd

    return pd.date_range("2019-01-01", periods=partitions, freq="h").strftime("%Y-%m-%d-%H:00").tolist()


def fill(tables: Any, key: list[str], partitions: int) -> None:
    """Store a table of so many partitions: one is written, the database makes the others of it, which takes seconds."""
    import sqlalchemy as sa

    from mlops_assets.io_managers.keys import segment

    first, *others = hours(partitions)
    tables.write_all(key, {first: frame(ROWS)})
    server, made = (
        tables._server,
        sa.Table("made", sa.MetaData(), *(sa.Column(n, sa.String(80)) for n in ("name", "as_json"))),
    )
    with server.engine.begin() as connection:
        made.create(connection)
        connection.execute(sa.insert(made), [{"name": segment(name), "as_json": json.dumps(name)} for name in others])
        for table, where, new, order in (
            (key[0], "1 = 1", {"_partition": "made.name"}, "made.name, one._row"),
            (
                "_mlops_register",
                f"table_name = '{key[0]}'",
                {"partition_name": "made.name", "partition_key": "made.as_json"},
                "made.name",
            ),
        ):
            names = server.columns(connection, table)
            into = ", ".join(map(server.quote, names))
            values = ", ".join(new.get(name) or f"one.{server.quote(name)}" for name in names)
            one = f"(SELECT * FROM {server.quote(table)} WHERE {where}) AS one"
            rows = f"SELECT {values} FROM {one} CROSS JOIN made ORDER BY {order}"
            server.run(connection, f"INSERT INTO {server.quote(table)} ({into}) {rows}")
        made.drop(connection)


@contextmanager
def place(name: str, folder: Path) -> "Iterator[tuple[str, int | None]]":
    """Start a database; yield its address, and the process of its server if it has one."""
    import psutil

    from mlops_assets_tests.io_managers import servers

    folder.mkdir(exist_ok=True)
    if name in ("sqlite", "duckdb"):
        yield f"{name}:///{folder}/tables.db", None
        return
    with getattr(servers, name)(folder) as url:
        if name == "postgres":
            yield url, int((folder / "postmaster.pid").read_text().split()[0])
        else:
            yield url, next(one.pid for one in psutil.Process().children() if str(folder) in " ".join(one.cmdline()))


def in_turn(works: dict[str, Callable[[], Any]], server: int | None, times: int = TIMES) -> dict[str, float]:
    """Return the CPU seconds of each of some works, in turn: the least of three means, for servers tell hundredths."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()  # what is found, compiled and connected once
    for _ in range(3):
        for name, work in works.items():
            spent[name].append(measured(lambda work=work: [work() for _ in range(times)], server) / times)
    return {name: min(seconds) for name, seconds in spent.items()}


def reading(url: str, server: int | None, partitions: int) -> list[Ratio]:
    """Compare one partition of many with one of few, read and written."""
    from mlops_assets.io_managers import SqlTables

    tables, name = SqlTables(url), url.partition(":")[0].partition("+")[0]
    few, many, data = ["few"], ["many"], frame(ROWS)
    fill(tables, few, FEW)
    fill(tables, many, partitions)
    of_few, of_many = cycle(hours(FEW)), cycle(hours(partitions)[:: max(1, partitions // 97)])
    read = in_turn(
        {"few": lambda: tables.read(few, [next(of_few)]), "many": lambda: tables.read(many, [next(of_many)])}, server
    )
    write = in_turn(
        {"few": lambda: tables.write(few, data, next(of_few)), "many": lambda: tables.write(many, data, next(of_many))},
        server,
    )
    return [
        Ratio(f"{name}: read one of {partitions:,} / one of {FEW}", read["many"], read["few"], 1.5),
        Ratio(f"{name}: write one of {partitions:,} / one of {FEW}", write["many"], write["few"], 1.5),
    ]


def postgres(url: str, server: int | None, partitions: int) -> list[Ratio]:
    """Measure a server that `reading` has filled: plan, count, catalogue, and a load against COPY of the same rows."""
    import psycopg

    from mlops_assets.io_managers import SqlTables

    tables, data, number = SqlTables(url), frame(BIG), count()
    one = hours(partitions)[partitions // 2]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:

        def asked(statement: str) -> list[Any]:
            return connection.execute(statement.encode()).fetchall()

        stored_as = one.replace(":", "%3A")
        planned = [
            sum(float(row[0].split(": ")[1].split()[0]) for row in asked(statement) if " Time: " in row[0])
            for statement in [f"EXPLAIN ANALYZE SELECT * FROM many WHERE _partition = '{stored_as}'"] * TIMES
        ]
        whole = [timed(lambda: tables.read(["many"], [one])) for _ in range(TIMES)]
        counting = timed(lambda: asked("SELECT count(*) FROM many"))
        relations = asked("SELECT count(*) FROM pg_class")[0][0]
        tables.write_all(["many"], {f"more {number}": frame(0) for number in range(100)})
        grown = asked("SELECT count(*) FROM pg_class")[0][0] - relations
        print(
            f"count(*) {counting:.2f} s; {relations} relations, {grown} more after 100 partitions more; "
            f"tables.read of one {statistics.median(whole) * 1000:.1f} ms of wall time"
        )
        tables.write(["many"], data, "load")
        with connection.cursor().copy(
            "COPY (SELECT * FROM many WHERE _partition = 'load') TO STDOUT (FORMAT BINARY)"
        ) as out:
            rows = b"".join(out)
        connection.execute("CREATE TABLE bare (LIKE many INCLUDING ALL)")
        connection.execute("INSERT INTO bare SELECT * FROM many WHERE _partition <> 'load' ORDER BY _partition, _row")

        def copy() -> None:
            with connection.cursor().copy("COPY bare FROM STDIN (FORMAT BINARY)") as sent:
                for start in range(0, len(rows), 2**20):
                    sent.write(rows[start : start + 2**20])

        def replaced() -> None:
            with connection.transaction():
                connection.execute("DELETE FROM bare WHERE _partition = 'load'")
                copy()

        new = {"ours": lambda: tables.write(["many"], data, f"load {next(number)}"), "theirs": copy}
        loaded = in_turn(new, server, times=1)
        connection.execute("DELETE FROM bare WHERE _partition = 'load'")
        copy()
        connection.execute("VACUUM ANALYZE")
        again = in_turn({"ours": lambda: tables.write(["many"], data, "load"), "theirs": replaced}, server, times=1)
    return [
        Ratio("postgresql: plan and run of a read of one, ms / 5 ms", statistics.median(planned), 5, 1),
        Ratio(f"postgresql: write of {BIG:,} rows / their COPY", loaded["ours"], loaded["theirs"], 1.3),
        Ratio(f"postgresql: replacing {BIG:,} rows / DELETE and COPY", again["ours"], again["theirs"], 1.3),
    ]


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def against(name: str, folder: Path, before: Path) -> list[Ratio]:
    """Compare writing with an earlier release, each in processes and a database of its own."""
    spent: dict[Path, list[float]] = {ROOT: [], before: []}
    with ExitStack() as stack:
        places = {root: stack.enter_context(place(name, folder / f"{number}")) for number, root in enumerate(spent)}
        for _ in range(3):
            for root, (url, server) in places.items():
                command = [sys.executable, "-W", "ignore", __file__, "--write", url, str(server or 0)]
                env = {**os.environ, "PYTHONPATH": str(root)}
                spent[root].append(
                    float(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)
                )
    return [Ratio(f"{name}: write one of {FEW} / an earlier release", min(spent[ROOT]), min(spent[before]), 1.3)]


def write(url: str, server: int | None) -> float:
    """Return the CPU seconds of a write of one partition of few, by whichever release this process has."""
    from mlops_assets.io_managers import SqlTables

    tables, data, names = SqlTables(url), frame(ROWS * 50), cycle(hours(FEW))
    tables.write_all(["few"], {name: frame(ROWS * 50) for name in hours(FEW)})
    return in_turn({"": lambda: tables.write(["few"], data, next(names))}, server)[""]


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Cost of tables with many partitions in databases, as ratios.")
    parser.add_argument("--partitions", type=int, default=50_000, help="of the large table (default 50,000)")
    parser.add_argument("--only", nargs="+", choices=PLACES, default=PLACES, help="which databases")
    parser.add_argument(
        "--before", type=Path, metavar="FOLDER", help="a checkout of an earlier release to compare with"
    )
    parser.add_argument("--check", action="store_true", help="exit code 1 if a target is missed")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        print(write(arguments.write[0], int(arguments.write[1]) or None))
        return 0
    ratios = []
    print(
        f"| {'milliseconds of CPU':<58} | ours | theirs | ratio | target |\n"
        f"|{'-' * 60}|-----:|-------:|------:|-------:|",
        flush=True,
    )
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            if arguments.before:
                found = against(name, Path(folder), arguments.before.resolve())
            else:
                with place(name, Path(folder) / name) as (url, server):
                    found = reading(url, server, arguments.partitions)
                    found += postgres(url, server, arguments.partitions) if name == "postgres" else []
        for one in found:
            scale = 1 if " ms" in one.name else 1000
            missed = "" if one.met else " missed"
            print(
                f"| {one.name:<58} | {one.ours * scale:.2f} | {one.theirs * scale:.2f} | {one.value:.2f} | "
                f"≤ {one.target:g}{missed} |",
                flush=True,
            )
        ratios += found
    return int(arguments.check and not all(one.met for one in ratios))


if __name__ == "__main__":
    sys.exit(main())
