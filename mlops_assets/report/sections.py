"""What the report shows, section by section."""

from collections.abc import Iterator

import pandas as pd

from mlops_assets.catalog.names import (
    DATA_DRIFT,
    FORECAST_ACCURACY,
    FORECAST_CHANGE,
    FORECASTS,
    OBSERVATIONS,
    QUARANTINE,
    RETRAINING_DECISIONS,
)
from mlops_assets.catalog.partitions import holding, periods, starts
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.forecasting.monitoring.change import PARTS
from mlops_assets.lifecycle.decisions import milestones
from mlops_assets.report.overview import Overview
from mlops_assets.report.page import Card, Picture, Section, Table, render
from mlops_assets.report.state import Sources, limit_of
from mlops_assets.stages.score import read_scores

RECENT = 28
"""Scored partitions that the tables by lead, segment and item look back over."""
ITEMS = 6
_SHOWN = ["rows", *ledger.shown_numbers()]
_SO_FAR = ["scored", "missing", "awaited", *_SHOWN[1:]]


def cards(state: Overview) -> Iterator[Card]:
    """Yield the numbers at the top."""
    best, score = state.champion, state.accuracy
    if best is not None:
        yield Card("champion", f"version {best.version}", f"trained until {best.trained_until}")
    last = state.last.get("forecasts")
    if last is not None:
        yield Card("latest forecast from", last, f"next round {state.next_round or 'when you run it'}")
    if score is not None:
        limit = f"limit {score.limit:.3f}; " if score.limit is not None else ""
        value = "–" if score.value is None else f"{score.value:.3f}"
        yield Card(label(score.metric), value, f"{limit}of {score.partition}")
        if score.skill is not None:
            yield Card("skill", f"{score.skill:.0%}", "above 0 is better than seasonal naive")
        if score.coverage is not None:
            yield Card("within the interval", f"{score.coverage:.0%}", f"of {score.rows:,} forecasts")
    if state.drift is not None:
        count = f"of {state.drift.judged} features by {state.drift.partition}"
        yield Card("drifted", str(len(state.drift.drifted)), count)


def sections(sources: Sources, state: Overview) -> Iterator[Section]:
    """Yield all sections; one that has nothing to show is empty."""
    stored = sources.stored.partitions(FORECAST_ACCURACY)
    rows = sources.stored.read(FORECAST_ACCURACY, stored[-_recent(sources) :]) if stored else pd.DataFrame()
    yield _forecasts(sources)
    if len(rows):
        rows = rows.assign(item_id=rows["item_id"].astype(str))
        yield _looking_back(sources, rows)
        yield _by_lead(sources, rows)
    yield _over_time(sources)
    if len(rows) and len(honest := ledger.honest(rows)):
        yield _items(sources, honest)
    yield _change(sources)
    yield _drift(sources, state)
    yield _model(sources, state)
    yield _quality(sources, state)
    yield _stored(state)


def _recent(sources: Sources) -> int:
    """Return how many scored partitions are looked back over: at least so many that a horizon is over in them."""
    return max(RECENT, periods(sources.spec, sources.spec.horizon))


def _forecasts(sources: Sources) -> Section:
    from mlops_assets.forecasting import charts

    spec = sources.spec
    stored = sources.stored.partitions(FORECASTS)
    if not stored:
        return Section("Forecasts")
    made = sources.stored.read(FORECASTS, [stored[-1]])
    origin = made["origin"].iloc[0]
    history = _history(sources, origin, made)
    pictures = [
        Picture(
            lambda: charts.fan(history, made, point=spec.task.point_column, max_items=ITEMS),
            f"Forecasts of the largest items, from {stamp(origin)}",
        )
    ]
    fallback = int((made["source"] == "fallback").sum())
    words = (
        f"{made['item_id'].nunique():,} items, {spec.horizon} steps ahead from {stamp(origin)}, by version "
        f"{made['model_version'].iloc[0]}; {fallback:,} of {len(made):,} rows are fallback (seasonal naive). "
        "The largest items:"
    )
    return Section("Forecasts", [words], pictures)


