"""Scores: what the forecasts of a partition turned out to be worth, and what was said of it before."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mlops_assets.catalog.column import Column, Columns, typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.names import ACCURACY_SCORES, FORECAST_ACCURACY, OBSERVATIONS
from mlops_assets.catalog.partitions import holding, partition_of, partitions_of, periods
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.forecasting.data import outliers
from mlops_assets.forecasting.decisions.evidence import Champion
from mlops_assets.forecasting.evaluation import beside, ledger
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec

SPAN = 400
"""Partitions that scores are looked back over: what they cost does not grow with the years."""
BESIDE = 28
"""Partitions that a service is compared over with our model, or so many that a horizon is over in them."""


def keep_scores(
    tables: Tables, spec: ForecastSpec, found: Mapping[str, pd.DataFrame | None], now: pd.Timestamp
) -> None:
    """Write the scores of some partitions to `<name>/accuracy_scores`, keeping what they were before.

    Args:
        tables: where they are written.
        spec: the forecast.
        found: partition -> its scores, as `ledger.scores` returns them; None where no forecast counts.
        now: the present moment, naive, in UTC.
    """
    stored = tables.stored([spec.name, ACCURACY_SCORES], list(found))
    old = {str(key): rows for key, rows in _read(tables, spec, stored).groupby("partition")}
    revised = {}
    for partition, scores in found.items():
        if scores is None and partition not in old:
            continue
        new = ledger.Scores(spec.task).table() if scores is None else scores
        if (history := ledger.revised(old.get(partition), new, now)) is not None:
            revised[partition] = history.assign(partition=partition)
    columns = _columns(spec)
    parts = {key: typed(rows, columns) for key, rows in revised.items()}
    tables.write_all([spec.name, ACCURACY_SCORES], parts, **({"allow_new_columns": True} if spec.task.metrics else {}))


def whole_scores(tables: Tables, spec: ForecastSpec, also: Sequence[str] = ()) -> pd.DataFrame:
    """Return the latest scores as a whole of the last `SPAN` partitions and of some others, oldest first."""
    rows = read_scores(tables, spec, also=also)
    return rows[rows["scope"] == ledger.ALL].sort_values("partition", ignore_index=True)


def read_scores(
    tables: Tables,
    spec: ForecastSpec,
    latest: bool = True,
    also: Sequence[str] = (),
    as_of: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Return the scores of the last `SPAN` partitions: partition, scope, value, rows, numbers, revision, scored_at.

    Args:
        tables: where they are.
        spec: the forecast.
        latest: only the last revision of each partition.
        also: partitions before those.
        as_of: only what was scored by this moment, naive, in UTC; None: all.
    """
    stored = tables.partitions([spec.name, ACCURACY_SCORES])
    rows = _read(tables, spec, sorted({*stored[-SPAN:], *set(stored).intersection(also)}))
    rows = rows if as_of is None else rows[rows["scored_at"] <= as_of]
    return _latest(rows) if latest else rows


def _columns(spec: ForecastSpec) -> Columns:
    """Return the columns of the scores of a forecast, its own metrics last."""
    own = ledger.numbers_of(spec.task)[len(ledger.NUMBERS) :]
    return (*TABLES[ACCURACY_SCORES], *(Column(name, "float64", "Metric of the spec.") for name in own))


def _read(tables: Tables, spec: ForecastSpec, partitions: Sequence[str]) -> pd.DataFrame:
    """Return all revisions of the scores of some stored partitions, in their order."""
    if not partitions:
        return without_rows(_columns(spec))
    rows = tables.read([spec.name, ACCURACY_SCORES], partitions=partitions)
    if lacking := {*ledger.numbers_of(spec.task)}.difference(rows.columns):  # stored before the spec named them
        rows = rows.assign(**dict.fromkeys(lacking, float("nan")))
    return rows.sort_values(["partition", "revision"], kind="stable", ignore_index=True)


def _latest(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["revision"] == rows.groupby("partition")["revision"].transform("max")]


def version_scores(tables: Tables, spec: ForecastSpec, champion: Champion | None = None) -> pd.DataFrame:
    """Return the scores of each partition and model version, oldest first: what the policy judges.

    They are those that status and report show, of the table `accuracy_scores`. Only where it has none of a partition
    (an earlier release did not keep them) are they computed from `forecast_accuracy`.

    Args:
        tables: where they are.
        spec: the forecast.
        champion: only as many of the latest partitions as the policy's window needs of this one; None: all, of all.

    Returns:
        Columns partition, model_version, rows and the numbers of `ledger.scores`. Forecasts whose model had seen the
        actuals do not count.
    """
    keys = sorted(tables.partitions([spec.name, FORECAST_ACCURACY]), reverse=True)
    if champion is None:
        return _by_version(tables, spec, keys)
    since = holding(spec, champion.trained_until)
    keys = [key for key in keys if key >= since]
    # One more tells whether a breach goes on.
    enough = max(rules.window for rules in spec.rules_of_retraining) + 1
    found, first = None, 0
    while first < len(keys):
        more = keys[first : first + max(enough, first)]  # twice as many each time: others may have made most of them
        added, first = _by_version(tables, spec, more), first + len(more)
        found = added if found is None else pd.concat([added, found], ignore_index=True)
        own = found.loc[found["model_version"] == champion.version, "partition"]
        if len(own) >= enough:
            return found[found["partition"] >= own.iloc[-enough]].reset_index(drop=True)
    return _by_version(tables, spec, []) if found is None else found


