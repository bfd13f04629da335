"""The past is asked for by moment, in Python and on the command line, and said where it cannot be."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import mlops_assets
from mlops_assets.analysis.opened import open_forecast
from mlops_assets.analysis.revisions import RevisionsError
from mlops_assets.catalog.graph import Graph
from mlops_assets.commands.main import main
from mlops_assets.environments import open_stores
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.worlds import DAYS, declare, panel

KEYS = [f"{day:%Y-%m-%d}" for day in DAYS[:40]]
FIRST, SECOND = pd.Timestamp("2024-04-10 06:00"), pd.Timestamp("2024-04-12 06:00")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("revised")
    declare(folder / "forecasts")
    return Settings.read({"MLOPS_DATA": str(folder / "data"), "MLOPS_FORECASTS": str(folder / "forecasts")})


@pytest.fixture(scope="module")
def spec(settings: Settings) -> ForecastSpec:
    """Forty days that were stored at once; two days later one shop was corrected by half."""
    spec = mlops_assets.load_spec("demo", settings)
    rows = panel().rename(columns={"shop": "item_id", "day": "timestamp", "sales": "target"})
    rows = rows[rows["timestamp"].isin(DAYS[:40])][["item_id", "timestamp", "target", "rain"]]
    rows = rows.astype({"timestamp": "datetime64[us]"})
    other = rows.assign(target=rows["target"].where(rows["item_id"] != "shop 1", rows["target"] * 1.5))
    with open_stores(settings) as stores:
        Meanings(stores.tables, "demo").note(spec, FIRST.tz_localize("UTC"))
        for now, come in ((FIRST, rows), (SECOND, other)):
            kept = Revisions(Graph(spec), stores.tables).settle("observations", come, KEYS, now).rows
            parts = {key: kept[kept["timestamp"] == key] for key in KEYS}
            stores.tables.write_all(["demo", "observations"], parts, **Graph(spec).observed)
    return spec


def test_observations_are_read_as_they_were_known(spec: ForecastSpec, settings: Settings) -> None:
    now = mlops_assets.observations(spec, settings=settings)
    then = mlops_assets.observations("demo", as_of="2024-04-11T12:00", settings=settings)
    both = now.merge(then, on=["item_id", "timestamp"])
    corrected = both["item_id"] == "shop 1"
    assert (both["target_x"] == both["target_y"] * corrected.map({True: 1.5, False: 1.0})).all()
    with pytest.raises(RevisionsError, match="by 2024-04-09 22:00 UTC, the first rows were at 2024-04-10 06:00;"):
        mlops_assets.observations(spec, as_of="2024-04-10T00:00+02:00", settings=settings)
    with pytest.raises(RevisionsError, match="'2199-01-01': that moment is still to come, it is 2"):
        mlops_assets.observations(spec, as_of="2199-01-01", settings=settings)
    with pytest.raises(RevisionsError, match="'soon': not a moment"):
        mlops_assets.observations(spec, as_of="soon", settings=settings)


def test_a_forecast_as_of_a_moment_rests_on_what_was_stored_then(spec: ForecastSpec, settings: Settings) -> None:
    opened = open_forecast(spec, settings, "2024-04-05", "2024-04-11")
    assert opened.origin == pd.Timestamp("2024-04-05")
    then = mlops_assets.observations(spec, as_of="2024-04-11", settings=settings)
    expected = then[then["timestamp"] <= opened.origin]["target"]
    assert opened.history["target"].tolist() == expected.tolist()


def test_a_backtest_as_of_a_moment_says_that_it_does_not_heed_as_known(spec: ForecastSpec, settings: Settings) -> None:
    plain = spec.model.model_copy(update={"kind": "seasonal_naive", "parameters": {}})
    for names, told in (((), False), (("target",), True)):
        asked = spec.model_copy(update={"model": plain, "as_known": names})
        remarks = mlops_assets.evaluate(asked, as_of="2024-04-11", settings=settings).remarks
        assert any("as_known is not heeded with --as-of" in one for one in remarks) == told


def test_the_command_says_how_much_is_revised(
    spec: ForecastSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DATA", str(settings.data_folder))
    monkeypatch.setenv("MLOPS_FORECASTS", str(settings.forecasts))

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["revisions", *arguments], catch_exceptions=False)

    said = json.loads(call("demo", "--json").stdout)
    assert (said["values"], said["median_change"], said["went_away"]) == (160, 0.5, 0)
    assert said["revised_after_days"] == {"0": 0.25, "1": 0.25, "7": 0.0, "30": 0.0}
    assert len(said["rows"]) == 80
    told = call("demo", "--item", "shop 1", "--limit", "2").stdout
    assert "100.0% of 40 values were revised after they were first stored, by 50.0% in the median" in told
    assert call("demo", "--item", "shop 9").exit_code == 2
    assert call("other").exit_code != 0


def test_nothing_stored_is_said_with_what_to_do(tmp_path: Path) -> None:
    spec = declare(tmp_path)
    with pytest.raises(RevisionsError, match="no observations are stored") as refused:
        mlops_assets.observations(spec, settings=Settings.read({"MLOPS_DATA": str(tmp_path / "data")}))
    assert refused.value.advice == ("mlops-assets ingest demo",)
