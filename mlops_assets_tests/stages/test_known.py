"""As it was known: each origin sees what was stored when it was the latest, and learns what came in the end."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.model import features, kinds
from mlops_assets.io_managers import MemoryTables
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.resources.rows import Only, Span
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import backtest
from mlops_assets.stages.known import AsKnown
from mlops_assets.stages.shards import learning
from mlops_assets.stages.shards.history import Histories
from mlops_assets.stages.train import history_of
from mlops_assets_tests.worlds import declare, panel

DAYS = pd.date_range("2024-03-01", "2024-03-24")
REREAD = 3
"""The latest so many days are preliminary: what is known of them is too low, and a shop may be late."""


class Story:
    """A source that revises: what each day's round stored, and what was known after it."""

    def __init__(self, folder: Path, revised: bool = True, **changes: Any) -> None:
        self.graph, self.tables = Graph(declare(folder, **changes)), MemoryTables()
        self.known: dict[pd.Timestamp, pd.DataFrame] = {}
        Meanings(self.tables, "demo").note(self.graph.spec, DAYS[0].tz_localize("UTC"))
        for number, day in enumerate(DAYS):
            days = DAYS[max(0, number - REREAD) : number + 1]
            self.take_in(self.come(days, day if revised else DAYS[-1] + pd.Timedelta(days=9)), days, day)
            stored = self.tables.read(["demo", OBSERVATIONS]).drop(columns="known_at")
            self.known[day] = stored.sort_values(KEY, ignore_index=True)

    def come(self, days: pd.DatetimeIndex, now: pd.Timestamp) -> pd.DataFrame:
        rows = panel(odd_days=False).rename(columns={"shop": "item_id", "day": "timestamp", "sales": "target"})
        rows = rows[rows["timestamp"].isin(days)][[*KEY, "target", "rain"]]
        rows = rows.astype({"timestamp": "datetime64[us]"})
        age = (now - rows["timestamp"]).dt.days
        rows["target"] *= np.where(age < REREAD, 0.5 + age / 10, 1.0)
        return rows[~((rows["item_id"] == "shop 2") & (age == 0))].reset_index(drop=True)

    def take_in(self, rows: pd.DataFrame, days: pd.DatetimeIndex, today: pd.Timestamp) -> None:
        keys = [f"{day:%Y-%m-%d}" for day in days]
        now = today + pd.Timedelta(days=1, hours=6)
        rows = Revisions(self.graph, self.tables).settle(OBSERVATIONS, rows, keys, now).rows
        parts = {key: rows[rows["timestamp"] == key] for key in keys}
        self.tables.write_all(["demo", OBSERVATIONS], parts, **self.graph.observed)

    def as_known(self, only: Only | None = None) -> AsKnown:
        moments, stored = (
            Revisions(self.graph, self.tables).moments(),
            self.tables.read(["demo", OBSERVATIONS], only=only),
        )
        return AsKnown.of(self.graph, self.tables, stored, moments, only)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"), as_known=["target", "rain"])


def test_each_origin_sees_what_was_stored_when_it_was_the_latest(story: Story) -> None:
    known = story.as_known()
    for day in DAYS[[0, 1, 2, 12, 22]]:
        seen = known.at(day)
        pd.testing.assert_frame_equal(seen[seen["timestamp"] <= day], story.known[day], check_dtype=False)
    past = known.until(DAYS[18])
    pd.testing.assert_frame_equal(past.today.reset_index(drop=True), story.known[DAYS[18]], check_dtype=False)
    earlier = past.at(DAYS[12])
    pd.testing.assert_frame_equal(earlier[earlier["timestamp"] <= DAYS[12]], story.known[DAYS[12]], check_dtype=False)


def test_training_rows_are_those_of_the_origins_with_the_targets_that_came(story: Story) -> None:
    task, known = story.graph.spec.task, story.as_known()
    rows = features.training_rows(known.history, task)
    made = known.renewed(rows, task)
    assert len(made) <= len(rows)
    merged = made.merge(rows, on=["item_id", "origin", "lead"], suffixes=("", "_now"))
    assert (merged["target"] == merged["target_now"]).all()
    assert (merged["recent_lag_0"] != merged["recent_lag_0_now"]).mean() > 0.5
    for origin in DAYS[[12, 19]]:
        again = known.renewed(features.training_rows(history_of(story.graph.spec, story.known[origin]), task), task)
        ours = made[made["origin"] == origin].merge(again, on=["item_id", "origin", "lead"], suffixes=("", "_then"))
        names = [name for name in features.feature_columns(made) if name != "lead"]
        for name in [*names, "reference", "scale"]:
            np.testing.assert_allclose(ours[name], ours[f"{name}_then"], rtol=1e-5, atol=1e-5, err_msg=name)