def latest_origins(tables: Tables, spec: ForecastSpec) -> pd.DataFrame:
    """Return partition, model_version and the latest `origin` of its forecasts that count there."""
    key, partitions = [spec.name, FORECAST_ACCURACY], partitions_of(spec)
    found = [pd.DataFrame({"partition": [], "model_version": [], "origin": []})]
    keys = tables.partitions(key)
    for some in (keys[first : first + SPAN] for first in range(0, len(keys), SPAN)):
        rows = tables.read(key, some, ["timestamp", "model_version", "origin", "in_sample", "job_key"])
        rows = ledger.own(ledger.honest(rows))
        rows = rows.assign(partition=partition_of(rows["timestamp"], partitions, some))
        found.append(rows.groupby(["partition", "model_version"], as_index=False)[["origin"]].max())
    return pd.concat([part for part in found if len(part)] or found, ignore_index=True)


def beside_services(tables: Tables, spec: ForecastSpec) -> pd.DataFrame:
    """Return the latest scored forecasts that external services and our model have both made; see `beside.paired`."""
    stored = ForecastTables(tables, spec.name)
    keys = stored.partitions(FORECAST_ACCURACY)[-max(BESIDE, periods(spec, spec.horizon)) :]
    return beside.paired(stored.read(FORECAST_ACCURACY, keys)) if keys else pd.DataFrame()


def _by_version(tables: Tables, spec: ForecastSpec, keys: Sequence[str]) -> pd.DataFrame:
    """Return the scores by version of some partitions, stored or computed."""
    stored = set(tables.partitions([spec.name, ACCURACY_SCORES])).intersection(keys)
    parts = [_latest(_read(tables, spec, sorted(stored)))]
    for key in keys:
        if key not in stored:
            rows = ledger.honest(tables.read([spec.name, FORECAST_ACCURACY], partitions=[key]))
            parts.append(ledger.scores(rows, spec.task, segments(ledger.delivered(rows))).assign(partition=key))
    rows = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    rows = rows[rows["scope"] == ledger.VERSION]
    rows = rows.assign(model_version=rows["value"].astype("int64"))
    rows = rows.sort_values(["partition", "model_version"], ignore_index=True)
    return rows[["partition", "model_version", "rows", *ledger.numbers_of(spec.task)]]


def known_static(
    tables: Tables, spec: ForecastSpec, observations: pd.DataFrame, items: Iterable[str], first: str
) -> pd.DataFrame | None:
    """Return what makes segments of the items: item_id, timestamp and the static covariates; None without any.

    Args:
        tables: where observations are stored.
        spec: the forecast.
        observations: of the partitions that are scored. Of items of which they leave a static covariate out, so much
            more of the history is read as a forecast sees.
        items: that are scored.
        first: key of the first of the partitions.
    """
    names = spec.covariates.static
    if not names:
        return None
    columns = ["item_id", "timestamp", *names]
    rows = observations[columns]
    whole = rows[names].notna().groupby(rows["item_id"]).any().all(axis=1)
    lacking = sorted({*items} - {*whole.index[whole]})
    return pd.concat([_lookback(tables, spec, first, columns, lacking), rows]) if lacking else rows


def believed(
    tables: Tables, spec: ForecastSpec, observations: pd.DataFrame, forecasts: pd.DataFrame, first: str
) -> pd.DataFrame:
    """Return the actuals that forecasts are scored against: outliers are missing, unless the spec keeps them.

    Only of items of which an actual is further from its forecasts than an outlier would have to be is the history
    before read.

    Args:
        tables: where observations are stored.
        spec: the forecast.
        observations: of the partitions that are scored.
        forecasts: rows of the ledger.
        first: key of the first of the partitions.
    """
    if spec.outliers == "keep" or observations.empty or forecasts.empty:
        return observations
    both = forecasts[["item_id", "timestamp", "mean", "mase_scale"]].merge(observations, on=["item_id", "timestamp"])
    far = (both["target"] - both["mean"]).abs() > outliers.FAR / 2 * both["mase_scale"]
    if not far.any():
        return observations
    items = sorted({*both["item_id"][far]})
    own = observations[observations["item_id"].isin(items)]
    before = _lookback(tables, spec, first, ["item_id", "timestamp", "target"], items)
    known = pd.concat([part for part in (before, own) if len(part)], ignore_index=True)
    found = outliers.outliers(known).index - len(before)
    place = own.index[found[found >= 0]]
    return observations.assign(target=observations["target"].mask(observations.index.isin(place)))


def _lookback(
    tables: Tables, spec: ForecastSpec, first: str, columns: Sequence[str], items: Sequence[str]
) -> pd.DataFrame:
    """Return the observations of items before a partition, so many as a forecast sees; without rows if none are."""
    key = [spec.name, OBSERVATIONS]
    before = [partition for partition in tables.partitions(key) if partition < first]
    before = before[-reach_of(spec) :]
    return tables.read(key, before, columns, Only(items=items)) if before else pd.DataFrame(columns=list(columns))
