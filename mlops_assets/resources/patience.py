"""Patience: a step that meets a server which does not answer is tried again, for minutes; one that is wrong is not.

The same parts of a step are measured (`meter`).
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, TypeVar

import dagster as dg

from mlops_assets.errors import TransientError
from mlops_assets.resources import meter
from mlops_assets.resources.secrets import scrub

TRIES = 6
"""Times that a step is tried again: together they wait for five minutes."""
FIRST_WAIT = 5.0
"""Seconds before the first; each wait is twice the one before."""
_DRIVERS = ("psycopg", "psycopg2", "adbc_driver_manager", "pymysql")
RUN_AGAIN = "dagster/retry_on_asset_or_op_failure"
"""Tag of runs that Dagster makes again where a step failed (`run_retries` of dagster.yaml).

What a step itself raises is tried again here where that helps, and takes the tag back. It is for Dagster's own part of
a step, such as an event that cannot be stored while its database is restarted.
"""

Step = TypeVar("Step", bound=Callable[..., Any])


def patient(step: Step) -> Step:
    """Let an asset's function, or a method that stores or loads, be tried again while what it asks does not answer.

    One of its parameters is `context`. A retry policy of Dagster would try again with every error, a bug among them.
    What it takes is measured, once (`meter`).
    """
    place = list(inspect.signature(step).parameters).index("context")
    if inspect.isgeneratorfunction(step):

        @wraps(step)
        def outputs(*arguments: Any, **named: Any) -> Iterator[Any]:
            with patience(arguments[place]), metered(arguments[place]):
                yield from step(*arguments, **named)

        return outputs  # pyright: ignore[reportReturnType]

    @wraps(step)
    def output(*arguments: Any, **named: Any) -> Any:
        with patience(arguments[place]), metered(arguments[place]):
            return step(*arguments, **named)

    return output  # pyright: ignore[reportReturnType]


@contextmanager
def patience(context: Any) -> Iterator[None]:
    """Ask Dagster to try a step again if what is done here meets a passing error; outside a step it is raised.

    Args:
        context: of an asset, or of what an IO manager stores or loads.
    """
    try:
        yield
    except Exception as error:
        tried = _tried(context)
        if not passing(error) or tried is None or tried >= TRIES:
            _no_run_again(context)
            raise
        wait = FIRST_WAIT * 2**tried
        reason = scrub(" ".join(f"{error}".split()))[:300]
        context.log.warning(f"{reason}: tried again in {wait:g} s ({tried + 1} of {TRIES})")
        raise dg.RetryRequested(max_retries=TRIES, seconds_to_wait=wait) from error


def _no_run_again(context: Any) -> None:
    """Say that the run of a step is not to be made again for what the step has raised."""
    step = _step(context)
    if step is not None:
        with suppress(Exception):  # where Dagster's database is away, it makes the run again
            context.instance.add_run_tags(step[0], {RUN_AGAIN: "false"})


def passing(error: BaseException) -> bool:
    """Whether an error may pass by itself: one of ours that says so, or of a database's driver, also Dagster's."""
    return isinstance(error, TransientError) or any(
        kind.__name__ == "OperationalError" and kind.__module__.partition(".")[0] in _DRIVERS
        for one in (error, getattr(error, "orig", None))
        for kind in type(one).__mro__
    )


def _tried(context: Any) -> int | None:
    """Return how often the step was tried before; None outside a step."""
    if isinstance(context, dg.AssetExecutionContext):
        return context.retry_number
    try:
        return context.step_context.previous_attempt_count
    except dg.DagsterInvariantViolationError:
        return None


@contextmanager
def metered(context: Any) -> Iterator[None]:
    """Measure a part of a step: an input that is loaded, the asset's function, an output that is stored.

    With the output, all that the step took until then is said in its metadata (of several partitions at once: each
    has its share).

    Args:
        context: of an asset, or of what an IO manager stores or loads.
    """
    step = _step(context)
    if step is None:
        yield
        return
    with meter.metering_step(*step):
        yield
    if isinstance(context, dg.OutputContext):
        asset = tuple(context.asset_key.path) if context.has_asset_key else None
        partitions = max(1, len(list(context.asset_partition_keys))) if context.has_asset_partitions else 1
        context.add_output_metadata(meter.stored(*step, asset, partitions).rounded(partitions))
        meter.give_memory_back()


def _step(context: Any) -> tuple[str, str] | None:
    """Return the run and the step that a context is of; None outside a step."""
    try:
        if isinstance(context, dg.AssetExecutionContext):
            return context.run.run_id, context.get_step_execution_context().step.key
        return context.step_context.run_id, context.step_context.step.key
    except dg.DagsterInvariantViolationError:
        return None
