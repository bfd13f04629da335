"""What is older than it is kept goes, what governance needs stays, and nobody is answered with less than there was."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.catalog.names import FORECASTS
from mlops_assets.commands.main import main
from mlops_assets.io_managers import MemoryTables, ObjectTables, SqlTables
from mlops_assets.lifecycle.approvers import Person
from mlops_assets.lifecycle.retention import TABLES_OF, NotKeptError, Retained, scorable
from mlops_assets.reading.outputs import exports
from mlops_assets.reading.reader import Reader
from mlops_assets.serving.problems import status_of
from mlops_assets.spec import SpecError
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.reading.stored import StoredForecast, store
from mlops_assets_tests.worlds import declare

KEPT = {"forecasts": "74d", "forecast_accuracy": "75d", "revisions": "80d"}
NOW = pd.Timestamp("2024-05-20 06:00", tz="UTC")
ANN = Person("Ann", "command")
FIRST = "2024-03-07"
"""The first partition of forecasts that is kept then: 74 days before."""


@contextmanager
def postgres(folder: Path) -> Iterator[SqlTables]:
    with servers.postgres(folder / "pg") as url:
        yield SqlTables(url)


@contextmanager
def s3(folder: Path) -> Iterator[ObjectTables]:
    with servers.s3(folder) as (base, options):
        yield ObjectTables(base=base, options=options)


PLACES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: nullcontext(MemoryTables()),
    "files": lambda folder: nullcontext(ObjectTables(base=str(folder / "data" / "tables"))),
    "sqlite": lambda folder: nullcontext(SqlTables(f"sqlite:///{folder / 'tables.db'}")),
    "postgres": postgres,
    "s3": s3,
}


def stored_in(folder: Path, tables: Any = None, **changes: Any) -> StoredForecast:
    return store(folder, MemoryTables() if tables is None else tables, items=2, retention=KEPT, **changes)


def reader_of(stored: StoredForecast) -> Reader:
    return stored.at(NOW.tz_localize(None))


def removed(stored: StoredForecast) -> Retained:
    kept = Retained(stored.tables, stored.spec)
    kept.apply(kept.plan(NOW.to_pydatetime()), NOW.to_pydatetime(), ANN)
    return Retained(stored.tables, stored.spec)


@pytest.fixture(params=PLACES)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoredForecast]:
    with PLACES[request.param](tmp_path) as tables:
        yield stored_in(tmp_path, tables)


def test_what_is_older_goes_in_every_store_and_all_else_stays(stored):
    tables, names = stored.tables, ("forecasts", "forecast_accuracy", "accuracy_scores", "observations")
    before = {name: tables.partitions(["demo", name]) for name in names}
    scores = tables.read(["demo", "accuracy_scores"])
    asked = reader_of(stored).forecasts(start="2024-03-14", origin="all")
    going = {one.table: one for one in Retained(tables, stored.spec).plan(NOW.to_pydatetime())}
    assert {name: tables.partitions(["demo", name]) for name in names} == before, "a plan changes nothing"
    assert going["forecasts"].partitions == tuple(key for key in before["forecasts"] if key < FIRST)
    assert (going["forecasts"].rows, going["forecasts"].bytes > 0) == (6 * 2 * 7, True)
    kept = removed(stored)
    assert tables.partitions(["demo", "forecasts"]) == [key for key in before["forecasts"] if key >= FIRST]
    assert tables.partitions(["demo", "forecast_accuracy"])[0] == "2024-03-06"
    for name in ("accuracy_scores", "observations"):
        assert tables.partitions(["demo", name]) == before[name]
    pd.testing.assert_frame_equal(tables.read(["demo", "accuracy_scores"]), scores)
    assert {name: bound.first for name, bound in kept.bounds.items()} == {
        "forecasts": FIRST,
        "forecast_accuracy": "2024-03-06",
    }
    assert kept.plan(NOW.to_pydatetime()) == []
    with pytest.raises(NotKeptError, match=r"as_of=.*retention\.forecasts: 74d"):
        reader_of(stored).forecasts(as_of="2024-03-05T12:00")
    pd.testing.assert_frame_equal(reader_of(stored).forecasts(start="2024-03-14", origin="all"), asked)
    stored.forecast(pd.Timestamp("2024-03-20"))  # a round goes on
    assert tables.partitions(["demo", "forecasts"])[-1] == "2024-03-20"
    assert tables.row_count(["demo", "forecasts"], ["2024-03-20"]) == 2 * 7


def test_a_killed_command_is_completed_and_readers_are_refused_from_its_first_moment(tmp_path, monkeypatch):
    stored, deleted = stored_in(tmp_path), []
    whole = stored.tables.delete

    def killed(key: list[str], partition: str) -> None:
        if len(deleted) == 2:
            raise KeyboardInterrupt
        whole(key, partition)
        deleted.append(partition)

    with monkeypatch.context() as patched:
        patched.setattr(MemoryTables, "delete", lambda _, key, partition: killed(key, partition))
        with pytest.raises(KeyboardInterrupt):
            removed(stored)
    assert "2024-03-05" in stored.tables.partitions(["demo", "forecasts"])
    with pytest.raises(NotKeptError):
        reader_of(stored).forecasts(origin="2024-03-05")
    removed(stored)
    assert stored.tables.partitions(["demo", "forecasts"])[0] == FIRST
    assert len(stored.tables.partitions(["demo", "retention"])) == 2, "a row for each setting, none twice"


ASKED: dict[str, Callable[[Reader], Any]] = {
    "origin": lambda reader: reader.forecasts(origin="2024-03-05"),
    "forecasts as of": lambda reader: reader.forecasts(as_of="2024-03-05T12:00"),
    "forecasts before the first one kept was made": lambda reader: reader.forecasts(as_of="2024-03-08T05:59"),
    "start": lambda reader: reader.forecasts(start="2024-03-07"),
    "all origins of a time": lambda reader: reader.forecasts(start="2024-03-12", origin="all"),
    "a lead": lambda reader: reader.forecasts(start="2024-03-12", leads=7),
    "end": lambda reader: reader.forecasts(end="2024-03-04"),
    "origins as of": lambda reader: reader.origins(as_of="2024-03-05T12:00"),
    "accuracy": lambda reader: reader.accuracy(start="2024-03-05"),
    "accuracy as of": lambda reader: reader.accuracy(as_of="2024-03-12T12:00"),
    "calibration": lambda reader: reader.calibration(end="2024-03-04"),
    "items as of": lambda reader: reader.items(as_of="2024-03-05T12:00"),
    "changes": lambda reader: reader.changes(origin="2024-03-05"),
    "export": lambda reader: [*exports.tables(reader, exports.Asked(since=pd.Timestamp("2024-03-05")))],
    "hubverse": lambda reader: [*exports.hubverse(reader, exports.Asked(as_of=pd.Timestamp("2024-03-05 12:00")))],
}


@pytest.mark.parametrize("asked", ASKED)
def test_who_asks_for_what_is_gone_is_refused_by_the_name_of_the_setting(asked, gone):
    with pytest.raises(NotKeptError, match=r"are kept from .* on \(retention\.forecast\w*: 7[45]d\)") as caught:
        ASKED[asked](reader_of(gone))
    assert caught.value.parameter in ("origin", "as_of", "start", "end")
    assert status_of(caught.value) == 410


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> StoredForecast:
    """A forecast of which the first six rounds were removed."""
    stored = stored_in(tmp_path_factory.mktemp("gone"))
    removed(stored)
    return stored


def test_who_asks_for_what_is_kept_is_answered_as_before(gone, tmp_path):
    whole = reader_of(stored_in(tmp_path))
    kept = reader_of(gone)
    for ask in (
        lambda reader: reader.forecasts(),
        lambda reader: reader.forecasts(origin=FIRST),
        lambda reader: reader.forecasts(start="2024-03-08"),
        lambda reader: reader.forecasts(start="2024-03-14", origin="all"),
        lambda reader: reader.forecasts(as_of="2024-03-09T12:00"),
        lambda reader: reader.accuracy(start="2024-03-06"),
        lambda reader: reader.accuracy("period"),
        lambda reader: reader.observations(as_of="2024-03-03T12:00"),
    ):
        pd.testing.assert_frame_equal(ask(kept), ask(whole))


MOMENTS = pd.date_range("2024-03-06", "2024-03-19", freq="31h")
TO_THE_PAST: dict[str, Callable[..., Any]] = {
    "forecasts": lambda reader, **asked: reader.forecasts(**asked),
    "origins": lambda reader, as_of, **_: reader.origins(as_of=as_of, most=1),
    "items": lambda reader, as_of, **_: reader.items(as_of=as_of),
    "accuracy": lambda reader, **asked: reader.accuracy(**asked),
    "observations": lambda reader, **asked: reader.observations(**asked),
}


@pytest.mark.parametrize("late", [False, True], ids=["in time", "first one late"])
@pytest.mark.parametrize("setting", ["forecasts", "forecast_accuracy"])
def test_a_question_to_any_moment_is_refused_or_answered_as_if_nothing_had_gone(tmp_path, setting, late):
    def made(folder: Path) -> StoredForecast:
        stored = store(folder, MemoryTables(), items=2, rounds=16, retention={setting: KEPT[setting]})
        if late:
            stored.forecast(pd.Timestamp(FIRST), at=pd.Timestamp("2024-03-11 09:00"))
        return stored

    whole, kept = made(tmp_path / "whole"), made(tmp_path / "kept")
    removed(kept)
    refused = 0
    for moment in MOMENTS:
        for name, ask in TO_THE_PAST.items():
            for asked in ({}, {"start": "2024-03-08"}):
                try:
                    found = ask(reader_of(kept), as_of=moment, **asked)
                except NotKeptError:
                    refused += 1
                    continue
                wanted = ask(reader_of(whole), as_of=moment, **asked)
                pd.testing.assert_frame_equal(found, wanted, obj=f"{name} as of {moment} {asked}")
    assert 0 < refused < len(MOMENTS) * len(TO_THE_PAST) * 2


def test_superseded_rows_go_by_when_they_were_superseded(tmp_path):
    stored = stored_in(tmp_path)
    for day, at in (("2024-03-02", "2024-02-20"), ("2024-03-03", "2024-04-20")):
        rows = pd.DataFrame(
            {
                "table": "observations", "partition": day, "item_id": "shop 0", "timestamp": pd.Timestamp(day),
                "target": 1.0, "covariates": "{}", "known_at": pd.Timestamp("2024-02-10"), "contract": 1,
                "superseded_at": pd.Timestamp(at),
            },
            index=[0],
        )  # fmt: skip
        stored.tables.write(["demo", "revisions"], rows, f"{day}-0123456789ab")
    removed(stored)
    assert stored.tables.partitions(["demo", "revisions"]) == ["2024-03-03-0123456789ab"]
    with pytest.raises(NotKeptError, match=r"as_of=2024-02-25 .*retention\.revisions: 80d"):
        reader_of(stored).observations(as_of="2024-02-25")
    assert len(reader_of(stored).observations(as_of="2024-03-05"))


def test_nothing_that_was_removed_comes_back_or_is_scored_by_less(gone):
    kept = Retained(gone.tables, gone.spec)
    with pytest.raises(NotKeptError, match=r"partition=2024-03-05: forecasts are kept from partition 2024-03-07 on"):
        kept.require_ledger(["2024-03-05"])
    kept.require_ledger([FIRST])
    with pytest.raises(NotKeptError):
        kept.require_scorable(["2024-03-10"])
    kept.require_scorable(["2024-03-15"])
    days = [f"2024-03-{day:02}" for day in range(5, 20)]
    assert scorable(gone.spec, days, NOW.to_pydatetime())[0] == "2024-03-15"
    unset = gone.spec.model_copy(update={"retention": type(gone.spec.retention)()})
    assert scorable(unset, days, NOW.to_pydatetime()) == days


def test_what_a_killed_command_left_goes_whatever_the_spec_says_since(tmp_path, monkeypatch):
    stored = stored_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(MemoryTables, "delete", lambda *_: None)
        removed(stored)
    assert stored.tables.partitions(["demo", "forecasts"])[0] < FIRST
    stored.spec = stored.spec.model_copy(update={"retention": type(stored.spec.retention)()})
    assert removed(stored).plan(NOW.to_pydatetime()) == []
    assert stored.tables.partitions(["demo", "forecasts"])[0] == FIRST


def test_a_first_partition_that_was_made_late_holds_no_later_removal_up(tmp_path):
    stored = stored_in(tmp_path)
    stored.forecast(pd.Timestamp(FIRST), at=pd.Timestamp("2024-05-01"))
    removed(stored)
    kept, later = Retained(stored.tables, stored.spec), (NOW + pd.Timedelta(days=2)).to_pydatetime()
    kept.apply(kept.plan(later), later, ANN)
    assert stored.tables.partitions(["demo", "forecasts"])[0] == "2024-03-09"
    with pytest.raises(NotKeptError):
        reader_of(stored).forecasts(as_of="2024-04-30")


def test_a_longer_duration_brings_nothing_back_and_moves_no_bound(gone):
    longer = gone.spec.model_copy(update={"retention": gone.spec.retention.model_copy(update={"forecasts": "900d"})})
    assert Retained(gone.tables, longer).plan(NOW.to_pydatetime()) == []
    assert Retained(gone.tables, longer).bounds[FORECASTS].first == FIRST


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retention": {"forecasts": "30d"}}, "74d is the least"),
        ({"retention": {"revisions": "900d"}, "as_known": ["target"]}, "as_known learns from revisions"),
        ({"retention": {"observations": "900d"}}, "observations"),
        ({"retention": {"decisions": "900d"}}, "decisions"),
        ({"retention": {"forecasts": "2 years"}}, "a whole number and s, m, h or d"),
    ],
)
def test_what_may_not_be_declared(tmp_path, changes, words):
    with pytest.raises(SpecError, match=words):
        declare(tmp_path, **changes)


def test_a_model_is_not_trained_anew_because_of_it(tmp_path):
    assert declare(tmp_path / "a").fingerprint() == declare(tmp_path / "b", retention=KEPT).fingerprint()
    assert {*TABLES_OF} == {*type(declare(tmp_path / "a").retention).model_fields}


def test_with_approvers_nothing_is_removed_without_a_key_and_the_log_says_who(tmp_path, monkeypatch):
    stored, key = stored_in(tmp_path, ObjectTables(base=str(tmp_path / "data" / "tables"))), "0123456789abcdef"
    for name, value in {
        "DATA": tmp_path / "data",
        "FORECASTS": tmp_path / "forecasts",
        "NOW": "2024-05-20T06:00",
        "APPROVERS": f"Ann:{key}",
    }.items():
        monkeypatch.setenv(f"MLOPS_{name}", str(value))
    for given in ("", "another-key-12345"):
        monkeypatch.setenv("MLOPS_KEY", given)
        told = CliRunner().invoke(main, ["retention", "demo", "--apply"])
        assert (told.exit_code, "MLOPS_APPROVERS" in told.stderr) == (4, True)
        assert len(stored.tables.partitions(["demo", "forecasts"])) == 12
        assert CliRunner().invoke(main, ["retention", "demo"]).exit_code == 0, "whoever may look may list"
    monkeypatch.setenv("MLOPS_KEY", key)
    assert CliRunner().invoke(main, ["retention", "demo", "--apply"]).exit_code == 0
    log = stored.tables.read(["demo", "retention"])
    assert {*zip(log["removed_by"], log["proof"], strict=True)} == {("Ann", "command")}


def test_the_command_lists_first_and_removes_when_told(tmp_path, monkeypatch):
    stored = stored_in(tmp_path, ObjectTables(base=str(tmp_path / "data" / "tables")))
    for name, value in {
        "DATA": tmp_path / "data",
        "FORECASTS": tmp_path / "forecasts",
        "NOW": "2024-05-20T06:00",
    }.items():
        monkeypatch.setenv(f"MLOPS_{name}", str(value))
    shown = CliRunner().invoke(main, ["retention", "demo"])
    assert "nothing was removed yet: mlops-assets retention demo --apply" in shown.output
    assert len(stored.tables.partitions(["demo", "forecasts"])) == 12
    done = json.loads(CliRunner().invoke(main, ["retention", "demo", "--apply", "--json"]).stdout)
    (made,) = [one for one in done["tables"] if one["table"] == "forecasts"]
    assert (done["removed"], made["partitions"], made["rows"], made["first"]) == (True, 6, 84, FIRST)
    assert stored.tables.partitions(["demo", "forecasts"])[0] == FIRST
    assert "nothing is older than it is kept" in CliRunner().invoke(main, ["retention", "demo"]).output
    young = CliRunner().invoke(main, ["retention", "demo", "--apply"], env={"MLOPS_NOW": "2190-01-01"})
    assert (young.exit_code, "MLOPS_NOW=2190-01-01 is still to come" in young.output) == (2, True)
    assert stored.tables.partitions(["demo", "forecasts"])[0] == FIRST
    refused = CliRunner().invoke(main, ["show", "demo", "--item", "shop 0", "--origin", "2024-03-05"])
    assert (refused.exit_code, "retention.forecasts: 74d" in refused.output) == (2, True)
    again = CliRunner().invoke(main, ["run", "demo", "--partition", "2024-03-05"])
    assert (again.exit_code, "retention.forecasts: 74d" in again.output) == (2, True)