def test_a_shard_sees_what_all_see(story: Story) -> None:
    task, whole = story.graph.spec.task, story.as_known()
    rows = whole.renewed(features.training_rows(whole.history, task), task)
    part = story.as_known(Only(items=Span("shop 1", "shop 2")))
    own = features.training_rows(whole.history, task)
    own = own[own["item_id"].isin(["shop 1", "shop 2"])].reset_index(drop=True)
    expected = rows[rows["item_id"].isin(["shop 1", "shop 2"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.renewed(own, task), expected)


def test_without_revisions_nothing_changes(tmp_path: Path) -> None:
    plain = Story(tmp_path, revised=False, as_known=["target", "rain"])
    task, known = plain.graph.spec.task, plain.as_known()
    rows = features.training_rows(known.history, task)
    assert known.renewed(rows, task) is not rows
    pd.testing.assert_frame_equal(known.renewed(rows, task), rows)


def test_columns_that_are_not_named_are_seen_as_they_are_now(tmp_path: Path) -> None:
    some = Story(tmp_path, as_known=["rain"])
    seen = some.as_known().at(DAYS[12]).sort_values(KEY)
    now = some.tables.read(["demo", OBSERVATIONS]).sort_values(KEY, ignore_index=True)
    now = now[now["timestamp"] <= DAYS[12]]
    assert seen.loc[seen["timestamp"] <= DAYS[12], "target"].tolist() == now["target"].tolist()
    late = seen[(seen["item_id"] == "shop 2") & (seen["timestamp"] == DAYS[12])]
    assert late["rain"].isna().all(), "its row came the day after"


def test_known_covariates_are_what_was_forecast_at_the_origin(tmp_path: Path) -> None:
    made = Story(tmp_path, revised=False, covariates={"known": ["rain"]}, as_known=["rain"])
    keys = [f"{day:%Y-%m-%d}" for day in DAYS[18:]]
    for number, (key, day) in enumerate(zip(keys, DAYS[18:], strict=True)):
        ahead = pd.MultiIndex.from_product([[f"shop {n}" for n in range(4)], day + pd.to_timedelta(range(1, 8), "D")])
        rows = ahead.set_names(KEY).to_frame(index=False).assign(rain=float(number), partition=key)
        for now, come in ((day, rows), (day + pd.Timedelta(days=90), rows.assign(rain=-1.0))):
            kept = Revisions(made.graph, made.tables).settle(FUTURE_COVARIATES, come, [key], now).rows
            made.tables.write(["demo", FUTURE_COVARIATES], kept, key, **made.graph.observed)
    known, task = made.as_known(), made.graph.spec.task
    rows = features.training_rows(known.history, task)
    renewed = known.renewed(rows, task)
    place = (renewed["origin"] - DAYS[18]).dt.days
    assert (renewed.loc[place >= 0, "known_rain"] == place[place >= 0]).all()
    before = (rows["origin"] < DAYS[18]).to_numpy()
    pd.testing.assert_frame_equal(renewed[before], rows[before])


def test_training_and_backtest_see_what_was_known_whatever_the_shards(story: Story) -> None:
    key, task = ["demo", OBSERVATIONS], story.graph.spec.task
    table = StoredTable(story.tables, key, story.tables.partitions(key))
    origins = [DAYS[-1] - pd.Timedelta(days=4)]

    def made(count: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        items = Histories(story.graph, Engine.local(), table, count)
        whole = learning.training_set(story.graph, items, None, task).rows
        (learnt,) = learning.rows_of(items, [learning.Drawing(task, items.last(origins[0]), origins[0])])
        model = backtest.portable(kinds.fit(learnt, task))
        windows = backtest.Windows(task, DAYS[-1], origins, [model], None)
        parts = [one.rows for one in items.each(backtest.forecast, windows) if len(one.rows)]
        return whole, learnt, pd.concat(parts, ignore_index=True)

    whole, learnt, rows = made(1)
    assert (learnt["timestamp"] <= origins[0]).all()
    for frame, other in zip(made(3), (whole, learnt, rows), strict=True):
        pd.testing.assert_frame_equal(frame, other)
    now = story.tables.read(key).merge(rows[rows["model"] == "seasonal_naive"], on=KEY)
    assert (now["target_x"] == now["target_y"]).all(), "scored against what is known now"
    made_of = rows[rows["model"] == "seasonal_naive"].assign(day=lambda rows: rows["timestamp"] - pd.Timedelta(days=7))
    fresh = made_of[(made_of["day"] > origins[0] - pd.Timedelta(days=REREAD)) & (made_of["item_id"] != "shop 2")]
    places = pd.MultiIndex.from_frame(fresh[["item_id", "day"]])
    then, today = story.known[origins[0]], story.tables.read(key)
    assert len(fresh)
    assert fresh["mean"].tolist() == then.set_index(KEY)["target"].reindex(places).tolist(), "from what was known then"
    assert fresh["mean"].tolist() != today.set_index(KEY)["target"].reindex(places).tolist()
