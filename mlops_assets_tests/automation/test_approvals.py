"""Approval by a tag in MLflow: the sensor turns it into a run of the champion asset."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.automation.approvals import read_tag
from mlops_assets.lifecycle.decisions import DecisionError, Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets_tests.automation import ticks
from mlops_assets_tests.worlds import HISTORY, World


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("approved by Ann", ("approve", "Ann", "approved in MLflow")),
        ("Approved by Ann Lee: looks right: all of it", ("approve", "Ann Lee", "looks right: all of it")),
        (" rejected  by bob@example.org : no ", ("reject", "bob@example.org", "no")),
        ("approved", None),
        ("approved by ", None),
        ("approved by : why", None),
        ("yes", None),
        ("", None),
    ],
)
def test_what_a_tag_says(text, decision):
    assert read_tag(text) == decision


def look(world: World) -> Any:
    """One evaluation of the sensor."""
    resources = {name: world.resources[name] for name in ("tables", "tracking", "clock")}
    with dg.build_sensor_context(instance=world.instance, resources=resources) as context:
        return ticks.tick(world.spec, "demo_approvals", context)


def test_a_version_that_waits_and_is_deleted_in_mlflow_waits_no_longer(world):
    made = world(approval="manual")
    life = Lifecycle(made.tables, made.tracking, made.resources["clock"], "demo")
    life.log.append(lambda log: Entry("gate", "awaiting approval", 7, None, None, "gate", "good"), life._clock.now())
    assert look(made).skip_message == "no version waits for approval"
    assert look(made).skip_message == "no version waits for approval"
    assert life.log.all()["outcome"].tolist() == ["awaiting approval", "gone"]
    assert "version 7 is gone from MLflow" in life.log.all()["reason"].iloc[-1]
    with pytest.raises(DecisionError, match="version 7 of demo is gone from MLflow; there are: none"):
        life.approve(7, "Ann", "why")


def test_a_tag_in_mlflow_is_carried_out_once(world):
    made = world(approval="manual")
    made.run("observations", "quarantine", partition=HISTORY)
    assert look(made).skip_message == "no version waits for approval"
    made.train()
    assert look(made).skip_message == "version 1 waits"
    life = Lifecycle(made.tables, made.tracking, made.resources["clock"], "demo")
    life.registry.set_tags(1, {"approval": "fine with me"})
    assert "write 'approved by WHO: WHY'" in look(made).skip_message
    life.registry.set_tags(1, {"approval": "approved by Ann: seen the page"})
    (request,), (again,) = look(made), look(made)
    assert again.run_key == request.run_key
    made.run("champion", config=request.run_config)
    last = life.log.all().iloc[-1]
    assert (last["kind"], last["decided_by"], last["reason"]) == ("approval", "Ann", "seen the page")
    assert life.champion().number == 1
    assert look(made).skip_message == "no version waits for approval"
