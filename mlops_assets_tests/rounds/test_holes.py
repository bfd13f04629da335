"""Rounds before the data have come, after days without a round, and of a source that falls silent."""

from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.environments import open_stores
from mlops_assets.errors import NotYetError
from mlops_assets.rounds.round import resolve_partitions, run_round
from mlops_assets_tests.worlds import SPEC, declare, panel, sandbox

START = {"start": "2024-04-01", "end": "2024-06-30"}


class Desk:
    """Somebody who calls `run` now and then."""

    def __init__(self, folder: Any, mlflow: Any, **changes: Any) -> None:
        self.folder, self.changes = folder / "forecasts", {"partitions": START, "covariates": None, **changes}
        self.settings = sandbox(folder, mlflow, "local")
        self.instance = dg.DagsterInstance.ephemeral()

    def run(self, now: str, data: pd.DataFrame) -> list[str]:
        """Call `run` at a moment, with what the source holds then; returns what it warned of."""
        spec = declare(self.folder, data.drop(columns="rain"), **self.changes)
        settings, warned = self.settings.model_copy(update={"now": now}), []
        keys = resolve_partitions(spec, None, settings)
        news = lambda step: warned.append(step.message) if step.state == "warning" else None  # noqa: E731
        self.outcome = run_round(spec, keys, settings, self.instance, False, news, catch_up=True)
        return warned

    def table(self, name: str) -> pd.DataFrame:
        with open_stores(self.settings) as stores:
            return stores.tables.read(["demo", name])

    def origins(self) -> list[str]:
        with open_stores(self.settings) as stores:
            return stores.tables.partitions(["demo", "forecasts"])


def until(day: str) -> pd.DataFrame:
    return panel().query("'2024-04-01' <= day <= @day")


@pytest.fixture
def desk(tmp_path, empty_mlflow) -> Desk:
    return Desk(tmp_path, empty_mlflow)


def test_a_late_day_is_filled_in_and_rounds_that_were_missed_are_made_up_for(desk):
    desk.run("2024-05-11T06:00Z", until("2024-05-09"))
    first = desk.table("forecasts")
    assert desk.origins() == ["2024-05-10"]
    assert (desk.outcome.rows, desk.outcome.decision, desk.outcome.score) == (28, "promoted", None)
    with pytest.raises(NotYetError, match="no rows of 2024-05-10 yet"):
        desk.outcome.require_all()
    assert desk.outcome.advice == ["mlops-assets run demo --partition 2024-05-10"]
    late = "2024-05-11"
    whole = until("2024-05-13")
    desk.run("2024-05-14T06:00Z", whole[whole["day"] != late])
    assert desk.origins() == ["2024-05-10", late, "2024-05-12", "2024-05-13"]
    desk.run("2024-05-15T06:00Z", until("2024-05-14"))
    desk.outcome.require_all()
    assert (desk.outcome.decision, desk.outcome.delivered_because, desk.outcome.version) == (None, "champion", 1)
    assert desk.outcome.to_json()["score"]["rows"] == 4 * 4, "four items, each from four origins"
    observed = desk.table("observations").groupby("timestamp").size()
    assert observed.eq(4).all()
    assert len(observed) == 44, "from 1 April to 14 May, those that came late among them"
    forecasts = desk.table("forecasts")
    pd.testing.assert_frame_equal(forecasts[forecasts["origin"] == "2024-05-10"], first)
    assert (forecasts.groupby("origin").size() == 4 * SPEC["horizon"]).all()
    scored = desk.table("forecast_accuracy")
    leads = scored.groupby("timestamp")["lead"].agg(lambda found: sorted(set(found)))
    assert leads.to_dict() == {pd.Timestamp(2024, 5, day): list(range(1, day - 9)) for day in range(11, 15)}
    assert str(scored["lead"].dtype) == "int32"


def test_a_source_that_is_silent_for_weeks_and_comes_back(tmp_path, empty_mlflow):
    desk = Desk(tmp_path, empty_mlflow, partitions=SPEC["partitions"])
    data = panel()
    desk.run("2024-05-01T06:00Z", data[data["day"] <= "2024-04-30"])
    said = desk.run("2024-05-27T06:00Z", data[data["day"] <= "2024-04-30"])
    assert any("2024-05-26" in words for words in said)
    desk.run("2024-05-28T06:00Z", data[data["day"] <= "2024-05-27"])
    observed = desk.table("observations").groupby("timestamp").size()
    assert observed.eq(4).all()
    assert len(observed) == 88, "each day from 1 March to 27 May"
    assert desk.origins()[-1] == "2024-05-27"
