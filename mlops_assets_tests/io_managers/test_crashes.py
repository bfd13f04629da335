"""Writers that are killed, run out of disk, or meet another one: what is there is always one whole version.

By default a sample of the kills; all of them with MLOPS_TEST_STORAGE=all.
"""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.io_managers import Models, ObjectModels, ObjectTables, SqlTables, Tables
from mlops_assets_tests.io_managers.conftest import Places
from mlops_assets_tests.io_managers.doomed import STALE, Doomed, content, whole
from mlops_assets_tests.io_managers.servers import fresh_name

ALL = os.environ.get("MLOPS_TEST_STORAGE") == "all"
TABLES = ["files", "s3", "azure", "sqlite", "duckdb", "postgres", "mariadb"]
IN_ONE_TRANSACTION = {"sqlite", "duckdb", "postgres", "mariadb"}
STRIDES = {"files": 7, "s3": 9, "azure": 9, "sqlite": 9, "duckdb": 29, "postgres": 15, "mariadb": 23}
"""By default every so many-th line of the code that writes; all of them otherwise."""
MODELS = ["files", "s3", "azure"]

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def doomed() -> Iterator[Doomed]:
    process = Doomed()
    yield process
    process.close()


def last_of(log: Path) -> int:
    """Return the last version whose write came back, 0 before the first."""
    return int(log.read_text().split()[-1]) if log.exists() and log.read_text() else 0


def versions(tables: Tables, key: list[str], place: str) -> set[int]:
    """Read every partition, and the table at once where that is one transaction, and return the versions."""
    found = {name: whole(tables.read(key, [name]), name) for name in tables.partitions(key)}
    if place in IN_ONE_TRANSACTION and found:
        both = tables.read(key)
        assert both["n"].nunique() == 1, "two partitions of one write are of different versions"
        assert len(both) == sum(len(content(int(both["n"].iloc[0]), name)) for name in found)
    return set(found.values())


def check_model(models: Models, key: list[str]) -> int:
    state = models.load(key)
    assert state["text"] == "x" * state["n"]
    return state["n"]


@pytest.mark.parametrize("place", TABLES)
def test_killed_at_every_step_of_a_write(doomed: Doomed, places: Places, place: str, tmp_path: Path):
    tables, key, log = places.tables(place), [fresh_name(), "t"], tmp_path / "log"
    order = {"address": places.address(place), "key": key, "log": str(log), "count": 1}
    assert doomed.wait(doomed.start(**order, first=1)) == 0, log.with_suffix(".error").read_text()
    step, number, kills, found = 1, 2, 0, {1}
    stride = 1 if ALL else STRIDES[place]
    while doomed.wait(doomed.start(**order, first=number, die_at=step)) != 0:
        kills, before, found = kills + 1, found, versions(tables, key, place)
        assert found, "the table is gone"
        assert found <= {*before, number}
        number, step = number + 1, step + stride
    assert kills >= 5
    assert versions(tables, key, place) == {number}
    left = list(places.folder.rglob(".writing-*"))
    assert len(left) <= 2, "left-over temporary files are not swept"


@pytest.mark.parametrize("place", TABLES)
def test_killed_at_random_times_while_others_read(doomed: Doomed, places: Places, place: str, tmp_path: Path):
    chance = random.Random(place)
    tables, key, log = places.tables(place), [fresh_name(), "t"], tmp_path / "log"
    order = {"address": places.address(place), "key": key, "log": str(log), "count": 10**6}
    found: set[int] = set()
    for kills_left in reversed(range(100 if ALL else 3)):
        before, first = found, max(found, default=0) + 2
        pid = doomed.start(**order, first=first)
        end = time.monotonic() + chance.uniform(0.05, 0.6 if place != "duckdb" else 1.5)
        # However slow the machine is, the last writer gets to write.
        while time.monotonic() < end or (not kills_left and last_of(log) < first):
            seen = versions(tables, key, place)
            assert min(seen, default=0) >= min(before, default=0), "an older version came back"
            time.sleep(0.02)
        doomed.kill(pid)
        done, found = last_of(log), versions(tables, key, place)
        # A server may still finish what a killed client had asked for: at the latest by the next round.
        late = {max(before, default=0) + 1}
        assert found <= ({done, done + 1} if done >= first else {*before, *late, first})
    assert found, "nothing was ever written"


@pytest.mark.parametrize("place", MODELS)
def test_a_model_is_whole_after_a_kill_at_every_step(doomed: Doomed, places: Places, place: str, tmp_path: Path):
    models, key, log, step, died = places.models(place), ["none"], tmp_path / "log", 1, True
    assert isinstance(models, ObjectModels)
    while died:  # each time another model: what the dead leave behind is looked at by who writes next, line by line
        key = [fresh_name(), "m"]
        models.replace(key, {"n": 1, "text": "x"}, {}, 1)
        order = {"address": places.address(place), "key": key, "log": str(log), "count": 1, "models": True}
        died = doomed.wait(doomed.start(**order, first=2, die_at=step)) != 0
        assert not log.with_suffix(".error").exists(), log.with_suffix(".error").read_text()
        assert check_model(models, key) in ((1, 2) if died else (2,))
        models.replace(key, {"n": 3, "text": "xxx"}, {}, 3)
        assert check_model(models, key) == 3
        step += 1 if ALL else 13
    stored = [name for name in models._files.files("/".join(key)) if name.endswith(".skops")]
    assert len(stored) == 1, "files of replaced models are not removed"
    assert step > 60


@pytest.mark.parametrize("place", TABLES)
def test_of_two_writers_at_once_the_later_wins(doomed: Doomed, places: Places, place: str, tmp_path: Path):
    tables = places.tables(place)
    for attempt in range(20 if ALL else 2):
        key, gate = [fresh_name(), "t"], tmp_path / f"go{attempt}"
        order = {"address": places.address(place), "key": key, "count": 1, "wait_for": str(gate)}
        older = doomed.start(**order, first=1, claim=1_000, log=str(tmp_path / "older"))
        newer = doomed.start(**order, first=2, claim=2_000, log=str(tmp_path / "newer"))
        time.sleep(0.1)
        gate.touch()
        errors = [p for p in (tmp_path / "older.error", tmp_path / "newer.error") if p.exists()]
        assert doomed.wait(older) in (0, STALE), [p.read_text() for p in errors]
        assert doomed.wait(newer) == 0, (tmp_path / "newer.error").read_text()
        assert versions(tables, key, place) == {2}


@pytest.mark.parametrize("place", ["files", "sqlite", "duckdb"])
def test_a_full_disk_keeps_the_old_version(place: str, tmp_path: Path):
    import numpy as np
    import pandas as pd

    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk takes root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(disk)], check=True)
    try:
        urls = {"sqlite": f"sqlite:///{disk}/t.db", "duckdb": f"duckdb:///{disk}/t.duckdb"}
        tables: Any = ObjectTables(str(disk)) if place == "files" else SqlTables(urls[place])
        small = pd.DataFrame({"n": range(1000)})
        noise = np.random.default_rng(0).integers(0, 2**62, 3_000_000)
        tables.write(["t"], small, "x")
        with pytest.raises(Exception, match=r"(?i)space|full|disk"):
            tables.write(["t"], pd.DataFrame({"n": noise}), "x")
        pd.testing.assert_frame_equal(tables.read(["t"]), small)
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        tables.write(["t"], small.assign(n=7), "x")
        assert set(tables.read(["t"])["n"]) == {7}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
