"""What a run says while it goes on, and when it fails."""

import dagster as dg
import pytest

from mlops_assets.catalog.run_tags import REPOSITORY_LABEL
from mlops_assets.errors import DataError, ExitCode
from mlops_assets.rounds.runner import InterruptedRunError, RunFailedError, Runner, Step, UndeliveredError
from mlops_assets.stages.deliver import NoChampionError


@dg.asset
def first() -> int:
    raise DataError("no such column")


@dg.asset
def second(first: int) -> int:
    return first


def test_a_failure_is_told_once_in_its_own_words():
    said: list[Step] = []
    made = dg.Definitions([first, second], jobs=[dg.define_asset_job("both")])
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(RunFailedError) as caught:
        Runner(made, instance, said.append)("both")
    assert caught.value.message.endswith("): no such column")
    assert [(step.asset, step.state) for step in said] == [("first", "started"), ("first", "failed")]


def test_a_command_that_is_told_to_end_is_no_bug_and_goes_on_with_nothing():
    @dg.asset
    def told() -> None:
        raise dg.DagsterExecutionInterruptedError

    made = dg.Definitions([told], jobs=[dg.define_asset_job("one")])
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(InterruptedRunError) as caught:
        Runner(made, instance, lambda _: None)("one")
    assert not isinstance(caught.value, RunFailedError), "after which a round would go on"
    assert "told failed (job one" in caught.value.message
    assert "the process was told to end (SIGTERM, Ctrl-C); what was stored before is kept" in caught.value.message


def test_that_only_a_champion_may_forecast_is_a_failure_of_its_own():
    @dg.asset
    def forecasts() -> None:
        error = NoChampionError("demo has no champion yet")
        raise dg.Failure(str(error), allow_retries=False) from error

    made = dg.Definitions([forecasts], jobs=[dg.define_asset_job("one")])
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(UndeliveredError, match="no champion yet") as caught:
        Runner(made, instance, lambda _: None)("one")
    assert caught.value.exit_code == ExitCode.NOT_ALLOWED


def test_a_run_of_a_command_is_listed_with_those_of_the_code_location():
    @dg.asset
    def listed() -> None: ...

    made = dg.Definitions([listed], jobs=[dg.define_asset_job("one")])
    with dg.DagsterInstance.ephemeral() as instance:
        Runner(made, instance, lambda _: None)("one")
        (run,) = instance.get_runs(dg.RunsFilter(tags={REPOSITORY_LABEL: "__repository__@mlops_assets.definitions"}))
    assert run.is_success
    assert run.remote_job_origin is not None
    assert (run.remote_job_origin.location_name, run.remote_job_origin.job_name) == ("mlops_assets.definitions", "one")
