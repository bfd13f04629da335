"""The report's section on an external service beside our model, and the same numbers for MLflow."""

import pandas as pd

from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.beside import OURS, scored
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.lifecycle.roles import CHAMPION
from mlops_assets.report.overview import ExternalState
from mlops_assets.report.section import Section, Table
from mlops_assets.report.sources import Sources
from mlops_assets.report.state import external_state
from mlops_assets.stages import deliver
from mlops_assets.stages.score import beside_services


def section(sources: Sources) -> Section:
    """Show service and model side by side, on the rows that both have forecast."""
    title, task, state = "Beside the service", sources.spec.task, external_state(sources)
    if state is None:
        return Section(title)
    role, rows = f"{standing(state)}.", beside_services(sources.tables, sources.spec)
    if rows.empty:
        return Section(title, [role])
    ours, metric = rows[rows["model"] == OURS], ledger.BASELINE
    by_lead = ledger.compared(rows, task, ["model", "lead"])[["model", "lead", metric]]
    naive = ledger.compared(ours, task, ["lead"])[["lead", "naive_mase"]].rename(columns={"naive_mase": metric})
    lines = pd.concat([by_lead, naive.assign(model="seasonal_naive")], ignore_index=True)
    words = (
        f"{', '.join(sorted(rows['service'].unique()))} and our model on the same rows: the "
        f"{counted(len(ours), 'forecast')} of {stamp(rows['timestamp'].min())} to {stamp(rows['timestamp'].max())} "
        "that both have made, from the same origins."
    )
    leads = lines.pivot(index="lead", columns="model", values=metric).rename_axis(columns=None).reset_index()
    tables = [Table("Side by side", scored(rows, task)), Table(f"{label(metric)} by lead", leads)]
    return Section(title, [role, words], tables)


def standing(one: ExternalState) -> str:
    """Say what an external service's forecasts are for, since when, and whose are delivered at present."""
    said = f"{one.service} is {one.role}"
    if one.since is not None:
        said += f" since {one.since} UTC (by {one.decided_by}: {one.reason})"
    if one.role != one.declared:
        said += f"; the spec says {one.declared}, and the last word counts"
    said += f"; its latest forecast is from {one.latest}" if one.latest else "; it has made no forecast yet"
    return f"{said}; {whose}" if (whose := _delivered(one)) else said


def _delivered(one: ExternalState) -> str:
    """Say whose forecasts are delivered where a role lets one ask: a switch holds from the next round on."""
    if not one.delivered:
        return ""
    source, because = one.delivered["source"], one.delivered["delivered_because"]
    switched = "the switch holds from the next round on"
    if one.role != CHAMPION:
        return f"delivered: still {source}, {switched}" if one.service in source else ""
    if one.service in source:
        return f"delivered: {source}"
    return f"delivered: ours ({source}), {switched if because == deliver.CHAMPION else because}"


def metrics_of(state: ExternalState | None) -> dict[str, float]:
    """Return the numbers of service and model as metrics of MLflow: `beside/rest/mase`, `beside/ours/mase`, ..."""
    return {
        f"beside/{model}/{name}": value
        for model, numbers in (state.scores if state is not None else {}).items()
        for name, value in numbers.items()
        if value is not None
    }
