"""Data that arrive start their round, once; the same again start nothing; late and revised ones are scored again."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation.arrivals import build_arrivals_sensor
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import whole_window
from mlops_assets.catalog.run_tags import FORECAST, partition_of
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.jobs.events import Woken
from mlops_assets.jobs.resource import Jobs
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.spec import SpecError, load_spec
from mlops_assets.stages.ingest import read_own
from mlops_assets_tests.worlds import World, declare, panel

LATEST = "2024-05-10"


def until(day: str, **changed: float) -> pd.DataFrame:
    """Return the panel up to a day; a keyword `d09=2` doubles the sales of the 9th of May."""
    data = panel()[panel()["day"] <= day].copy()
    for name, factor in changed.items():
        data.loc[data["day"] == f"2024-05-{name[1:]}", "sales"] *= factor
    return data


class Told(Jobs):
    """Jobs whose queue names some forecasts; a real queue: jobs/test_events.py."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(Settings.read({}))
        self.names = names

    def events(self, specs: Any) -> Woken:
        return Woken(len(self.names), (), self.names)


class Door:
    """A forecast with the sensor over it, asked now and then."""

    def __init__(self, world: World) -> None:
        self.world, self.cursor, self.said = world, None, ""
        self.file = world.spec.folder / "sales.csv"
        (self.sensor,) = build_arrivals_sensor([world.spec], build_jobs(world.spec))
        self.settings, self.events = Settings.read({"MLOPS_DATA": str(world.spec.folder.parent)}), list[Any]()

    def put(self, data: pd.DataFrame) -> None:
        data.to_csv(self.file, index=False)

    def tick(self, day: str = "2024-05-11", woken: Sequence[str] = ()) -> list[tuple[str, str]]:
        """Let the sensor look on the morning of a day; return the jobs and partitions that it asks for."""
        clock = Clock(fixed=f"{day}T06:00Z")
        given = {"tables": self.world.tables, "clock": clock, "jobs": Told(woken) if woken else Jobs(self.settings)}
        with dg.build_sensor_context(self.world.instance, cursor=self.cursor, resources=given) as context:
            found = self.sensor(context)
        assert isinstance(found, dg.SensorResult)
        self.cursor, self.said = found.cursor, found.skip_reason.skip_message if found.skip_reason else ""
        self.events += found.asset_events
        requests = found.run_requests or []
        return [(str(one.job_name), one.partition_key or partition_of(one.tags)) for one in requests]

    def later(self) -> None:
        """Let the last look be five minutes ago."""
        known = json.loads(self.cursor or "{}")
        for one in known.values():
            one["looked"], one["since"] = one["looked"] - 300, one["since"] - 300
        self.cursor = json.dumps(known)

    def look(self, day: str = "2024-05-11") -> list[tuple[str, str]]:
        """Let the sensor look, and again when what it has seen has settled."""
        self.later()
        first = self.tick(day)
        self.later()
        return first + self.tick(day)

    def carry_out(self, day: str = LATEST) -> None:
        """Store what a round of a day makes of what has come: its forecasts have no rows."""
        graph, tables = Graph(self.world.spec), self.world.tables
        keys = [f"{one:%Y-%m-%d}" for one in pd.date_range("2024-04-20", day)]
        window = whole_window(graph.partitions, keys)
        rows = read_own(graph, window, Clock(fixed="2024-06-01T00:00Z")).accepted
        days = rows["timestamp"].dt.strftime("%Y-%m-%d")
        tables.write_all(["demo", "observations"], {key: rows[days == key] for key in keys}, **graph.observed)
        tables.write(["demo", "forecasts"], graph.without_rows("forecasts"), partition=day)


@pytest.fixture
def door(world: Callable[..., World]) -> Callable[..., Door]:
    def make(data: pd.DataFrame, **changes: Any) -> Door:
        return Door(world(data, **{"arrivals": True, "schedule": None, **changes}))

    return make


def test_what_arrives_starts_its_round_once_it_has_settled_and_the_same_again_nothing(door):
    made = door(until(LATEST))
    assert made.tick() == []
    assert "demo: its source has changed, and is taken if it stays as it is for 60 s" in made.said
    assert made.tick() == [], "so soon nobody looks"
    made.later()
    assert made.tick() == [("demo_daily", LATEST)]
    assert made.look() == []
    made.carry_out()
    assert made.look() == []
    os.utime(made.file, (1, 1))
    assert made.look() == [], "touched"
    text = made.file.read_text()
    made.file.unlink()
    made.file.write_text(text)
    assert made.look() == [], "written again"
    made.put(until(LATEST).iloc[::-1])
    assert made.look() == [], "the same rows in another order"


def test_a_file_that_still_grows_is_not_taken(door):
    whole = until(LATEST)
    made = door(whole[:100])
    for rows in (200, 250, len(whole)):
        made.later()
        assert made.tick() == []
        made.put(whole[:rows])
    assert made.look() == [("demo_daily", LATEST)]


def test_with_a_marker_nothing_is_taken_before_it_is_there(door):
    made = door(until(LATEST), arrivals={"marker": "sales.done"})
    assert made.look() == []
    assert "is not whole: sales.done is missing in" in made.said
    (made.file.parent / "sales.done").touch()
    made.later()
    assert made.tick() == [("demo_daily", LATEST)]


