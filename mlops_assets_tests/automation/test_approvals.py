"""Approval by a tag in MLflow: the sensor turns it into a run of the champion asset."""

import re
import time
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from mlops_assets.automation.approvals import read_tag
from mlops_assets.lifecycle.approvers import Approvers, Request, UnprovenError, read_keys, sign
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


ANNA = SecretStr("a-key-of-anna-1234")
APPROVERS = Approvers(read_keys("MLOPS_APPROVERS", SecretStr(f"Ann:{ANNA.get_secret_value()}")))


def look(world: World, approvers: Approvers | None = None) -> Any:
    """One evaluation of the sensor."""
    resources = {name: world.resources[name] for name in ("tables", "tracking", "clock", "notifications")}
    resources["approvers"] = approvers or Approvers()
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
    refused_without_a_signature(made, life, request)
    life.registry.set_tags(
        1, {"approval_signature": sign(Request("demo", 1, "approve", "Ann", "seen the page"), ANNA, time.time())}
    )
    (signed,) = look(made, APPROVERS)
    made.run("champion", config=signed.run_config)
    last = life.log.all().iloc[-1]
    assert (last["kind"], last["decided_by"], last["reason"]) == ("approval", "Ann", "seen the page")
    assert re.fullmatch("signature [0-9a-f]{16}", last["proof"])
    assert life.champion().number == 1
    assert look(made).skip_message == "no version waits for approval"


def refused_without_a_signature(made: World, life: Lifecycle, request: Any) -> None:
    """Where approvers are named, neither the tag nor run config is enough; people are told once."""
    for _ in range(2):
        assert "version 1 waits; version 1 of demo: this needs a signature of Ann" in look(made, APPROVERS).skip_message
    told = made.tables.read(["demo", "alerts"])
    assert len(told[told["event"] == "unproven"]) == 1
    made.resources["approvers"] = APPROVERS
    with pytest.raises(UnprovenError, match="needs a signature of Ann"):
        made.run("champion", config=request.run_config)
    unapproved = {"ops": {"demo__forecasts": {"config": {"version": 1}}}}
    with pytest.raises(dg.Failure, match="version 1 of demo was never champion: nobody has let it in"):
        made.run("forecasts", partition=HISTORY.rpartition("...")[2], config=unapproved)
    assert life.champion() is None
