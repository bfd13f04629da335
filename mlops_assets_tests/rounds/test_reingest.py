"""reingest: resumed where it was stopped, whole partitions only, and never fewer rows without being asked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from mlops_assets.commands.main import main
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.lifecycle.meanings import difference
from mlops_assets.rounds import reingest as module
from mlops_assets.rounds.round import first_trainable
from mlops_assets_tests.worlds import SPEC, declare, panel, sandbox

RAIN = {"columns": {**SPEC["columns"], "target": "rain"}, "covariates": {}}
KEY = ["demo", "observations"]


Call = Callable[..., Result]


def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return the command line over a sandbox."""
    monkeypatch.setenv("MLOPS_DATA", str(folder / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(folder / "forecasts"))
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "data" / "dagster"))
    monkeypatch.setenv("MLOPS_NOW", "2024-03-11T06:00:00Z")

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A sandbox in which ten days are ingested."""
    folder = tmp_path_factory.mktemp("ingested")
    sandbox(folder, empty_mlflow)
    declare(folder / "forecasts")
    with pytest.MonkeyPatch.context() as monkeypatch:
        command(folder, monkeypatch)("ingest", "demo", "--partition", "2024-03-01...2024-03-10")
    return folder


@pytest.fixture
def call(ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command line over a copy of it."""
    shutil.copytree(ingested, tmp_path, dirs_exist_ok=True)
    return command(tmp_path, monkeypatch)


@pytest.fixture
def tables(tmp_path) -> ObjectTables:
    return ObjectTables(base=str(tmp_path / "data" / "tables"))


def test_what_was_stopped_goes_on_where_it_was(
    call: Any, tables: ObjectTables, tmp_path: Any, monkeypatch: Any
) -> None:
    declare(tmp_path / "forecasts", **RAIN)
    monkeypatch.setattr(module, "AT_ONCE", 4)
    real, asked = module.ingest, []

    def dying(run: Any, spec: Any, first: str, last: str, allow_shrink: bool, command: str) -> None:
        asked.append((first, last))
        assert command == "reingest demo"
        if len(asked) == 2:
            raise KeyboardInterrupt
        real(run, spec, first, last, allow_shrink, command)

    monkeypatch.setattr(module, "ingest", dying)
    call("reingest", "demo", code=1)
    done = tables.read(KEY, ["2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04"])
    assert done["target"].max() <= 1
    assert tables.read(KEY, ["2024-03-05"])["target"].min() > 1
    result = call("reingest", "demo")
    assert asked[2:] == [("2024-03-05", "2024-03-08"), ("2024-03-09", "2024-03-10")]
    assert "2024-03-09 to 2024-03-10, 6 of 6 partitions" in result.output
    assert "6 partitions of demo were ingested anew, 4 left as they were" in result.output
    rain = panel().query("day <= '2024-03-10'")["rain"]
    assert tables.read(KEY)["target"].sum() == pytest.approx(rain.sum())


def test_partitions_that_become_history_move_into_the_first(call: Any, tables: ObjectTables, tmp_path: Any) -> None:
    def rows() -> pd.DataFrame:
        found = tables.read(KEY)[["item_id", "timestamp", "target"]]
        return found.sort_values(["timestamp", "item_id"], ignore_index=True)

    before = rows()
    parts = {**SPEC["partitions"], "start": "2024-03-08", "history_from": "2024-03-01"}
    spec = declare(tmp_path / "forecasts", partitions=parts)
    assert "partitions.history_from: not set → 2024-03-01 to 2024-03-08" in difference(tables, spec)
    assert "3 partitions of demo were ingested anew" in call("reingest", "demo").output
    assert tables.partitions(KEY) == ["2024-03-08", "2024-03-09", "2024-03-10"]
    assert tables.row_counts(KEY, ["2024-03-08"]) == {"2024-03-08": 8 * 4}
    pd.testing.assert_frame_equal(rows(), before)
    assert "0 partitions of demo were ingested anew" in call("reingest", "demo").output


def test_from_a_partition_on_all_are_read_again(call: Any, tables: ObjectTables, tmp_path: Any) -> None:
    more = panel()
    more.loc[more["day"] >= "2024-03-09", "sales"] += 1000
    declare(tmp_path / "forecasts", more)
    assert "0 partitions of demo were ingested anew" in call("reingest", "demo").output
    assert "2 partitions of demo were ingested anew" in call("reingest", "demo", "--from", "2024-03-09").output
    stored = tables.read(KEY)
    assert (stored["target"] > 1000).sum() == 8
    assert "no partition '2024-04-01'" in call("reingest", "demo", "--from", "2024-04-01", code=2).output


def test_a_source_that_has_lost_rows_takes_none_away_unless_asked(
    call: Any, tables: ObjectTables, tmp_path: Any
) -> None:
    late = panel().query("day >= '2024-03-06'").rename(columns={"sales": "units"})
    declare(tmp_path / "forecasts", late, columns={**SPEC["columns"], "target": "units"})
    stays = call("reingest", "demo", code=1)
    assert "5 partitions (2024-03-01 to 2024-03-05) stay as they are, of another spec" in stays.stderr
    assert len(tables.read(KEY)) == 40
    kept = call("reingest", "demo", "--keep")
    assert "5 partitions of demo keep their rows" in kept.output
    assert len(tables.read(KEY)) == 40
    assert "columns.target" not in call("status", "demo").output
    assert "0 partitions of demo were ingested anew" in call("reingest", "demo").output


def test_a_range_from_the_first_partition_is_trained_on_enough(call: Any, tables: ObjectTables, tmp_path: Any) -> None:
    spec = declare(tmp_path / "forecasts")
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-03-01", "2024-05-01")]
    # 5 to learn from and a season, one step of the windows, the horizon
    assert first_trainable(spec, tables, days) == "2024-03-27"
    assert first_trainable(spec, tables, days[-3:]) == days[-3]
    assert first_trainable(spec, tables, days[:2]) == days[1]
