"""A live forecast whose spec is changed: it delivers, or stops before training and names the command that mends it."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from mlops_assets.commands.main import main
from mlops_assets.io_managers import ObjectTables, SqlTables, Tables
from mlops_assets_tests.worlds import sandbox

DAYS = pd.date_range("2024-03-01", periods=40)
SPEC: dict[str, Any] = {
    "name": "demo",
    "source": {"kind": "file", "path": "sales.csv"},
    "columns": {"item_id": "shop", "timestamp": "day", "target": "sales"},
    "frequency": "D",
    "partitions": {"kind": "daily", "start": "2024-03-01"},
    "horizon": 3,
    "model": {"parameters": {"n_estimators": 20, "n_jobs": 1}, "max_training_rows": 500},
    "backtest": {"windows": 1},
}
PLACES = ("files", "sql")


def sales() -> pd.DataFrame:
    """Three shops over forty days: a weekly season with odd days, revenue that is no multiple, covariates."""
    rng = np.random.default_rng(1)
    frames = []
    for number in range(3):
        level = 20.0 * (number + 1) * np.array([1, 1.1, 1.2, 1.1, 1.3, 0.6, 0.5])[DAYS.dayofweek]
        sold = (level * (1 + 0.25 * rng.standard_normal(len(DAYS)))).clip(1).round(2)  # naive repeats the noise
        frames.append(
            pd.DataFrame(
                {
                    "day": DAYS,
                    "shop": f"shop {number}",
                    "sales": sold,
                    "units": sold,
                    "revenue": (sold * 7 + rng.random(len(DAYS))).round(2),
                    "promo": rng.integers(0, 2, len(DAYS)),
                    "region": "north" if number else "south",
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


class Live:
    """A forecast that has run, in a folder of its own."""

    def __init__(self, folder: Path, place: str) -> None:
        self.folder, self.place, self.now = folder, place, "2024-04-10T06:00:00Z"

    @property
    def environment(self) -> dict[str, str]:
        """What the commands are told."""
        data = self.folder / "data"
        return {
            "MLOPS_DATA": str(data),
            "MLOPS_FORECASTS": str(self.folder / "forecasts"),
            "DAGSTER_HOME": str(data / "dagster"),
            "MLOPS_NOW": self.now,
            "MLOPS_TABLES": self.place,
            "MLOPS_DATABASE_URL": f"sqlite:///{data}/tables.db",
        }

    @property
    def tables(self) -> Tables:
        """The tables of the forecast."""
        if self.place == "sql":
            return SqlTables(self.environment["MLOPS_DATABASE_URL"])
        return ObjectTables(str(self.folder / "data" / "tables"))

    def declare(self, **changed: Any) -> None:
        """Write the spec with other fields."""
        (self.folder / "forecasts").mkdir(parents=True, exist_ok=True)
        sales().to_csv(self.folder / "forecasts" / "sales.csv", index=False)
        sales().to_csv(self.folder / "forecasts" / "moved.csv", index=False)
        (self.folder / "forecasts" / "demo.yaml").write_text(yaml.safe_dump({**SPEC, **changed}))

    def call(self, *arguments: str) -> Result:
        """Run a command."""
        return CliRunner(env=self.environment).invoke(main, list(arguments), catch_exceptions=False)

    def read(self, name: str, partitions: list[str] | None = None) -> pd.DataFrame:
        """Read a table of the forecast."""
        return self.tables.read(["demo", name], partitions=partitions)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> dict[str, Live]:
    """A forecast with forty partitions and a forecast, on each place; made when it is asked for."""
    made: dict[str, Live] = {}

    class Made(dict[str, Live]):
        def __missing__(self, place: str) -> Live:
            folder = tmp_path_factory.mktemp(place)
            sandbox(folder, empty_mlflow)
            live = Live(folder, place)
            live.declare()
            result = live.call("run", "demo", "--partition", "2024-04-08...2024-04-09")
            assert result.exit_code == 0, result.output
            self[place] = live
            return live

    return Made(made)


@pytest.fixture
def live(request: pytest.FixtureRequest, templates: dict[str, Live], tmp_path: Path) -> Live:
    """A copy of the forecast that a test may change."""
    place = getattr(request, "param", "files")
    shutil.copytree(templates[place].folder, tmp_path / place)
    return Live(tmp_path / place, place)


def forecasts_of(live: Live, key: str = "2024-04-09") -> pd.DataFrame:
    return live.read("forecasts", [key])


@pytest.mark.parametrize("live", PLACES, indirect=True)
def test_other_quantiles_and_a_longer_horizon_are_trained_and_delivered(live: Live) -> None:
    live.declare(quantiles=[0.05, 0.5, 0.95], horizon=5)
    result = live.call("run", "demo")
    assert result.exit_code == 0, result.output
    latest = forecasts_of(live)
    assert sorted(latest["lead"].unique()) == [1, 2, 3, 4, 5]
    assert latest[["q5", "q50", "q95"]].notna().all(axis=None)
    both = live.read("forecasts")
    before = both[both["origin"] == "2024-04-08"]
    assert before["q10"].notna().all()
    assert before["q5"].isna().all()
    scored = live.read("forecast_accuracy", ["2024-04-09"])
    assert scored[["q5", "q50", "q95"]].notna().sum().tolist() == [0, 3, 0]  # the median is all that is in common
    scores = live.read("accuracy_scores", ["2024-04-09"]).query("scope == 'all'").iloc[-1]
    assert scores["rows"] == 3
    error = (scored["q50"] - scored["target"]).abs()
    assert scores["wql"] == pytest.approx(error.sum() / scored["target"].sum())
    for command in (("replay-policy", "demo"), ("report", "demo", "--output", str(live.folder / "report.html"))):
        assert live.call(*command).exit_code == 0, command
    live.declare(quantiles=[0.05, 0.5, 0.95], horizon=2)
    assert live.call("run", "demo").exit_code == 0
    assert sorted(forecasts_of(live)["lead"].unique()) == [1, 2]


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "target": ({"columns": {**SPEC["columns"], "target": "revenue"}}, "columns.target: sales → revenue"),
    "covariates": (
        {"covariates": {"known": ["promo"], "static": ["region"]}},
        "covariates.known: not set → promo; covariates.static: not set → region",
    ),
    "a renamed column": ({"columns": {**SPEC["columns"], "target": "units"}}, "columns.target: sales → units"),
    "frequency": ({"frequency": "h"}, "frequency: D → h"),
    "zone": ({"time_zone": "Europe/Berlin"}, "time_zone: UTC → Europe/Berlin"),
    "source": ({"source": {"kind": "file", "path": "moved.csv"}}, "source.path: sales.csv → moved.csv"),
    "kind": ({"partitions": {"kind": "weekly", "start": "2024-03-01"}}, "partitions.kind: daily → weekly"),
}
CASES = [(place, name) for name in CHANGES for place in (PLACES if name in ("covariates", "kind") else PLACES[:1])]


@pytest.mark.parametrize(("live", "name"), CASES, indirect=["live"])
def test_a_change_of_the_rows_stops_before_training_and_is_carried_out_by_the_command_that_is_named(
    live: Live, name: str
) -> None:
    changed, words = CHANGES[name]
    live.declare(**changed)
    decided = live.read("decisions")
    stopped = live.call("run", "demo")
    assert stopped.exit_code == 1
    assert "40 of 40 stored partitions of observations (2024-03-01 to 2024-04-09) were ingested under" in stopped.stderr
    assert f" another spec ({words})" in stopped.stderr
    assert "  try: mlops-assets reingest demo\n" in stopped.stderr
    assert words in live.call("check").stdout
    status = live.call("status", "demo").stdout
    assert words in " ".join(status.split())
    assert "version 1 (random_forest) since" in status
    assert "cannot be read" not in status
    assert live.read("decisions").equals(decided)
    done = live.call("reingest", "demo")
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("next: mlops-assets run demo\n")
    assert "0 partitions of demo were ingested anew" in live.call("reingest", "demo").stdout
    run = live.call("run", "demo")
    assert run.exit_code == 0, run.output
    source = sales()
    ended = "2024-04-06" if name == "kind" else "2024-04-09"
    expected = source[source["day"] <= ended]
    expected = expected[expected["day"] >= ("2024-03-03" if name == "kind" else "2024-03-01")]
    stored = live.read("observations")
    assert len(stored) == len(expected)
    assert stored["target"].sum() == pytest.approx(expected["revenue" if name == "target" else "sales"].sum())
    if name == "covariates":
        assert stored["promo"].sum() == expected["promo"].sum()
    latest = live.tables.partitions(["demo", "forecasts"])[-1]
    assert latest == ("2024-03-31" if name == "kind" else "2024-04-09")
    made = forecasts_of(live, latest)
    assert len(made) == 9
    assert (made["source"] == "champion").all() or name == "frequency"  # hours of days are hard to forecast
    if name == "frequency":
        assert (
            "version 1, the champion, cannot be compared: it has learnt from other"
            in live.read("decisions")["rules"].iloc[-1]
        )


def test_a_champion_whose_files_are_lost_is_told_and_another_trained(tmp_path: Path, empty_mlflow: Path) -> None:
    sandbox(tmp_path, empty_mlflow)  # of its own: a copied one has its artifacts in the original
    live = Live(tmp_path, "files")
    live.declare()
    live.now = "2024-04-09T06:00:00Z"
    assert live.call("run", "demo").exit_code == 0
    assert set(forecasts_of(live, "2024-04-08")["delivered_because"]) == {"champion"}
    shutil.rmtree(live.folder / "data" / "models")
    shutil.rmtree(live.folder / "data" / "mlflow" / "artifacts")
    live.now = "2024-04-10T06:00:00Z"
    assert live.call("run", "demo").exit_code == 0
    assert set(forecasts_of(live)["delivered_because"]) == {"unloadable"}
    status = " ".join(live.call("status", "demo").stdout.split())
    assert "version 1 could not make the latest forecasts: mlops-assets run demo trains a new one" in status
    assert live.call("run", "demo").exit_code == 0
    trained = live.read("model_version")["version"].item()
    assert trained == 2
