"""Whom the sensors for all forecasts serve, in a fresh deployment and in one that has been upgraded."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from mlops_assets.automation.choice import choose
from mlops_assets.definitions import build
from mlops_assets.settings import Settings
from mlops_assets_tests.stages.external.service import EXTERNAL
from mlops_assets_tests.worlds import SPEC, declare

RUNNING, STOPPED, IN_CODE = InstigatorStatus.RUNNING, InstigatorStatus.STOPPED, InstigatorStatus.DECLARED_IN_CODE
HERE = RegisteredCodeLocationOrigin("here")
SAID = {"yes": True, "no": False, "unsaid": None}
NEW = ("alerts", "approvals", "rescore", "retrain_on_breach")


@pytest.fixture
def instance(tmp_path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as made:
        yield made


def located(folder, environment: Mapping[str, str] | None = None, **automation: bool | None) -> dg.Definitions:
    """Return the code location of some forecasts, each with its `automation`."""
    for name, value in automation.items():
        declare(folder / "forecasts", name=name, automation=value)
    values = {"MLOPS_ENV": "test", "MLOPS_DATA": str(folder), "MLOPS_FORECASTS": str(folder / "forecasts")}
    return build(Settings.read({**values, **(environment or {})}))


def switch(instance: dg.DagsterInstance, name: str, status: InstigatorStatus, location: Any = HERE) -> None:
    """Let an instance say that a person has switched a sensor."""
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData()))


def served(definitions: dg.Definitions, sensor: str, instance: dg.DagsterInstance) -> tuple[set[str], str]:
    """Evaluate a sensor here; return the forecasts that had their turn, and what it says."""
    with dg.build_resources(definitions.resources or {}) as resources:
        given = resources.original_resource_dict
        with dg.build_sensor_context(instance, repository_name="__repository__", resources=given) as context:
            context._code_location_origin = HERE  # as the daemon gives it
            found = definitions.resolve_sensor_def(sensor).evaluate_tick(context)
    return set(json.loads(found.cursor or "{}")), found.skip_message or ""


def test_automation_starts_schedules_and_sensors_and_off_wins(tmp_path):
    def on(environment=None) -> tuple[set[str], set[str], set[str]]:
        found = located(tmp_path, environment, **SAID).get_repository_def()
        alone = {one.name for one in found.sensor_defs} - {*NEW}
        running = {one.name for one in found.sensor_defs if one.default_status.name == "RUNNING"}
        return running, {one.name for one in found.schedule_defs if one.default_status.name == "RUNNING"}, alone

    assert on() == ({*NEW}, {"yes_daily_schedule"}, {f"unsaid_{name}" for name in NEW})
    assert on({"MLOPS_AUTOMATION": "true"}) == ({*NEW}, {"yes_daily_schedule", "unsaid_daily_schedule"}, set())
    assert on({"MLOPS_AUTOMATION": "false"}) == ({"alerts"}, set(), set())
    off = located(tmp_path, {"MLOPS_AUTOMATION": "false"}, **SAID).get_repository_def()
    assert not off.schedule_defs, "nothing starts by itself"


def test_with_automation_off_nothing_begins_by_itself_but_what_tells_and_collects(tmp_path):
    begins = {"schedule": "0 6 * * *", "arrivals": True, "partitions": {**SPEC["partitions"], "reread": 3}}
    declare(tmp_path / "forecasts", name="no", automation=False, external=EXTERNAL, **begins)
    found = located(tmp_path).get_repository_def()
    assert not found.schedule_defs
    sensors = {one.name: one.default_status.name for one in found.sensor_defs}
    stopped = dict.fromkeys(("approvals", "arrivals", "rescore", "retrain_on_breach"), "STOPPED")
    assert sensors == {"alerts": "RUNNING", "jobs": "RUNNING", **stopped}
    graph = found.asset_graph
    assert graph.asset_check_keys, "checks are asked by the runs of their assets alone"
    nodes = [*map(graph.get, graph.get_all_asset_keys()), *map(graph.get, graph.asset_check_keys)]
    assert {node.automation_condition for node in nodes} == {None}, "Dagster's own sensor would start these"


def test_whom_a_sensor_serves_says_who_has_started_it(tmp_path, instance):
    specs = [declare(tmp_path, name=name, automation=said) for name, said in SAID.items()]

    def chosen(sensor: str, always: bool = False) -> list[str]:
        with dg.build_sensor_context(instance, repository_name="__repository__") as context:
            context._code_location_origin = HERE
            return [spec.name for spec in choose(context, sensor, specs, always).specs]

    assert chosen("rescore") == ["yes"]
    switch(instance, "rescore", IN_CODE)  # what the daemon notes of one that its definition starts
    assert chosen("rescore") == ["yes"]
    switch(instance, "approvals", RUNNING, RegisteredCodeLocationOrigin("elsewhere"))
    assert chosen("approvals") == ["yes"], "it was started in another code location"
    switch(instance, "retrain_on_breach", RUNNING)
    assert chosen("retrain_on_breach") == ["yes", "unsaid"]
    assert chosen("alerts", always=True) == ["yes", "no", "unsaid"], "people are told in any case"


def test_after_an_upgrade_what_was_running_goes_on_under_its_old_name_once(tmp_path, instance):
    """Release 0.1.0 had `a_rescore` switched on, `b_rescore` and `c_alerts` off, and `a_alerts` on by itself."""
    switch(instance, "a_rescore", RUNNING)
    switch(instance, "b_rescore", STOPPED)
    switch(instance, "c_alerts", STOPPED)
    switch(instance, "a_alerts", IN_CODE)
    here = located(tmp_path, a=None, b=None, c=None)
    states = {one.name: one.default_status.name for one in here.get_repository_def().sensor_defs}
    assert states["rescore"] == states["a_rescore"] == states["a_alerts"] == "STOPPED"
    assert states["alerts"] == "RUNNING"
    # Without anybody doing anything: the old sensor of a goes on, alone; alerts come from the new one, but c is silent.
    assert served(here, "a_rescore", instance)[0] == {"a"}
    told, words = served(here, "alerts", instance)
    assert told == {"a", "b"}
    assert "a person has stopped c_alerts" in words
    # The sensor for all is started: what runs under an old name is left to it, and how to move it over is said.
    switch(instance, "rescore", RUNNING)
    again, words = served(here, "rescore", instance)
    assert again == {"b", "c"}
    assert "left to a_rescore" in words
    assert "stop them, or say automation: true" in words
    # The spec says it: there is no old name any more, and the sensor for all serves it though its state stays.
    moved = located(tmp_path, a=True)
    assert not moved.get_repository_def().has_sensor_def("a_rescore")
    assert served(moved, "rescore", instance)[0] == {"a", "b", "c"}
    assert served(moved, "alerts", instance)[0] == {"a", "b"}
