"""The report's section on an external service beside our model, and the same numbers for MLflow."""

import pandas as pd

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.beside import OURS, scored
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.report.overview import ExternalState
from mlops_assets.report.page import Picture, Section, Table
from mlops_assets.report.state import Sources
from mlops_assets.stages.score import beside_services


def section(sources: Sources) -> Section:
    """Show service and model side by side, on the rows that both have forecast."""
    from mlops_assets.forecasting import charts

    title, task = "Beside the service", sources.spec.task
    rows = beside_services(sources.tables, sources.spec) if sources.spec.external is not None else pd.DataFrame()
    if rows.empty:
        return Section(title)
    ours, metric = rows[rows["model"] == OURS], ledger.BASELINE
    by_lead = ledger.compared(rows, task, ["model", "lead"])[["model", "lead", metric]]
    naive = ledger.compared(ours, task, ["lead"])[["lead", "naive_mase"]].rename(columns={"naive_mase": metric})
    lines = pd.concat([by_lead, naive.assign(model="seasonal_naive")], ignore_index=True)
    words = (
        f"{', '.join(sorted(rows['service'].unique()))} and our model on the same rows: the "
        f"{counted(len(ours), 'forecast')} of {stamp(rows['timestamp'].min())} to {stamp(rows['timestamp'].max())} "
        "that both have made, from the same origins."
    )
    picture = Picture(lambda: charts.error_by_lead(lines, metric), "Error by lead, service and model")
    return Section(title, [words], [picture], [Table.of("Side by side", scored(rows, task))])


def metrics_of(state: ExternalState | None) -> dict[str, float]:
    """Return the numbers of service and model as metrics of MLflow: `beside/rest/mase`, `beside/ours/mase`, ..."""
    return {
        f"beside/{model}/{name}": value
        for model, numbers in (state.scores if state is not None else {}).items()
        for name, value in numbers.items()
        if value is not None
    }
