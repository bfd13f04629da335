"""A year by Dagster: a run may fail of what is expected to go wrong, and of nothing else."""

import dagster as dg
import pytest

from mlops_assets.rounds.runner import StepBugError
from mlops_assets.simulation.full import require_no_bug
from mlops_assets.sources.base import SourceError


def ended(error: Exception | None) -> dg.ExecuteInProcessResult:
    """A run whose one step raises an error, or succeeds."""

    @dg.op
    def simulated__observations() -> None:
        if error is not None:
            raise error

    @dg.job
    def simulated_daily() -> None:
        simulated__observations()

    return simulated_daily.execute_in_process(raise_on_error=False)


@pytest.mark.parametrize("error", [None, SourceError("the file is late"), dg.Failure("too many rows are rejected")])
def test_what_is_expected_to_go_wrong_is_a_day_like_others(error: Exception | None) -> None:
    require_no_bug(ended(error))


def test_a_bug_is_told_with_its_step() -> None:
    with pytest.raises(StepBugError, match=r"simulated_daily.*step simulated__observations: KeyError: 'lost'"):
        require_no_bug(ended(KeyError("lost")))
