"""What a spec accepts: its defaults, and that every field reaches the engine."""

from collections.abc import Callable

import dagster as dg
import pytest

from mlops_assets.forecasting.decisions.rules import PolicyRules
from mlops_assets.spec import (
    COMMON_COUNTRIES,
    Declared,
    SpecError,
    load_spec,
    load_specs,
    parse_spec,
)
from mlops_assets_tests.spec.declared import EXAMPLES, FILE, MINIMAL, changed


def test_a_minimal_spec_has_the_documented_defaults():
    spec = parse_spec(MINIMAL, FILE)
    assert spec.task.season_lengths == (7,)
    assert spec.task.quantiles == (0.1, 0.5, 0.9)
    assert spec.task.point_column == "q50"
    assert spec.partition_kind == "daily"
    assert spec.time_zone == "UTC"
    assert spec.zone.key == "UTC"
    assert spec.columns.item_id == ["i"]
    assert spec.covariate_columns == []
    assert spec.partitions.start == "2013-01-01"
    assert spec.retraining.threshold is None
    assert spec.retraining.rules == PolicyRules(), "the spec's defaults are the policy's"
    assert spec.schedule is None


def test_relative_paths_start_from_the_spec_file():
    assert parse_spec(MINIMAL, FILE).folder == FILE.resolve().parent


def test_every_field_reaches_the_engine():
    text = changed("horizon: 3", "horizon: 5") + (
        "season_lengths: [7, 28]\nquantiles: [0.9, 0.25]\npoint: mean\nnon_negative: true\nholidays: US-NY\n"
        "covariates: {known: price, past: [rain], static: [kind]}\n"
        "model: {parameters: {max_depth: null, n_estimators: 9}, max_training_rows: 500, seed: 7, recency: 90}\n"
    )
    task = parse_spec(text, FILE).task
    assert (task.frequency, task.horizon, task.season_lengths) == ("D", 5, (7, 28))
    assert (task.quantiles, task.point_column, task.non_negative) == ((0.25, 0.9), "mean", True)
    assert (task.known, task.past, task.static, task.holidays) == (("price",), ("rain",), ("kind",), "US-NY")
    assert task.model.parameters == {"max_depth": None, "n_estimators": 9}
    assert (task.model.max_training_rows, task.model.seed, task.model.recency) == (500, 7, 90)


def test_the_shipped_example_is_right():
    spec = load_spec(EXAMPLES / "nyc_departures.yaml", {})
    assert load_specs(EXAMPLES) == Declared([spec], [])
    assert (spec.partition_kind, spec.horizon, spec.holidays) == ("daily", 14, "US")


def test_the_holidays_package_knows_the_common_countries():
    import holidays

    assert set(holidays.list_supported_countries()) >= COMMON_COUNTRIES


def taken(declare: Callable[[], object]) -> bool:
    """Whether Dagster takes a declaration."""
    try:
        declare()
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


@pytest.mark.parametrize(
    "line",
    [
        *("0 6 * * *", "@daily", "*/5 8-18 * * MON-FRI", "0 6 L * *", "0 6 * * 1#2", "0 0 29 2 *", "0 0 30 2 *"),
        *("0 6 15W * *", "hourly", "0 0 6 * * *", "60 * * * *", "0 25 * * *", "0 6 1 13 *", "@reboot", "H * * * *"),
    ],
)
def test_schedules_are_lines_that_dagster_takes(line: str) -> None:
    ours = taken_by_us(f'schedule: "{line}"')
    assert ours == taken(lambda: dg.ScheduleDefinition(name="s", job_name="j", cron_schedule=line))


@pytest.mark.parametrize("line", ["0 0 30,31 2 *", "0 0 31 4,6 *"])
def test_a_schedule_of_a_day_that_never_comes_is_refused(line: str) -> None:
    with pytest.raises(SpecError, match="a day that never comes"):
        parse_spec(f'{MINIMAL}schedule: "{line}"\n', FILE)


@pytest.mark.parametrize("owner", ["a@b.de", "team:a b", "team:x", "bob", "team:", "a@b", "x@y.museum", "ä@b.de"])
def test_owners_are_whom_dagster_takes(owner: str) -> None:
    assert taken_by_us(f'owners: "{owner}"') == taken(lambda: dg.AssetSpec("a", owners=[owner]))


@pytest.mark.parametrize("name", ["a", "a/b", "a/b/c", "é", "x" * 63, "x" * 64])
@pytest.mark.parametrize("text", ["", "a.b-c_d", "a b", "é", "x" * 63, "x" * 64])
def test_tags_are_those_that_dagster_takes(name: str, text: str) -> None:
    assert taken_by_us(f'tags: {{"{name}": "{text}"}}') == taken(lambda: dg.AssetSpec("a", tags={name: text}))


def taken_by_us(line: str) -> bool:
    """Whether a spec with a line is taken."""
    try:
        parse_spec(f"{MINIMAL}{line}\n", FILE)
    except SpecError:
        return False
    return True
