"""What is told in words and tables, section by section: of the forecast as a whole, and of its data."""

from collections.abc import Iterable, Iterator

import pandas as pd

from mlops_assets.catalog.names import (
    ANOMALIES,
    DATA_DRIFT,
    FORECAST_ACCURACY,
    FORECASTS,
    OBSERVATIONS,
    QUARANTINE,
    RETRAINING_DECISIONS,
)
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.formatting import number, stamp
from mlops_assets.forecasting.model import extensions
from mlops_assets.report import accuracy, beside, jobs, spending
from mlops_assets.report.overview import Overview
from mlops_assets.report.section import Card, Section, Table
from mlops_assets.report.sources import Sources


def cards(state: Overview) -> Iterator[Card]:
    """Yield the numbers at the top."""
    best, score = state.champion, state.accuracy
    if best is not None:
        kind = f"{best.model_kind}, " if best.model_kind else ""
        yield Card("champion", f"version {best.version}", f"{kind}trained until {best.trained_until}")
    last = state.last.get(FORECASTS)
    if last is not None:
        yield Card("latest forecast from", last, f"next round {state.next_round or 'when you run it'}")
    if score is not None:
        limit = f"limit {score.limit:.3f}; " if score.limit is not None else ""
        yield Card(label(score.metric), number(score.value), f"{limit}of {score.partition}")
        if score.skill is not None:
            yield Card("skill", f"{score.skill:.0%}", f"of {score.partition}; above 0 is better than seasonal naive")
        if score.coverage is not None:
            yield Card("within the interval", f"{score.coverage:.0%}", f"of {score.rows:,} forecasts")
    else:
        for name, value in state.backtest.items():
            naive = state.backtest.get(f"naive_{name}")
            if not name.startswith("naive_"):
                beside = f"; seasonal naive {number(naive)}" if naive is not None else ""
                yield Card(label(name), number(value), f"of the backtest, nothing is scored yet{beside}")
    if state.drift is not None:
        count = f"of {state.drift.judged} features by {state.drift.partition}"
        yield Card("drifted", str(len(state.drift.drifted)), count)


def overview_sections(sources: Sources, state: Overview) -> list[Section]:
    """Return what there is to tell of the forecast as a whole, what others tell last."""
    own = (_of_others(name, sources, state) for name in sources.spec.report.sections)
    return _told([*_of_the_whole(sources, state), *own])


def quality_sections(sources: Sources, state: Overview) -> list[Section]:
    """Return what there is to tell of its data."""
    return _told([_quality(sources, state), _drift(sources, state)])


def _of_others(name: str, sources: Sources, state: Overview) -> Section:
    """Let a function of somebody's own tell something; that it fails is told in its place, and stops no report."""
    try:
        function = extensions.resolve(extensions.SECTIONS, name)
        made = extensions.called(extensions.SECTIONS, name, function, sources.stored, state)
        if made is not None and not isinstance(made, Section):
            raise extensions.ExtensionError(f"the report section {name!r} gives {type(made).__name__}, not a Section")
    except MlopsAssetsError as error:
        return Section(name, [error.message])
    return made or Section(name)


def _told(sections: Iterable[Section]) -> list[Section]:
    return [one for one in sections if one.sentences or one.tables]


def _of_the_whole(sources: Sources, state: Overview) -> Iterator[Section]:
    stored = sources.stored.partitions(FORECAST_ACCURACY)
    recent = stored[-accuracy.recent(sources) :]
    rows = sources.stored.delivered(FORECAST_ACCURACY, recent) if stored else pd.DataFrame()
    yield _forecasts(sources)
    if len(rows):
        rows = rows.assign(item_id=rows["item_id"].astype(str))
        yield accuracy.by_lead(sources, rows)
    yield beside.section(sources)
    yield jobs.section(sources)
    if len(rows) and len(honest := ledger.honest(rows)):
        yield accuracy.items(sources, honest)
    yield _model(sources, state)
    yield _stored(state)
    yield spending.section(state.spent)


def _forecasts(sources: Sources) -> Section:
    spec = sources.spec
    stored = sources.stored.partitions(FORECASTS)
    if not stored:
        return Section("Forecasts")
    made = sources.stored.delivered(FORECASTS, [stored[-1]], ["item_id", "origin", "source", "model_version"])
    if made.empty:
        return Section("Forecasts", [f"None from {stored[-1]}: nothing has been observed of any item lately."])
    fallback = int((made["source"] == "fallback").sum())
    words = (
        f"{made['item_id'].nunique():,} items, {spec.horizon} steps ahead from {stamp(made['origin'].iloc[0])}, by "
        f"version {made['model_version'].iloc[0]}; {fallback:,} of {len(made):,} rows are fallback (seasonal naive)."
    )
    return Section("Forecasts", [words])


def _drift(sources: Sources, state: Overview) -> Section:
    if state.drift is None:
        return Section("Data drift")
    columns = ["explanation", "psi", "usual_psi", "p_value", "drifted"]
    rows = sources.stored.read(DATA_DRIFT, [state.drift.partition], columns)
    count = len(state.drift.drifted)
    said = f"{count} of {len(rows)} features drifted" if count else "Nothing drifted"
    said = said if state.drift.judged else "Nothing could be judged"
    words = f"{said}: the newest data beside the same season slots of what the champion has learnt from."
    return Section("Data drift", [words], [Table("", rows.head(12), ("explanation",))])


def _model(sources: Sources, state: Overview) -> Section:
    tables = []
    answers = sources.stored.read(RETRAINING_DECISIONS)
    if len(answers):
        said = answers.sort_values("number").iloc[::-1].head(10)[["partition", "policy", "action", "rule", "reason"]]
        tables.append(Table("What the retraining policies said, the latest first", said, ("reason",)))
    if state.champion is None:
        return Section("Model", tables=tables)
    decided = state.champion.decided_by or "an alias that was set by hand"
    words = [
        f"Version {state.champion.version}, decided by {decided}, trained until {state.champion.trained_until}. "
        f"{state.champion.link}"
    ]
    if state.champion.choice:
        words.append(f"Made of: {state.champion.choice}.")
    return Section("Model", words, tables)


def _quality(sources: Sources, state: Overview) -> Section:
    tables = []
    stored = sources.stored.partitions(OBSERVATIONS)[-accuracy.RECENT :]
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
        tables.append(Table("Quarantine by reason", reasons, ("reason",)))
    kept = sources.stored.partitions(ANOMALIES)[-accuracy.RECENT :]
    odd = sources.stored.read(ANOMALIES, kept) if kept else pd.DataFrame()
    if len(odd):
        latest = odd.sort_values(["timestamp", "item_id"]).iloc[::-1][["timestamp", "item_id", "kind", "reason"]]
        tables.append(Table("Observations that were hardly expected, the latest first", latest.head(12), ("reason",)))
    failed = pd.DataFrame(list(state.failed_runs), columns=["run_id", "what", "ended", "link"])
    if len(failed):
        tables.append(Table("Failed runs", failed[["ended", "what", "link"]], ("what", "link")))
    return Section("Data quality", [words, *([f"{state.revised}."] if state.revised else [])], tables)


def _stored(state: Overview) -> Section:
    frame = state.to_frame()
    return Section("What is stored", tables=[Table("", frame)] if len(frame) else [])
