"""Which forecasts a sensor for all of them serves, by their specs and by what people have switched on in Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.selector import RepositorySelector
from dagster._core.scheduler.instigation import InstigatorStatus

from mlops_assets.automation.aliases import alias, has_aliases
from mlops_assets.automation.turns import Served
from mlops_assets.forecasting.formatting import few
from mlops_assets.spec import ForecastSpec


@dataclass(frozen=True)
class Choice:
    """Whom a sensor serves.

    Attributes:
        specs: of the forecasts that it does.
        words: about those that it leaves to their old sensors; empty without any.
    """

    specs: Sequence[Served]
    words: str = ""


def automated(specs: Sequence[Served]) -> bool:
    """Whether any of some forecasts is to be served from the start."""
    return any(isinstance(spec, ForecastSpec) and spec.automation is True for spec in specs)


def choose(context: dg.SensorEvaluationContext, sensor: str, specs: Sequence[Served], always: bool = False) -> Choice:
    """Choose whom a sensor for all forecasts serves.

    One with `automation: true` is served, one with `false` is not. Of the others it serves all if a person has
    started it, and leaves to its old sensor each of which that is running.

    Args:
        context: of the evaluation.
        sensor: its name.
        specs: of all forecasts.
        always: it starts no run: it serves each forecast, except those of which a person has stopped the old sensor.
    """
    states = _states(context)
    by_hand = states is None or states.get(sensor) is InstigatorStatus.RUNNING
    chosen: list[Served] = []
    running: list[str] = []
    silent: list[str] = []
    for spec in specs:
        if not isinstance(spec, ForecastSpec):
            chosen.append(spec)
            continue
        old = (states or {}).get(alias(spec, sensor)) if has_aliases(spec) else None
        if old is InstigatorStatus.RUNNING:
            running.append(alias(spec, sensor))
        elif always and old is InstigatorStatus.STOPPED:
            silent.append(alias(spec, sensor))
        elif always or spec.automation or (spec.automation is None and by_hand):
            chosen.append(spec)
    words = []
    if running:
        way = "stop them, or say automation: true (MLOPS_AUTOMATION=true), and they are served here"
        words.append(f"left to {few(running)}, old names that run until the next release: {way}")
    if silent:
        words.append(f"not served, as a person has stopped {few(silent)}: reset that sensor, or say automation: true")
    return Choice(chosen, "; ".join(words))


def where_running(schedule: str, instance: dg.DagsterInstance) -> str:
    """Return in which code location a person has switched a schedule on; empty in none. A tick is not told its own."""
    if instance.schedule_storage is None:
        return ""
    running = {InstigatorStatus.RUNNING}
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE, instigator_statuses=running)
    origins = [one.origin.repository_origin.code_location_origin for one in states if one.name == schedule]
    return next((str(one.location_name) for one in origins), "")


def _states(context: dg.SensorEvaluationContext) -> dict[str, InstigatorStatus] | None:
    """Return what people have switched on or off in this code location, by name; None where Dagster does not know."""
    origin, instance = context.code_location_origin, context.instance
    if instance.schedule_storage is None:
        return None
    own = origin and RepositorySelector(
        location_name=origin.location_name, repository_name=str(context.repository_name)
    )
    states = instance.all_instigator_state(
        repository_selector_id=own.selector_id if own else None,
        instigator_type=InstigatorType.SENSOR,
        instigator_statuses={InstigatorStatus.RUNNING, InstigatorStatus.STOPPED},
    )
    return {state.name: state.status for state in states}