def _history(sources: Sources, origin: pd.Timestamp, made: pd.DataFrame) -> pd.DataFrame:
    """Return the observations that a fan shows before its origin."""
    spec = sources.spec
    keys = sources.stored.partitions(OBSERVATIONS)
    reach = periods(spec, 4 * max(spec.horizon, 7))
    columns = ["item_id", "timestamp", "target"]
    last = holding(spec, origin)
    near = [key for key in keys if key <= last][-reach:]
    rows = sources.stored.read(OBSERVATIONS, near, columns)
    return rows[(rows["timestamp"] <= origin) & rows["item_id"].isin(made["item_id"].unique())]


def _looking_back(sources: Sources, rows: pd.DataFrame) -> Section:
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
    history = _history(sources, origin, own)
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


def _by_lead(sources: Sources, rows: pd.DataFrame) -> Section:
    from mlops_assets.forecasting import charts

    spec, task = sources.spec, sources.spec.task
    first = rows["timestamp"].min()
    keys = sources.stored.partitions(FORECASTS)
    made = sources.stored.read(
        FORECASTS, keys[-_recent(sources) - periods(spec, spec.horizon) :], ["item_id", "origin", "timestamp", "lead"]
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
            Table.of("By lead", leads[["lead", *_SO_FAR]]),
            Table.of("By vintage, the latest first", shown[["origin", "complete", *_SO_FAR]]),
        ],
    )


def _over_time(sources: Sources) -> Section:
    from mlops_assets.forecasting import charts
    from mlops_assets.forecasting.model.calendar import holiday_names

    spec, metric = sources.spec, sources.spec.retraining.metric
    scores = read_scores(sources.tables, spec.name)
    revised = scores.loc[scores["revision"] > 1, "partition"].nunique()
    whole = scores[(scores["scope"] == "all") & (scores["rows"] > 0)]
    if whole.empty:
        return Section("Accuracy over time", ["No forecast could be scored yet."])
    whole = whole.assign(timestamp=starts(spec, whole["partition"]))
    events = milestones(sources.life.log.all())
    if spec.holidays is not None:
        days = holiday_names(spec.holidays, whole["timestamp"].min(), whole["timestamp"].max())
        events = pd.concat([some for some in (events, days) if len(some)] or [days], ignore_index=True)
    version = sources.life.champion()
    limit = limit_of(spec, sources.life.registry.metrics(version) if version is not None else {})
    pair = outer_pair(spec.quantiles)
    pictures = [
        Picture(lambda: charts.accuracy_over_time(whole, metric, limit, events), f"{metric} over time, with its limit")
    ]
    if pair is not None:
        low, high = spec.retraining.coverage or (None, None)
        band = (low, high) if low is not None and high is not None else None
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


def _items(sources: Sources, honest: pd.DataFrame) -> Section:
    spec, task = sources.spec, sources.spec.task
    static = None
    if spec.covariates.static:
        keys = sources.stored.partitions(OBSERVATIONS)[-1:]
        static = sources.stored.read(OBSERVATIONS, keys, ["item_id", *spec.covariates.static])
    inside = honest.merge(ledger.segments(honest, static), on="item_id")
    tables = []
    if len(inside):
        tables.append(Table.of("By segment", ledger.compared(inside, task, ["segment"])[["segment", *_SHOWN]]))
    worst = ledger.worst_items(honest, task)[["item_id", "share_of_error", *_SHOWN]]
    tables.append(Table.of("The items whose errors weigh most", worst))
    span = f"Forecasts of {stamp(honest['timestamp'].min())} to {stamp(honest['timestamp'].max())}."
    return Section("Items and segments", [span], tables=tables)


