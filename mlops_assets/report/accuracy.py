"""The sections on how good the forecasts were: by lead, vintage, item and segment."""

import pandas as pd

from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import periods
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.report.section import Section, Table
from mlops_assets.report.state import Sources
from mlops_assets.stages.score import read_scores

RECENT = 28
"""Partitions that are looked back over."""


def recent(sources: Sources) -> int:
    """Return how many scored partitions are looked back over: at least so many that a horizon is over in them."""
    return max(RECENT, periods(sources.spec, sources.spec.horizon))


def by_lead(sources: Sources, rows: pd.DataFrame) -> Section:
    """Show the errors by lead and by vintage, what is still awaited, and what was scored again."""
    spec, task = sources.spec, sources.spec.task
    so_far = ["scored", "missing", "awaited", *ledger.shown_numbers(task)]
    first = rows["timestamp"].min()
    keys = sources.stored.partitions(FORECASTS)
    made = sources.stored.delivered(
        FORECASTS, keys[-recent(sources) - periods(spec, spec.horizon) :], ["item_id", "origin", "timestamp", "lead"]
    )
    made = made[made["timestamp"] >= first]
    end = rows["timestamp"].max() + pd.Timedelta(microseconds=1)
    vintages = ledger.vintages(made, rows, task, end)
    leads = ledger.leads(made, rows, task, end)
    words = (
        f"Forecasts of {stamp(first)} to {stamp(rows['timestamp'].max())}: {len(rows):,} have their actual, "
        f"{int(vintages['missing'].sum()):,} are due without one, {int(vintages['awaited'].sum()):,} of the same "
        "origins are still awaited. A vintage is complete when nothing of its horizon is awaited; until then its "
        "numbers are of what has come."
    )
    shown = vintages.head(2 * min(spec.horizon, 14))
    return Section(
        "Accuracy by lead and vintage",
        [words, *_scored_again(sources)],
        [
            Table("By lead", ledger.known_numbers(leads[["lead", *so_far]])),
            Table("By vintage, the latest first", ledger.known_numbers(shown[["origin", "complete", *so_far]])),
        ],
    )


def _scored_again(sources: Sources) -> list[str]:
    scores = read_scores(sources.tables, sources.spec)
    revised = scores.loc[scores["revision"] > 1, "partition"].nunique()
    again = "was" if revised == 1 else "were"
    why = "scored again because their data came late or were corrected (accuracy_scores)."
    return [f"{counted(revised, 'partition')} {again} {why}"] if revised else []


def items(sources: Sources, honest: pd.DataFrame) -> Section:
    """Show the errors by segment, and the items that weigh most in them."""
    spec, task = sources.spec, sources.spec.task
    static = None
    if spec.covariates.static:
        keys = sources.stored.partitions(OBSERVATIONS)[-1:]
        static = sources.stored.read(OBSERVATIONS, keys, ["item_id", "timestamp", *spec.covariates.static])
    inside = honest.merge(segments(honest, static), on="item_id")
    tables = []
    if len(inside):
        by_segment = ledger.compared(inside, task, ["segment"])[["segment", "rows", *ledger.shown_numbers(task)]]
        tables.append(Table("By segment", ledger.known_numbers(by_segment)))
    worst = ledger.worst_items(honest, task)[["item_id", "share_of_error", "rows", *ledger.shown_numbers(task)]]
    tables.append(Table("The items whose errors weigh most", ledger.known_numbers(worst)))
    span = f"Forecasts of {stamp(honest['timestamp'].min())} to {stamp(honest['timestamp'].max())}."
    return Section("Items and segments", [span], tables=tables)
