"""Observations of another spec: found beside each partition, on every store, also where release 0.1.0 said nothing."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.catalog.meaning import meaning_of, to_text
from mlops_assets.io_managers import MemoryTables, ObjectTables, SqlTables, Tables
from mlops_assets.lifecycle.meanings import (
    ChangedSpecError,
    Meanings,
    changed_since_training,
    outdated,
    require_present,
)
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.registry import Version
from mlops_assets_tests.worlds import SPEC, World, declare

KEY = ["demo", "observations"]
DAYS = ["2024-03-01", "2024-03-02", "2024-03-03"]
REVENUE = {"columns": {**SPEC["columns"], "target": "rain"}, "covariates": {}}
NOW = datetime(2024, 3, 4, 6, tzinfo=timezone.utc)


@pytest.fixture(params=["files", "sql", "memory"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    made: dict[str, Callable[[], Tables]] = {
        "files": lambda: ObjectTables(str(tmp_path / "tables")),
        "sql": lambda: SqlTables(f"sqlite:///{tmp_path}/tables.db"),
        "memory": MemoryTables,
    }
    return made[request.param]()


@pytest.fixture
def old(tmp_path: Path) -> ForecastSpec:
    return declare(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> ForecastSpec:
    return declare(tmp_path / "new", **REVENUE)


def rows(day: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"item_id": ["a"], "timestamp": pd.to_datetime([day]).astype("datetime64[us]"), "target": [1.0]}
    )


def store(tables: Tables, spec: ForecastSpec | None, *days: str) -> None:
    told: dict[str, Any] = {"meaning": to_text(meaning_of(spec))} if spec is not None else {}
    for day in days:
        tables.write(KEY, rows(day), day, **told)


def test_each_partition_says_what_it_means_and_a_difference_is_named(tables: Tables, old: Any, new: Any) -> None:
    store(tables, old, *DAYS)
    store(tables, new, DAYS[2])
    assert outdated(tables, new).keys() == {DAYS[0], DAYS[1]}
    require_present(tables, new, DAYS[2:])
    with pytest.raises(ChangedSpecError) as refused:
        require_present(tables, new)
    assert refused.value.message == (
        "demo: 2 of 3 stored partitions of observations (2024-03-01 to 2024-03-02) were ingested under another spec "
        "(columns.target: sales → rain); before they are ingested anew, nothing is trained or forecast with them"
    )
    assert refused.value.advice == ("mlops-assets reingest demo",)
    assert outdated(tables, old).keys() == {DAYS[2]}  # undoing the edit is a way back


def test_what_says_nothing_is_taken_for_the_first_meaning_that_was_noted(tables: Tables, old: Any, new: Any) -> None:
    store(tables, None, *DAYS)
    require_present(tables, new)
    meanings = Meanings(tables, "demo")
    meanings.note(old, NOW)
    meanings.note(old, NOW)
    assert outdated(tables, new).keys() == set(DAYS)
    meanings.note(new, NOW)
    log = tables.read(["demo", "meanings"])
    assert log["number"].tolist() == [1, 2]
    assert log["changes"].tolist() == ["", "columns.target: sales → rain"]


def test_where_the_spec_has_never_changed_no_partition_is_asked(
    tables: Tables, old: Any, new: Any, monkeypatch
) -> None:
    Meanings(tables, "demo").note(old, NOW)
    store(tables, old, *DAYS)
    asked = []
    own = type(tables).meanings
    monkeypatch.setattr(type(tables), "meanings", lambda self, *rest: asked.append(rest) or own(self, *rest))
    assert outdated(tables, old) == {}
    assert asked == []
    assert list(outdated(tables, new)) == DAYS
    Meanings(tables, "demo").note(new, NOW)
    store(tables, new, DAYS[1])
    assert list(outdated(tables, new)) == [DAYS[0], DAYS[2]]
    assert len(asked) == 2


def test_a_log_that_was_lost_is_made_anew_of_what_the_partitions_say(tables: Tables, old: Any, new: Any) -> None:
    Meanings(tables, "demo").note(old, NOW)
    store(tables, old, *DAYS)
    tables.delete(["demo", "meanings"])
    Meanings(tables, "demo").note(new, NOW)
    store(tables, new, DAYS[1])
    assert list(outdated(tables, new)) == [DAYS[0], DAYS[2]]
    assert [meaning for _, meaning in Meanings(tables, "demo").all()] == [meaning_of(old), meaning_of(new)]


def test_keys_of_another_kind_are_known_though_they_say_nothing(tables: Tables, tmp_path: Path) -> None:
    store(tables, None, *DAYS)
    weekly = declare(tmp_path / "weekly", partitions={"kind": "weekly", "start": "2024-03-01"})
    assert outdated(tables, weekly).keys() == {DAYS[0], DAYS[1]}  # the third is a Sunday, and begins a week


def test_partitions_outside_of_the_spec_are_not_looked_at(tables: Tables, old: Any, tmp_path: Path) -> None:
    store(tables, old, *DAYS)
    later = declare(tmp_path / "later", **REVENUE, partitions={"kind": "daily", "start": "2024-03-03"})
    assert outdated(tables, later).keys() == {DAYS[2]}


def test_only_forecasts_of_the_present_meaning_are_scored(old: Any, new: Any) -> None:
    tables = MemoryTables()
    made = pd.DataFrame({"created_at": pd.to_datetime(["2024-03-01", "2024-03-03", "2024-03-05"])})
    meanings = Meanings(tables, "demo")
    assert meanings.scorable(made, old).index.tolist() == [0, 1, 2]
    for spec, day in ((old, 1), (new, 3), (old, 5)):
        meanings.note(spec, NOW.replace(day=day, hour=0))
    assert meanings.scorable(made, old).index.tolist() == [0, 2]
    assert meanings.scorable(made, new).index.tolist() == [1]


def test_a_version_says_what_it_has_learnt_from(old: Any, new: Any, tmp_path: Path) -> None:
    tables = MemoryTables()
    tags = {"meaning": to_text(meaning_of(old)), "spec_hash": old.fingerprint()}
    version = Version("demo", 3, "run", tags)
    assert changed_since_training(tables, old, version) == ""
    words = changed_since_training(tables, new, version)
    assert words == "the spec has changed since version 3 (columns.target: sales → rain)"
    longer = declare(tmp_path / "longer", horizon=9)
    assert changed_since_training(tables, longer, version) == "the spec has changed since version 3"
    weekly = declare(tmp_path / "weekly", partitions={"kind": "weekly", "start": "2024-03-01"})
    assert changed_since_training(tables, weekly, version) == ""  # the same rows, cut otherwise


def test_dagster_refuses_to_train_on_a_mixture_and_a_backfill_of_observations_alone_mends_it(
    world: Callable[..., World], tmp_path: Path
) -> None:
    made = world()
    made.run("observations", "quarantine", partition="2024-03-01...2024-04-20")
    changed = World(declare(tmp_path / "forecasts", **REVENUE), settings_of(made))
    changed.resources, changed.instance = made.resources, made.instance
    refused = changed.run("training_set", raise_on_error=False)
    assert not refused.success
    (failure,) = [event for event in refused.all_events if event.is_step_failure]
    assert "columns.target: sales → rain" in failure.step_failure_data.user_failure_data.description
    changed.run("observations", partition="2024-03-01...2024-04-20")
    assert changed.run("training_set").success
    alone = changed.run("quarantine", partition="2024-04-20")
    assert [event.asset_key for event in alone.get_asset_materialization_events()] == [changed.key("quarantine")]
    assert changed.table("observations")["target"].max() < 1  # rain, of which there is one at most


def settings_of(made: World) -> Any:
    from mlops_assets.settings import Settings

    return Settings.read({"MLOPS_ENV": "test", "MLOPS_DATA": str(made.spec.folder.parent / "data")})


def test_rows_that_are_kept_are_of_the_present_meaning_and_their_forecasts_are_scored(old: Any, new: Any) -> None:
    tables = MemoryTables()
    meanings = Meanings(tables, "demo")
    meanings.note(old, NOW)
    made = pd.DataFrame({"created_at": pd.to_datetime(["2024-03-05"])})
    assert meanings.scorable(made, new).empty
    meanings.keep(new)
    assert len(meanings.scorable(made, new)) == 1
    assert tables.read(["demo", "meanings"])["changes"].tolist() == ["kept: columns.target: sales → rain"]
