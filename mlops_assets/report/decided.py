"""Who is champion, and what was decided: the part of a forecast's state that needs none of its rows."""

from typing import NamedTuple

import pandas as pd

from mlops_assets.catalog.names import ENTRIES, OBSERVATIONS
from mlops_assets.catalog.partitions import partitions_of, window_of
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.lost import champion_failed
from mlops_assets.report.overview import ChampionState, Overview, StoredAsset
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.sources import Sources
from mlops_assets.resources.clock import naive_utc
from mlops_assets.tracking.registry import Version

TABLES, MLFLOW = "tables", "MLflow"
"""What is asked, as it is called where it does not answer."""


class Decided(NamedTuple):
    """What the decisions on a forecast have come to.

    Attributes:
        state: of the forecast, with nothing in it but that.
        log: all decisions.
        backtest: what was measured in the training of the champion.
    """

    state: Overview
    log: pd.DataFrame
    backtest: dict[str, float]


def decided_state(sources: Sources, reached: Reachable) -> Decided:
    """Collect what there is to know of the champion and of those who would be; what does not answer is left out."""
    spec = sources.spec
    assets = reached.ask(TABLES, lambda: stored_assets(sources), ())
    log = reached.ask(TABLES, decisions.Decisions(sources.tables, spec.name).all, decisions.NONE)
    there = reached.ask(MLFLOW, sources.tracking.exists, False)
    life = sources.life if assets and (there or len(log)) else None
    version = reached.ask(MLFLOW, life.champion, None) if life is not None else None
    failed = reached.ask(TABLES, lambda: champion_failed(sources.tables, spec.name), False)
    backtest = reached.ask(MLFLOW, lambda: life.versions.metrics(version, there) if life and version else {}, {})
    state = Overview(
        forecast=spec.name,
        description=spec.description,
        at=stamp(naive_utc(sources.clock.now()).floor("min")),
        champion=reached.ask(TABLES, lambda: _champion(sources, version, log), None),
        waiting=tuple(decisions.waiting(log)),
        aside=tuple(decisions.aside(log)),
        assets=assets,
        accuracy=None,
        policies=(),
        drift=None,
        quarantine=None,
        next_round=None,
        failed_runs=(),
        unreachable=reached.unreachable,
        standing=_standing(spec.name, version, log, failed),
        refused=decisions.refused(log, spec.name),
    )
    return Decided(state, log, backtest)


def _standing(name: str, version: Version | None, log: pd.DataFrame, failed: bool) -> str:
    """Say why nobody is champion, or that the champion has failed; nothing if all is well.

    Whether MLflow still has it is for `mlops-assets check` to see, and for the next round to decide on.
    """
    number = decisions.champion_of(log)
    if version is None and number is not None:
        return f"version {number} is gone, and no copy of it is kept: mlops-assets run {name} trains a new one"
    if version is None:
        return decisions.why_nobody(log, name)[1]
    if failed:
        return f"version {version.number} could not make the latest forecasts: mlops-assets run {name} trains a new one"
    return ""


def stored_assets(sources: Sources) -> tuple[StoredAsset, ...]:
    """Return the assets of which something is stored."""
    found = []
    for one in ENTRIES:
        if one.kind == "log" or not one.shown:
            continue
        stored = sources.stored.partitions(one.name) if one.partitioned else []
        if stored:
            found.append(StoredAsset(one.name, len(stored), max(stored)))
        elif not one.partitioned and sources.stored.exists(one.name):
            found.append(StoredAsset(one.name, None, None))
    return tuple(found)


def _champion(sources: Sources, version: Version | None, log: pd.DataFrame) -> ChampionState | None:
    """Return who is champion; by the log alone where nothing else is known of the version."""
    number = version.number if version is not None else decisions.champion_of(log)
    if number is None:
        return None
    reigns = decisions.reigns(log)
    reign = reigns[reigns["version"] == number].iloc[-1:] if len(reigns) else reigns
    until, age = version.trained_until if version is not None else None, None
    if until is None and len(reign) and pd.notna(reign["trained_until"].iloc[0]):
        until = reign["trained_until"].iloc[0]
    latest = latest_data(sources)
    if until is not None and latest is not None:
        age = max(0, (latest.normalize() - until.normalize()).days)
    return ChampionState(
        version=number,
        model_kind=version.kind if version is not None else "",
        since=plain(reign["since"].iloc[0].floor("s")) if len(reign) else None,
        decided_by=plain(reign["decided_by"].iloc[0]) if len(reign) else None,
        trained_until=plain(until),
        age_days=age,
        link=sources.tracking.links.version(sources.spec.name, number),
        choice=version.tags.get("choice", "") if version is not None else "",
    )


def latest_data(sources: Sources) -> pd.Timestamp | None:
    """Return where the last stored partition of observations begins; None without one."""
    stored = sources.stored.partitions(OBSERVATIONS)
    try:
        return window_of(partitions_of(sources.spec), max(stored)).start if stored else None
    except UsageError:  # of another kind of partition than the spec's now, as `changed_spec` says
        return None
