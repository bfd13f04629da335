"""Dagster's asset health is red exactly when `status` says that there is something to look at."""

import asyncio
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.asset_health.asset_check_health import AssetCheckHealthState
from dagster._core.loader import LoadingContextForTest

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.column import typed
from mlops_assets.catalog.columns import TABLES
from mlops_assets.definitions import build
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.decided import decided_state
from mlops_assets.report.health import OF_STEPS, answers, checks_of, declared, key_of, news
from mlops_assets.report.overview import DriftState, Overview, QuarantineState, StoredAsset
from mlops_assets.report.problems import CHECKS, Case, problems, warnings
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.rules import Checks
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.report.test_problems import DAY, GOOD, NOW
from mlops_assets_tests.worlds import declare, sandbox


def health(instance: dg.DagsterInstance, spec: ForecastSpec) -> dict[str, str]:
    """Return what Dagster says of the checks of each asset."""
    by_asset: dict[dg.AssetKey, set[dg.AssetCheckKey]] = {}
    for check in checks_of(spec):
        key = declared(check, spec).key
        by_asset.setdefault(key.asset_key, set()).add(key)
    found = {}
    for asset, keys in by_asset.items():
        state = AssetCheckHealthState.compute_for_asset_checks(keys, LoadingContextForTest(instance))
        found[asset.path[-1]] = asyncio.run(state).health_status.name
    return {asset: status for asset, status in found.items() if status != "HEALTHY"}


def tell(instance: dg.DagsterInstance, spec: ForecastSpec, state: Overview) -> int:
    """Tell Dagster what is new, and return how much that is."""
    found = news(instance, answers(spec, state, NOW))
    for one in found:
        instance.report_runless_asset_event(one)
    return len(found)


