"""Of several runs that are about to register the same training, one does; a dead one holds nobody up."""

from datetime import timedelta

import dagster as dg
import pytest

from mlops_assets.io_managers import MemoryTables
from mlops_assets.lifecycle import claims
from mlops_assets.lifecycle.claims import Registrations
from mlops_assets.stages.register import registered_or_claimed
from mlops_assets.tracking.registry import Version


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@dg.job
def demo_retrain():
    pass


def test_a_training_is_claimed_by_one_run_until_that_has_ended(instance):
    registrations = Registrations(MemoryTables(), "demo")
    first, second, third = (instance.create_run_for_job(demo_retrain) for _ in range(3))
    assert registrations.claim("ab", first.run_id, instance) == ""
    assert registrations.claim("ab", first.run_id, instance) == "", "a step that is tried again"
    assert registrations.claim("ab", second.run_id, instance) == f"{first.run_id} (under way)"
    assert registrations.claim("cd", second.run_id, instance) == "", "another training"
    instance.report_run_failed(first)
    assert registrations.claim("ab", second.run_id, instance) == ""
    assert registrations.claim("ab", third.run_id, instance) == f"{second.run_id} (under way)"


def test_a_run_of_another_dagster_is_waited_for_no_longer_than_a_registration_takes(instance, monkeypatch):
    registrations = Registrations(MemoryTables(), "demo")
    assert registrations.claim("ab", "elsewhere", instance) == ""
    assert registrations.claim("ab", "here", instance) == "elsewhere (under way)"
    monkeypatch.setattr(claims, "LONGEST_REGISTRATION", timedelta(0))
    assert registrations.claim("ab", "here", instance) == ""


def test_a_place_that_was_killed_goes_on_at_once_and_another_one_after_a_while(monkeypatch):
    registrations, said = Registrations(MemoryTables(), "demo"), []
    killed = registrations.turn("ab", "here", said.append)
    killed.__enter__()
    with registrations.turn("ab", "here", said.append), registrations.turn("cd", "there", said.append):
        pass
    monkeypatch.setattr(
        claims.time, "sleep", lambda _: monkeypatch.setattr(claims, "LONGEST_REGISTRATION", timedelta(0))
    )
    with registrations.turn("ab", "there", said.append):
        pass
    assert said == ["here"]


@pytest.mark.parametrize("version", [Version("demo", 3, "r"), None])
def test_who_comes_second_takes_the_version_of_the_first_or_its_place(version):
    looks, said = iter([None, None, version]), []
    holders = iter(["first (under way)", "first (under way)", ""])
    assert registered_or_claimed(lambda: next(looks), lambda: next(holders), said.append, pause=0) is version
    assert said == ["run first (under way) registers this very training: waiting for its version"]