@pytest.mark.parametrize("place", ["memory", "files", "sql"])
def test_new_late_and_revised_rows_start_what_each_needs(door, tmp_path, place):
    gap = until(LATEST)
    made = door(gap[gap["day"] != "2024-05-07"])
    if place == "files":
        made.world.resources["tables"] = ObjectTables(base=str(tmp_path / "tables"))
    if place == "sql":
        made.world.resources["tables"] = SqlTables(url=f"sqlite:///{tmp_path}/tables.db")
    made.look()
    made.carry_out()
    made.put(until("2024-05-12", d09=2.0))
    asked = made.look("2024-05-13")
    assert asked == [
        ("demo_daily", "2024-05-11...2024-05-12"),
        ("demo_rescore", "2024-05-07"),
        ("demo_rescore", "2024-05-09"),
    ]


def test_a_partition_that_is_over_later_than_its_rows_came_starts_then(door):
    made = door(until("2024-05-11"))
    assert made.look("2024-05-11") == [("demo_daily", "2024-05-10")]
    made.carry_out()
    assert made.tick("2024-05-11") == []
    assert made.tick("2024-05-12") == [("demo_daily", "2024-05-11")]


def test_a_latest_partition_that_was_forecast_from_in_vain_is_again(door):
    made = door(until("2024-05-09"))
    assert made.look() == []
    assert made.said == "nothing has arrived"
    made.carry_out()
    made.put(until(LATEST))
    assert made.look() == [("demo_daily", LATEST)]


def test_nothing_is_asked_for_while_a_run_is_under_way(door):
    made = door(until(LATEST))
    run = dg.DagsterRun(job_name="demo_daily", tags={FORECAST: "demo"}, status=dg.DagsterRunStatus.STARTED)
    made.world.instance.add_run(run)
    assert made.look() == []
    assert f"run {run.run_id} is under way" in made.said
    made.world.instance.report_run_canceled(run)
    assert made.tick() == [("demo_daily", LATEST)]


def test_a_message_lets_a_source_be_looked_at_at_once_and_a_queue_that_is_away_stops_nothing(door):
    made = door(until(LATEST), arrivals={"every": "1h", "settle": "0s"})
    made.settings = made.settings.model_copy(update={"events_queue": "http://127.0.0.1:9/1234/name"})
    assert made.tick() == [("demo_daily", LATEST)]
    made.carry_out()
    made.put(until(LATEST, d09=2.0))
    assert made.tick() == []
    assert "the queue of events cannot be read: sqs" in made.said
    assert made.tick(woken=["demo"]) == [("demo_rescore", "2024-05-09")]


def test_a_source_that_cannot_be_read_is_told_and_looked_at_again(door):
    made = door(until(LATEST))
    made.file.unlink()
    assert made.look() == []
    assert "demo: its source cannot be looked at: " in made.said
    made.put(until(LATEST))
    assert made.look() == [("demo_daily", LATEST)]


def test_a_source_of_another_spec_waits_for_a_person(door):
    made = door(until(LATEST))
    made.look()
    made.carry_out()
    columns = {"item_id": "shop", "timestamp": "day", "target": "rain"}
    changed = declare(made.file.parent, until(LATEST), arrivals=True, columns=columns, covariates=None)
    (made.sensor,) = build_arrivals_sensor([changed], build_jobs(changed))
    made.cursor = None
    assert made.look() == []
    assert "mlops-assets reingest demo" in made.said


def test_the_source_is_observed_by_the_sensor_and_by_each_ingestion(door):
    made = door(until(LATEST))
    made.look()
    made.world.run("observations", "quarantine", partition=LATEST)
    (event,) = made.events
    assert event.asset_key == made.world.key("source")
    found = made.world.instance.fetch_observations(made.world.key("source"), limit=1).records[0]
    assert found.asset_observation is not None
    assert found.asset_observation.tags == event.tags
    assert "dagster/data_version" in event.tags
    (seen,) = made.world.run("source").get_asset_observation_events()
    assert seen.asset_observation_data.asset_observation.data_version == event.tags["dagster/data_version"]


def test_one_sensor_watches_all_that_ask_for_it(tmp_path: Path):
    specs = [declare(tmp_path / name, name=name, arrivals=on) for name, on in (("a", True), ("b", False), ("c", True))]
    (sensor,) = build_arrivals_sensor(specs, [job for spec in specs for job in build_jobs(spec)])
    assert sorted(job.name for job in sensor.jobs) == ["a_daily", "a_rescore", "c_daily", "c_rescore"]
    assert build_arrivals_sensor(specs[1:2], []) == []


@pytest.mark.parametrize(
    ("arrivals", "source", "words"),
    [
        ({"settle": "soon"}, None, "a whole number and s, m, h or d: 90s, 30m, 10h, 2d"),
        ({"marker": "_SUCCESS"}, {"kind": "sql", "url": "sqlite:///x", "table": "t"}, "belongs to source.kind: file"),
        ("yes", None, "arrivals"),
    ],
)
def test_what_cannot_be_is_told(tmp_path, arrivals, source, words):
    with pytest.raises(SpecError, match=words):
        declare(tmp_path, arrivals=arrivals, **({"source": source} if source else {}))


def test_arrivals_change_nothing_that_a_model_depends_on(tmp_path):
    plain, watched = declare(tmp_path / "a"), declare(tmp_path / "b", arrivals={"settle": "5m"})
    assert plain.fingerprint() == watched.fingerprint()
    assert load_spec(Path(plain.file)).arrivals is None