STATES = {
    "good": ({}, {}),
    "quarantined rows": ({"quarantine": QuarantineState(DAY, 3, {"off_grid": 3})}, {"quarantine": "DEGRADED"}),
    "too many of them": ({"refused_rows": "2024-05-16"}, {"observations": "DEGRADED"}),
    "late partition": (
        {"assets": (*GOOD.assets[:1], StoredAsset("forecasts", 4, "2024-05-13"), *GOOD.assets[2:])},
        {"forecasts": "DEGRADED"},
    ),
    "gate refused": ({"refused": "version 3 was refused"}, {"champion": "WARNING"}),
    "gate refused, and nobody is champion": (
        {"champion": None, "refused": "version 1 was refused", "standing": "version 1 was refused"},
        {"champion": "DEGRADED"},
    ),
    "drift": ({"drift": DriftState(DAY, 2.0, ("rain has drifted",), 3)}, {"data_drift": "DEGRADED"}),
    "coverage off": (
        {"accuracy": replace(GOOD.accuracy, outside_coverage=("2024-05-13", "2024-05-14", DAY))},
        {"forecast_accuracy": "DEGRADED"},
    ),
    "coverage off for two days only": (
        {"accuracy": replace(GOOD.accuracy, outside_coverage=("2024-05-13", "2024-05-14"))},
        {},
    ),
    "worse than naive": (
        {"accuracy": replace(GOOD.accuracy, worse_than_naive=("2024-05-12", "2024-05-14", DAY))},
        {"forecast_accuracy": "DEGRADED"},
    ),
    "not all is stored": (
        {"unstored": {"forecasts": "20 of the 28 rows that forecasts of 2024-05-15 should have are stored"}},
        {"forecasts": "DEGRADED"},
    ),
    "nothing is stored": ({"assets": (), "champion": None}, {"forecasts": "DEGRADED"}),
}


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A forecast and an instance that lives through all states, one after another."""
    return declare(tmp_path_factory.mktemp("life")), dg.DagsterInstance.ephemeral()


@pytest.mark.parametrize("name", STATES)
def test_red_is_what_status_says_is_to_be_looked_at(life, name):
    spec, instance = life
    change, unwell = STATES[name]
    state = replace(GOOD, **change)
    for seen, expected in ((state, unwell), (GOOD, {})):
        tell(instance, spec, seen)
        assert health(instance, spec) == expected
        assert ("DEGRADED" in expected.values()) == bool(problems(Case(spec, seen, NOW)))
        assert tell(instance, spec, seen) == 0, "nothing is told twice"


def test_what_was_made_since_is_told_of_again_for_dagster_takes_its_checks_as_not_evaluated(tmp_path):
    spec, instance = declare(tmp_path), dg.DagsterInstance.ephemeral()
    tell(instance, spec, GOOD)
    forecasts = dg.AssetKey(["demo", "forecasts"])

    @dg.asset(key=forecasts)
    def made() -> None: ...

    assert tell(instance, spec, GOOD) == 0
    dg.materialize([made], instance=instance)
    unevaluated = {key_of(one).name for one in answers(spec, GOOD, NOW) if key_of(one).asset_key == forecasts}
    assert {one.check_name for one in news(instance, answers(spec, GOOD, NOW))} == unevaluated
    assert tell(instance, spec, GOOD) == len(unevaluated)
    assert tell(instance, spec, GOOD) == 0
    again = news(instance, answers(spec, GOOD, NOW), making=forecasts)
    assert {one.check_name for one in again} == unevaluated, "they would be older than what the step makes"


def test_the_spec_says_how_grave_it_is(tmp_path):
    drifted = replace(GOOD, drift=DriftState(DAY, 2.0, ("rain has drifted",), 3))
    for severity, status in (("warn", {"data_drift": "WARNING"}), ("off", {})):
        spec, instance = declare(tmp_path, checks={"drift": severity}), dg.DagsterInstance.ephemeral()
        tell(instance, spec, drifted)
        assert health(instance, spec) == status
        assert problems(Case(spec, drifted, NOW)) == ()
        assert warnings(Case(spec, drifted, NOW)) == (("drift: rain has drifted",) if severity == "warn" else ())
        assert spec.fingerprint() == declare(tmp_path).fingerprint()


def test_of_stores_that_do_not_answer_nothing_good_is_said(tmp_path):
    spec = declare(tmp_path)
    silent = replace(GOOD, unreachable=("MLflow cannot be read",))
    assert [(one.check_name, one.passed) for one in answers(spec, silent, NOW)] == [("stores", False)]


@pytest.mark.parametrize(
    ("skill", "coverage", "said"),
    [
        ([0.1] * 5, [0.8] * 5, ""),
        ([-0.1] * 5, [0.8] * 5, "worse than seasonal naive in 5 of the last 5"),
        ([-0.1, -0.1, -0.1, -0.1, 0.1], [0.8] * 5, ""),
        ([0.1] * 5, [0.8, 0.8, 0.3, 0.3, 0.3], "intervals do not hold in 3 of the last 5"),
        ([0.1] * 5, [0.8, 0.8, 0.8, 0.3, 0.3], ""),
    ],
)
def test_one_bad_day_is_no_bad_forecast(tmp_path, skill, coverage, said):
    spec, tables = declare(tmp_path, retraining={}), MemoryTables()
    for number, (one, share) in enumerate(zip(skill, coverage, strict=True)):
        day = f"2024-05-1{number}"
        row = {
            "partition": day,
            "scope": "all",
            "value": "",
            "rows": 28,
            "skill": one,
            "coverage": share,
            "revision": 1,
        }
        rows = pd.DataFrame([row]).reindex(columns=[column.name for column in TABLES["accuracy_scores"]])
        tables.write(["demo", "accuracy_scores"], typed(rows, TABLES["accuracy_scores"]), day)
        tables.write(["demo", "forecasts"], pd.DataFrame({"mean": [1.0], "q50": [1.0]}), day)
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    state = overview(Sources(spec, tables, tracking, Clock(fixed="2024-05-15"), Notifications()))
    told = [words for words in state.problems if "of the last 5 partitions that were scored" in words]
    assert len(told) == bool(said)
    assert all(said in words for words in told)


def test_every_check_has_its_severity_and_its_asset(tmp_path, empty_mlflow):
    declare(tmp_path / "forecasts", external=None)
    assert {check.name for check in CHECKS} == Checks.model_fields.keys()
    graph = build(sandbox(tmp_path, empty_mlflow)).get_repository_def().asset_graph
    known = {(key.asset_key.path[-1], key.name) for key in graph.asset_check_keys}
    assert known == {(check.asset, check.name) for check in CHECKS if check.name != "external_service"}
    assert OF_STEPS == ("contract", "anomalies")


def test_decisions_alone_answer_the_checks_of_the_champion_as_the_whole_state_does(tmp_path):
    spec, tables = declare(tmp_path), MemoryTables()
    tables.write(["demo", "forecasts"], pd.DataFrame({"mean": [1.0], "q50": [1.0]}), "2024-05-14")
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    sources = Sources(spec, tables, tracking, Clock(fixed="2024-05-15"), Notifications())
    whole, part = (
        [one for one in answers(spec, state, NOW) if one.asset_key == dg.AssetKey(["demo", "champion"])]
        for state in (overview(sources), decided_state(sources, Reachable()).state)
    )
    assert part == whole
    assert [one.check_name for one in part if not one.passed] == ["champion"]