def _change(sources: Sources) -> Section:
    from mlops_assets.forecasting import charts

    stored = sources.stored.partitions(FORECAST_CHANGE)
    rows = sources.stored.read(FORECAST_CHANGE, stored[-1:]) if stored else pd.DataFrame()
    if rows.empty:
        return Section("Why the forecast changed")
    picture = Picture(lambda: charts.change_bridge(rows), "From the previous forecast to the present one")
    return Section(
        "Why the forecast changed",
        ["The sums of the same items and target times, from the previous origin's forecast to the latest one's."],
        [picture],
        [
            Table.of(
                "The largest changes", rows[["item_id", "previous", *PARTS, "current", "change"]].head(10), digits=1
            )
        ],
    )


def _drift(sources: Sources, state: Overview) -> Section:
    if state.drift is None:
        return Section("Data drift")
    columns = ["explanation", "psi", "usual_psi", "p_value", "drifted"]
    rows = sources.stored.read(DATA_DRIFT, [state.drift.partition], columns)
    count = len(state.drift.drifted)
    said = f"{count} of {len(rows)} features drifted" if count else "Nothing drifted"
    said = said if state.drift.judged else "Nothing could be judged"
    words = f"{said}: the newest data beside the same season slots of what the champion has learnt from."
    return Section("Data drift", [words], tables=[Table.of("", rows.head(12), wordy=["explanation"])])


def _model(sources: Sources, state: Overview) -> Section:
    from mlops_assets.forecasting import charts
    from mlops_assets.tracking.errors import TrackingError

    if state.champion is None:
        return Section("Model and decisions")
    life = sources.life
    decided = state.champion.decided_by or "an alias that was set by hand"
    words = [
        f"Version {state.champion.version}, decided by {decided}, trained until {state.champion.trained_until}. "
        f"{state.champion.link}"
    ]
    pictures = []
    try:
        importances = life.registry.read_table(state.champion.version, "importances.csv")
        pictures.append(Picture(lambda: charts.importances(importances, top=12), "Importances of the features"))
    except TrackingError as error:
        words.append(f"Its importances cannot be shown: {error}")
    log = life.log.all().iloc[::-1].head(10)
    decided = log.assign(decided_at=log["decided_at"].dt.floor("s"))[
        ["decided_at", "version", "outcome", "decided_by", "reason"]
    ]
    tables = [Table.of("Decisions, the latest first", decided, wordy=["reason"])]
    answers = sources.stored.read(RETRAINING_DECISIONS)
    if len(answers):
        said = answers.sort_values("number").iloc[::-1].head(10)[["partition", "action", "rule", "reason"]]
        tables.append(Table.of("What the retraining policy said, the latest first", said, wordy=["reason"]))
    return Section("Model and decisions", words, pictures, tables)


def _quality(sources: Sources, state: Overview) -> Section:
    tables = []
    stored = sources.stored.partitions(OBSERVATIONS)[-RECENT:]
    if not stored:
        return Section("Data quality")
    rows = sources.stored.read(OBSERVATIONS, stored, ["item_id", "timestamp", "target"])
    missing = rows["target"].isna().mean() if len(rows) else float("nan")
    bad = sources.stored.read(QUARANTINE, stored)
    words = (
        f"{len(rows):,} rows of {rows['item_id'].nunique():,} items in the latest {len(stored)} partitions; the "
        f"target is missing in {missing:.1%}; {len(bad):,} rows are in quarantine."
    )
    if len(bad):
        reasons = bad["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
        tables.append(Table.of("Quarantine by reason", reasons, wordy=["reason"]))
    failed = pd.DataFrame(list(state.failed_runs), columns=["run_id", "job", "ended", "link"])
    if len(failed):
        tables.append(Table.of("Failed runs", failed[["ended", "job", "link"]], wordy=["link"]))
    return Section("Data quality", [words], tables=tables)


def _stored(state: Overview) -> Section:
    frame = state.to_frame()
    return Section("What is stored", tables=[Table.of("", frame)] if len(frame) else [])


def page(sources: Sources, state: Overview, partition: str = "") -> str:
    """Return the report of a forecast as HTML that needs nothing else."""
    return render(state, partition, list(cards(state)), contents(sources, state))


def contents(sources: Sources, state: Overview) -> list[Section]:
    """Return the sections that have something to show."""
    return [part for part in sections(sources, state) if part.words or part.pictures or part.tables]
