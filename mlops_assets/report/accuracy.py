"""The report's sections on how good the forecasts were: by lead, vintage, partition, item and segment."""

import pandas as pd

from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import holding, periods, starts
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.forecasting.model.features.calendar import holiday_names
from mlops_assets.lifecycle.decisions import milestones
from mlops_assets.report.page import Picture, Section, Table
from mlops_assets.report.state import Sources, limit_of
from mlops_assets.stages.score import read_scores
from mlops_assets.tracking.errors import TrackingError

RECENT = 28
"""Partitions that are looked back over."""
ITEMS = 6
"""Items of a picture."""
_SHOWN = ["rows", *ledger.shown_numbers()]
_SO_FAR = ["scored", "missing", "awaited", *_SHOWN[1:]]


def recent(sources: Sources) -> int:
    """Return how many scored partitions are looked back over: at least so many that a horizon is over in them."""
    return max(RECENT, periods(sources.spec, sources.spec.horizon))


def before(sources: Sources, origin: pd.Timestamp, made: pd.DataFrame) -> pd.DataFrame:
    """Return the observations that a fan shows before its origin."""
    spec = sources.spec
    keys = sources.stored.partitions(OBSERVATIONS)
    reach = periods(spec, 4 * max(spec.horizon, 7))
    columns = ["item_id", "timestamp", "target"]
    last = holding(spec, origin)
    near = [key for key in keys if key <= last][-reach:]
    rows = sources.stored.read(OBSERVATIONS, near, columns)
    return rows[(rows["timestamp"] <= origin) & rows["item_id"].isin(made["item_id"].unique())]


def looking_back(sources: Sources, rows: pd.DataFrame) -> Section:
    """Show the latest forecast whose horizon has passed, beside what came, where it went wrong most."""
    from mlops_assets.forecasting import charts

    spec, task = sources.spec, sources.spec.task
    rows = ledger.honest(rows)
    leads = rows.groupby("origin")["lead"].agg(["min", "max"])
    complete = leads[(leads["min"] == 1) & (leads["max"] == spec.horizon)]
    if complete.empty:
        return Section("What came")
    own = rows[rows["origin"] == complete.index.max()]
    origin = own["origin"].iloc[0]
    worst = ledger.worst_items(own, task, ITEMS)["item_id"].tolist()
    history = before(sources, origin, own)
    picture = Picture(
        lambda: charts.fan(
            history,
            own,
            actuals=own[["item_id", "timestamp", "target"]],
            items=worst,
            point=task.point_column,
            max_items=ITEMS,
        ),
        f"Forecasts beside what came, from {stamp(origin)}, of the items with the largest errors",
    )
    words = f"The latest forecast whose horizon is over, from {stamp(origin)}, beside what came, where it erred most:"
    return Section("What came", [words], [picture])


def by_lead(sources: Sources, rows: pd.DataFrame) -> Section:
    """Show the errors by lead and by vintage, and what is still awaited."""
    from mlops_assets.forecasting import charts

    spec, task = sources.spec, sources.spec.task
    first = rows["timestamp"].min()
    keys = sources.stored.partitions(FORECASTS)
    made = sources.stored.delivered(
        FORECASTS, keys[-recent(sources) - periods(spec, spec.horizon) :], ["item_id", "origin", "timestamp", "lead"]
    )
    made = made[made["timestamp"] >= first]
    end = rows["timestamp"].max() + pd.Timedelta(microseconds=1)
    vintages = ledger.vintages(made, rows, task, end)
    leads = ledger.leads(made, rows, task, end)
    awaited = int(vintages["awaited"].sum())
    honest = ledger.honest(rows)
    both = pd.concat(
        [
            ledger.compared(honest, task, ["lead"])[["lead", "mase"]].assign(model="forecast"),
            ledger.compared(honest, task, ["lead"])[["lead", "naive_mase"]]
            .rename(columns={"naive_mase": "mase"})
            .assign(model="seasonal_naive"),
        ]
    )
    picture = Picture(lambda: charts.error_by_lead(both, "mase"), "Error by lead, beside seasonal naive")
    words = (
        f"Forecasts of {stamp(first)} to {stamp(rows['timestamp'].max())}: {len(rows):,} have their actual, "
        f"{int(vintages['missing'].sum()):,} are due without one, {awaited:,} of the same origins are still awaited. "
        "A vintage is complete when nothing of its horizon is awaited; until then its numbers are of what has come."
    )
    shown = vintages.head(2 * min(spec.horizon, 14))
    return Section(
        "Accuracy by lead and vintage",
        [words],
        [picture],
        [
            Table.of("By lead", ledger.known_numbers(leads[["lead", *_SO_FAR]])),
            Table.of("By vintage, the latest first", ledger.known_numbers(shown[["origin", "complete", *_SO_FAR]])),
        ],
    )


def over_time(sources: Sources) -> Section:
    """Show error and coverage of every scored partition, with what happened to the model."""
    from mlops_assets.forecasting import charts

    spec, metric = sources.spec, sources.spec.retraining.metric
    scores = read_scores(sources.tables, spec.name)
    revised = scores.loc[scores["revision"] > 1, "partition"].nunique()
    whole = scores[(scores["scope"] == ledger.ALL) & (scores["rows"] > 0)]
    if whole.empty:
        return Section("Accuracy over time", ["No forecast could be scored yet."])
    whole = whole.assign(timestamp=starts(spec, whole["partition"]))
    events = milestones(sources.life.log.all())
    if spec.holidays is not None:
        days = holiday_names(spec.holidays, whole["timestamp"].min(), whole["timestamp"].max())
        events = pd.concat([some for some in (events, days) if len(some)] or [days], ignore_index=True)
    version = sources.life.champion()
    try:
        limit = limit_of(spec, sources.life.registry.metrics(version) if version is not None else {})
    except TrackingError:  # the state of the forecast says so
        limit = limit_of(spec, {})
    pair = outer_pair(spec.quantiles)
    pictures = [
        Picture(lambda: charts.accuracy_over_time(whole, metric, limit, events), f"{metric} over time, with its limit")
    ]
    if pair is not None:
        band = next((rules.coverage for rules in spec.rules_of_retraining if rules.coverage is not None), None)
        nominal = round(pair[1] - pair[0], 9)
        pictures.append(
            Picture(
                lambda: charts.coverage_over_time(whole, nominal, band, events), "Coverage of the interval over time"
            )
        )
    words = (
        "Each point is what the actuals of a partition say of all forecasts of it, by any lead. What happened to the "
        "model stands at the end of the data that it knew; holidays are shaded. "
        f"{revised} partitions were scored again because their data came late or were corrected (accuracy_scores)."
    )
    return Section("Accuracy over time", [words], pictures)


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
        by_segment = ledger.compared(inside, task, ["segment"])[["segment", *_SHOWN]]
        tables.append(Table.of("By segment", ledger.known_numbers(by_segment)))
    worst = ledger.worst_items(honest, task)[["item_id", "share_of_error", *_SHOWN]]
    tables.append(Table.of("The items whose errors weigh most", ledger.known_numbers(worst)))
    span = f"Forecasts of {stamp(honest['timestamp'].min())} to {stamp(honest['timestamp'].max())}."
    return Section("Items and segments", [span], tables=tables)
