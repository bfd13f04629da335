"""What Prometheus is told is what `status` says, and what the shipped dashboard and rules ask for exists."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.metrics import INFO, METRICS, PREFIX, samples_of, text
from mlops_assets.report.overview import MonthState
from mlops_assets.report.problems import CHECKS
from mlops_assets.report.sources import Sources
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import BrokenSpec, SpecError
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.report.test_problems import DAY, GOOD
from mlops_assets_tests.worlds import declare

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment"


@pytest.fixture
def sources(tmp_path):
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    clock = Clock(fixed="2024-05-16T07:00:00")
    return Sources(declare(tmp_path), MemoryTables(), tracking, clock, Notifications())


def told(forecasts, broken=()) -> dict[tuple[str, ...], float]:
    """Read metrics as Prometheus does: name and label values, sorted by the labels' names -> value."""
    return {
        (sample.name.removeprefix(PREFIX), *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text(forecasts, broken))
        for sample in family.samples
    }


def test_the_state_of_a_forecast_in_numbers(sources):
    found = told({"demo": samples_of(sources, GOOD)})
    assert found["forecast_state", "demo", "ok"] == 1
    assert found["forecast_state", "demo", "attention"] == 0
    assert found["problems", "demo"] == 0
    assert found["newest_forecast_timestamp_seconds", "demo"] == pd.Timestamp("2024-05-16", tz="UTC").timestamp()
    assert found["champion_trained_until_timestamp_seconds", "demo"] == pd.Timestamp("2024-05-10").timestamp()
    assert found["champion_since_timestamp_seconds", "demo"] == pd.Timestamp("2024-05-11").timestamp()
    assert found["accuracy", "demo", "skill"] == 0.2
    assert found["accuracy_limit", "demo", "wql"] == 0.2
    assert found["quarantined_rows", "demo"] == 3
    assert found["holes", "forecasts", "demo"] == 0
    checks = {key[2] for key in found if key[0] == "check_passed"}
    assert checks == {check.name for check in CHECKS}
    assert all(value == 1 for key, value in found.items() if key[0] == "check_passed")


def test_what_is_wrong_is_told_as_status_says_it(sources):
    state = replace(
        GOOD,
        champion=None,
        quarantine=None,
        unobserved=("2024-05-01", "2024-05-02"),
        unreachable=("MLflow does not answer",),
        problems=("a", "b"),
        spent=(MonthState("2024-05", 0.5, 0.0, 0.0, 400.0, None, {}),),
    )
    found = told({"demo": samples_of(sources, state)})
    assert found["forecast_state", "demo", "attention"] == 1
    assert found["problems", "demo"] == 2
    assert found["stores_unreachable", "demo"] == 1
    assert found["holes", "observations", "demo"] == 2
    assert found["month_cpu_seconds", "demo"] == 1800
    assert found["quarantined_rows", "demo"] == 0
    assert ("champion_version", "demo") not in found
    assert found["check_passed", "report", "stores", "demo", "error"] == 0


def test_of_a_broken_spec_that_and_no_more_is_known(sources):
    broken = BrokenSpec("other", Path("other.yaml"), SpecError("no horizon"))
    found = told({"demo": samples_of(sources, GOOD)}, [broken])
    assert found["forecast_state", "other", "broken"] == 1
    assert {key[0] for key in found if "other" in key} == {"forecast_state", "problems"}


def test_a_partition_of_another_kind_than_the_specs_has_no_age(sources):
    state = replace(GOOD, assets=tuple(replace(one, last=one.last and f"{DAY}-07:00") for one in GOOD.assets))
    found = told({"demo": samples_of(sources, state)})
    assert ("newest_forecast_timestamp_seconds", "demo") not in found
    assert found["forecast_state", "demo", "ok"] == 1


@pytest.mark.parametrize("file", ["grafana.json", "prometheus_rules.yaml"])
def test_what_dashboard_and_rules_ask_for_is_told(file):
    asked = set(re.findall(rf"\b{PREFIX}(\w+)", (DEPLOYMENT / file).read_text()))
    assert asked
    assert asked <= {INFO, *(metric.name for metric in METRICS)}


def test_the_dashboard_asks_for_labels_that_there_are():
    labels = {PREFIX + metric.name: {"forecast", *metric.labels} for metric in METRICS}
    for panel in json.loads((DEPLOYMENT / "grafana.json").read_text())["panels"]:
        for target in panel["targets"]:
            for name, within in re.findall(r"(mlops_assets_\w+)\{([^}]*)\}", target["expr"]):
                assert set(re.findall(r"(\w+)\s*=", within)) <= labels[name]
