"""The columns of a forecast's tables, each once: name, type, meaning, and how rows of earlier releases are read.

from collections.abc import Mapping, Sequence

import dagster as dg

from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.spec import ForecastSpec

Columns = Mapping[str, tuple[str, str]]
"""Name -> type in storage, and what it means."""

QUANTILES, COVARIATES = "QUANTILES", "COVARIATES"
"""Stand for as many columns as a spec has of them."""

_ITEM = ("string", "Name of the series; parts of a joint name are separated by '/'.")
_TIME = ("timestamp[us]", "Beginning of the period, naive, in the spec's time zone.")
_ORIGIN = ("timestamp[us]", "Last timestamp known when the forecast was made.")
_LEAD = ("int32", "Steps from the origin: 1 is the next timestamp.")
_TARGET = ("double", "The value that came.")
_MEAN = ("double", "Expected value.")
_QUANTILE = ("double", "Quantile; q50 is the median.")
_SOURCE = ("string", "champion: the model's; fallback: seasonal naive, for an item that the model cannot forecast.")
_SCALES: Columns = {
    "mase_scale": ("double", "Mean absolute seasonal difference of the item's history until the origin: divides MASE."),
    "rmsse_scale": ("double", "Root mean squared seasonal difference of the same: divides RMSSE."),
}
_NAIVE = ("double", "Point forecast of seasonal naive, for comparison.")
_VERSION = ("int64", "Version of the model in MLflow.")
_RUN = ("string", "Dagster run that wrote the row.")
_METRICS: Columns = {
    "mase": ("double", "Mean absolute scaled error."),
    "rmsse": ("double", "Root mean squared scaled error."),
    "smape": ("double", "Symmetric mean absolute percentage error, as a share: 0 to 2."),
    "wape": ("double", "Sum of absolute errors by the sum of absolute actuals."),
    "wql": ("double", "Weighted quantile loss over all quantiles."),
    "coverage": ("double", "Share of actuals within the outermost quantiles."),
    "bias": ("double", "Sum of errors by the sum of absolute actuals: above zero, the forecast is too high."),
    "naive_mase": ("double", "MASE of seasonal naive on the same rows."),
    "skill": ("double", "1 - mase / naive_mase: above zero, the forecast is better than seasonal naive."),
}

ASSETS: Mapping[str, Columns] = {
    "observations": {
        "item_id": _ITEM,
        "timestamp": _TIME,
        "target": ("double", "The value; null where the source says that it is missing."),
        COVARIATES: ("any", "Covariate of the spec."),
    },
    "quarantine": {
        "reason": ("string", "Rule of the contract that the row breaks."),
        "detail": ("string", "What is wrong in this row."),
        "source": ("string", "File, table or address that the row was read from."),
        "source_row": ("int64", "Number of the row there, from 1; null where the source has no order."),
        "timestamp": ("timestamp[us]", "Its time, where that could be read."),
        "record": ("string", "The row as it was read, as JSON."),
        "partition": ("string", "Partition whose run has rejected it."),
    },
    "future_covariates": {
        "item_id": _ITEM,
        "timestamp": ("timestamp[us]", "A time after the origin."),
        COVARIATES: ("double", "Known covariate of the spec."),
        "partition": ("string", "Partition whose forecasts use the row."),
    },
    "training_set": {
        "item_id": _ITEM,
        "origin": _ORIGIN,
        "lead": _LEAD,
        "timestamp": ("timestamp[us]", "Time that the row teaches to forecast."),
        "target": _TARGET,
        "reference": ("double", "The item's level at the origin, which y is measured from."),
        "scale": ("double", "Its recent mean absolute seasonal difference at the origin: the unit of y."),
        "scaling": ("string", "Whether targets enter as they are or as log1p, and whether all are whole numbers."),
        "y": ("float", "What the forest learns: asinh((target - reference) / scale)."),
    },
    "backtest": {
        "window": ("int64", "Number of the backtest window, from 0, oldest first."),
        "model": ("string", "forest, seasonal_naive or champion (the present one)."),
        "item_id": _ITEM,
        "origin": _ORIGIN,
        "timestamp": _TIME,
        "lead": _LEAD,
        "target": _TARGET,
        "mean": _MEAN,
        QUANTILES: _QUANTILE,
        "source": ("string", "model; fallback, for an item that it cannot forecast; seasonal_naive."),
        **_SCALES,
        "version": ("int64", "Version of the champion; null for the others."),
    },
    "model_version": {
        "name": ("string", "Registered model in MLflow."),
        "version": _VERSION,
        "run_id": ("string", "MLflow run of the training."),
        "trained_until": ("string", "Last timestamp that it has learnt from."),
        "spec_hash": ("string", "Hash of what a model depends on in the spec."),
        "data_version": ("string", "Hash of the training rows."),
        "sha256": ("string", "Checksum of the model file."),
    },
    "champion": {
        "name": ("string", "Registered model in MLflow."),
        "champion_version": ("int64", "Version in charge after the decision; null if none is."),
        "challenger_version": ("int64", "Version that was decided on."),
        "outcome": ("string", "promoted, refused, awaiting approval, rejected or rolled back."),
        "reason": ("string", "Why, in words and numbers."),
        "decided_by": ("string", "gate, or who."),
        "decision": ("int64", "Number of the decision in the table decisions."),
        "decided_at": ("timestamp[us]", "When, in UTC."),
        "champion_trained_until": ("timestamp[us]", "Last timestamp that the champion has learnt from."),
    },
    "forecasts": {
        "item_id": _ITEM,
        "origin": _ORIGIN,
        "timestamp": ("timestamp[us]", "Time that is forecast, naive, in the spec's time zone."),
        "lead": _LEAD,
        "mean": _MEAN,
        QUANTILES: _QUANTILE,
        "source": _SOURCE,
        "naive": _NAIVE,
        **_SCALES,
        "model_version": _VERSION,
        "trained_until": ("timestamp[us]", "Last timestamp that the model has learnt from."),
        "run_id": _RUN,
        "created_at": ("timestamp[us]", "When the forecast was made, in UTC."),
    },
    "forecast_accuracy": {
        "item_id": _ITEM,
        "timestamp": _TIME,
        "origin": _ORIGIN,
        "lead": _LEAD,
        "target": _TARGET,
        "mean": _MEAN,
        QUANTILES: _QUANTILE,
        "naive": _NAIVE,
        "error": ("double", "Point forecast minus actual."),
        **_SCALES,
        "source": _SOURCE,
        "model_version": _VERSION,
        "in_sample": ("bool", "The model had seen the actual when it was trained; such a row counts in no score."),
    },
    "data_drift": {
        "partition": ("string", "Partition that the window ends with."),
        "feature": ("string", "target, items, or a covariate."),
        "kind": ("string", "What of it: shape, level, missing, set, values."),
        "psi": ("double", "Population stability index of the window against the season-matched reference."),
        "usual_psi": ("double", "Median of the same for the windows of the reference against the others."),
        "statistic": ("double", "Wasserstein distance from the reference, in its standard deviations."),
        "farthest": ("double", "Distance that hardly any window of the reference exceeds."),
        "p_value": ("double", "How likely such a distance is for an unchanged window."),
        "rows": ("int64", "Values in the window."),
        "reference_rows": ("int64", "Values in the reference."),
        "drifted": ("bool", "It has drifted."),
        "drift": ("double", "psi above the usual where drifted, else 0: what retraining.drift is held against."),
        "words": ("string", "What has shifted, in words."),
    },
    "forecast_change": {
        "origin": _ORIGIN,
        "previous_origin": ("timestamp[us]", "Origin that it is compared with."),
        "item_id": _ITEM,
        "steps": ("int64", "Timestamps that both reach; the numbers are sums over them."),
        "previous": ("double", "Point forecast of the previous origin."),
        "revised_history": ("double", "Change because history was corrected since."),
        "new_data": ("double", "Change because of what came between the origins."),
        "new_model": ("double", "Change because another version forecasts."),
        "current": ("double", "Point forecast of this origin."),
        "change": ("double", "current - previous: the sum of the three."),
        "previous_version": ("int64", "Version that made the previous forecast."),
        "model_version": _VERSION,
        "undivided": ("string", "Why the change could not be divided; empty if it was."),
    },
    "reconciled_forecasts": {
        "item_id": ("string", "Item, or sum of items: sum:north, and sum:* of all."),
        "level": ("string", "item, a level of the hierarchy, or the total."),
        "origin": _ORIGIN,
        "timestamp": ("timestamp[us]", "Time that is forecast."),
        "lead": _LEAD,
        "mean": ("double", "Expected value; those of parts add up to that of the whole."),
        QUANTILES: _QUANTILE,
        "source": ("string", "As in forecasts; aggregate: a sum."),
        "model_version": _VERSION,
        "run_id": _RUN,
    },
    "report": {
        "partition": ("string", "Partition that the page is of."),
        "made_at": ("timestamp[us]", "When, in UTC."),
        "bytes": ("int64", "Size of the page."),
        "link": ("string", "Where the page is in MLflow."),
    },
}
"""Tables that assets write."""

LOGS: Mapping[str, Columns] = {
    "accuracy_scores": {
        "partition": ("string", "Partition of the actuals."),
        "scope": ("string", "all, version, vintage (origin), lead or segment."),
        "value": ("string", "Which one; empty for all."),
        "rows": ("int64", "Forecasts that were scored."),
        **_METRICS,
        "revision": ("int64", "From 1; a later one came of corrected actuals. The last one holds."),
        "scored_at": ("timestamp[us]", "When, in UTC."),
    },
    "decisions": {
        "number": ("int64", "From 1, in the order of the decisions."),
        "decided_at": ("timestamp[us]", "When, in UTC."),
        "kind": ("string", "gate, approval, rejection or rollback."),
        "outcome": ("string", "promoted, refused, awaiting approval, rejected or rolled back."),
        "version": ("int64", "Version that was decided on; of a rollback, the one that comes back."),
        "champion_before": ("int64", "Who was champion."),
        "champion_after": ("int64", "Who is from then on."),
        "decided_by": ("string", "gate, or who."),
        "reason": ("string", "Why."),
        "rules": ("string", "The gate's verdict with every rule and number, as JSON."),
        "evidence": ("string", "Hash of all that the gate has looked at."),
        "trained_until": ("timestamp[us]", "Last timestamp that the version has learnt from."),
        "data_version": ("string", "Hash of its training rows."),
        "spec_hash": ("string", "Hash of what it depends on in the spec."),
        "git_commit": ("string", "Commit of the code that trained it."),
        "trigger": ("string", "Why it was trained."),
        "breach": ("string", "Breach that asked for the training; empty without one."),
        "cpu_seconds": ("double", "Processor time of the training."),
        "run_id": ("string", "Dagster run that decided; empty on the command line."),
    },
    "retraining_decisions": {
        "number": ("int64", "From 1, in the order of the answers; an answer that repeats the last one is not kept."),
        "at": ("timestamp[us]", "When, in UTC."),
        "champion": ("int64", "Version in charge."),
        "action": ("string", "keep, refresh, grow or refit."),
        "reason": ("string", "Why, in words and numbers."),
        "rule": ("string", "Rule that fired; empty if none did."),
        "guard": ("string", "What held a retraining back; empty if nothing did."),
        "breach": ("string", "Key of the breach: the champion, and where it began."),
        "attempt": ("int64", "Number of the try on this breach."),
        "partition": ("string", "Latest partition that was judged."),
        "value": ("double", "The metric there."),
        "level": ("double", "Median of the metric over the last partitions."),
    },
    "retraining_launches": {
        "breach": ("string", "Breach that asked for the training."),
        "attempt": ("int64", "Number of the try on it."),
        "champion": ("int64", "Version in charge then."),
        "action": ("string", "grow or refit."),
        "reason": ("string", "Why."),
        "partition": ("string", "Latest partition of observations then."),
        "run_id": ("string", "Dagster run that does it."),
        "takeover": ("int64", "From 1; a later one took the try over from a dead run."),
        "claimed_at": ("timestamp[us]", "When, in UTC."),
    },
    "alerts": {
        "event": ("string", "run failure, breach, refused, awaiting approval, futility, quarantine or stale data."),
        "forecast": ("string", "Name of the forecast."),
        "key": ("string", "Which event of its kind: the same one is told once."),
        "what": ("string", "What has happened."),
        "where": ("string", "Where to look."),
        "to_do": ("string", "What to do."),
        "attempt": ("int64", "Number of the attempt to deliver it."),
        "channel": ("string", "Which of the channels."),
        "outcome": ("string", "sending, delivered or failed."),
        "at": ("timestamp[us]", "When, in UTC."),
    },
}
"""Tables that keep what was decided and told; nobody materializes them."""


def expand(columns: Columns, quantiles: Sequence[str], covariates: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the columns with those of a spec in the place of what stands for them."""
    given = {QUANTILES: quantiles, COVARIATES: covariates}
    return {name: said for one, said in columns.items() for name in given.get(one, [one])}


def described(definition: dg.AssetsDefinition, spec: ForecastSpec) -> dg.AssetsDefinition:
    """Return the definition with the meaning of its tables' columns."""

    def with_columns(asset: dg.AssetSpec) -> dg.AssetSpec:
        name = asset.key.path[-1]
        if name not in ASSETS:
            return asset
        covariates = spec.covariates.known if name == "future_covariates" else spec.covariate_columns
        columns = expand(ASSETS[name], [quantile_column(level) for level in spec.quantiles], covariates)
        schema = dg.TableSchema([dg.TableColumn(name, kind, said) for name, (kind, said) in columns.items()])
        return asset.merge_attributes(metadata={"dagster/column_schema": schema})

    return definition.map_asset_specs(with_columns)


_INTRODUCTION = """# Tables

What a forecast stores, column by column; Dagster's catalogue says the same. As files a table is the folder
`<name>/<table>/partition=<key>/`, in a database the table `<name>__<table>`, which has the columns `_partition` and
`_row` as well. Some columns stand for as many as the spec has of them: `q10`, `q50`, `q90` are its quantiles,
`⟨covariate⟩` its covariates; the features of the training set stand in [engine.md](engine.md). Times are naive:
those of the data in the spec's time zone, those of what people and machines did in UTC.

*Written by `make schema` from `mlops_assets/catalog/columns.py`.*
"""

from collections.abc import Mapping

from mlops_assets.catalog import names
from mlops_assets.catalog.column import COVARIATES, QUANTILES, Column, Columns

_ITEM = Column("item_id", "str", "Name of the series; parts of a joint name are separated by '/'.")
_TIME = Column("timestamp", "datetime64[us]", "Beginning of the period, naive, in the spec's time zone.")
_ORIGIN = Column("origin", "datetime64[us]", "Last timestamp known when the forecast was made.")
_LEAD = Column("lead", "int32", "Steps from the origin: 1 is the next timestamp.")
_TARGET = Column("target", "float64", "The value that came.")
_MEAN = Column("mean", "float64", "Expected value.")
_QUANTILE = Column(QUANTILES, "float64", "Quantile; q50 is the median.")
_SOURCE = Column(
    "source", "str", "champion: the model's; fallback: seasonal naive, for an item that the model cannot forecast."
)
_NAIVE = Column("naive", "float64", "Point forecast of seasonal naive, for comparison.")
_VERSION = Column("model_version", "int64", "Version of the model in MLflow.")
_RUN = Column("run_id", "str", "Dagster run that wrote the row.")
_SCALES = (
    Column(
        "mase_scale",
        "float64",
        "Mean absolute seasonal difference of the item's history until the origin: divides MASE.",
    ),
    Column("rmsse_scale", "float64", "Root mean squared seasonal difference of the same: divides RMSSE."),
)
_METRICS = (
    Column("mase", "float64", "Mean absolute scaled error."),
    Column("rmsse", "float64", "Root mean squared scaled error."),
    Column("smape", "float64", "Symmetric mean absolute percentage error, as a share: 0 to 1."),
    Column("wape", "float64", "Sum of absolute errors by the sum of absolute actuals."),
    Column("wql", "float64", "Weighted quantile loss over all quantiles."),
    Column("coverage", "float64", "Share of actuals within the outermost quantiles."),
    Column("bias", "float64", "Sum of errors by the sum of absolute actuals: above zero, the forecast is too high."),
    Column("naive_mase", "float64", "MASE of seasonal naive on the same rows."),
    Column("skill", "float64", "1 - mase / naive_mase: above zero, the forecast is better than seasonal naive."),
)

TABLES: Mapping[str, Columns] = {
    names.OBSERVATIONS: (
        _ITEM,
        _TIME,
        Column("target", "float64", "The value; null where the source says that it is missing."),
        Column(COVARIATES, "any", "Covariate of the spec."),
    ),
    names.QUARANTINE: (
        Column("reason", "str", "Rule of the contract that the row breaks."),
        Column("detail", "str", "What is wrong in this row."),
        Column("source", "str", "File, table or address that the row was read from."),
        Column("source_row", "Int64", "Number of the row there, from 1; null where the source has no order."),
        Column("timestamp", "datetime64[us]", "Its time, where that could be read."),
        Column("record", "str", "The row as it was read, as JSON."),
        Column("partition", "str", "Partition whose run has rejected it."),
    ),
    names.FUTURE_COVARIATES: (
        _ITEM,
        Column("timestamp", "datetime64[us]", "A time after the origin."),
        Column(COVARIATES, "float64", "Known covariate of the spec."),
        Column("partition", "str", "Partition whose forecasts use the row."),
    ),
    names.TRAINING_SET: (
        _ITEM,
        _ORIGIN,
        _LEAD,
        Column("timestamp", "datetime64[us]", "Time that the row teaches to forecast."),
        _TARGET,
        Column("reference", "float64", "The item's level at the origin, which y is measured from."),
        Column("scale", "float64", "Its recent mean absolute seasonal difference at the origin: the unit of y."),
        Column("scaling", "str", "Whether targets enter as they are or as log1p, and whether all are whole numbers."),
        Column("y", "float32", "What the forest learns: asinh((target - reference) / scale)."),
    ),
    names.BACKTEST: (
        Column("window", "int64", "Number of the backtest window, from 0, oldest first."),
        Column("model", "str", "forest, seasonal_naive or champion (the present one)."),
        _ITEM,
        _ORIGIN,
        _TIME,
        _LEAD,
        _TARGET,
        _MEAN,
        _QUANTILE,
        Column("source", "str", "model; fallback, for an item that it cannot forecast; seasonal_naive."),
        *_SCALES,
        Column("version", "Int64", "Version of the champion; null for the others."),
    ),
    names.MODEL_VERSION: (
        Column("name", "str", "Registered model in MLflow."),
        Column("version", "int64", "Version of the model in MLflow."),
        Column("run_id", "str", "MLflow run of the training."),
        Column("trained_until", "str", "Last timestamp that it has learnt from."),
        Column("spec_hash", "str", "Hash of what a model depends on in the spec."),
        Column("data_version", "str", "Hash of the training rows."),
        Column("sha256", "str", "Checksum of the model file."),
    ),
    names.CHAMPION: (
        Column("name", "str", "Registered model in MLflow."),
        Column("champion_version", "Int64", "Version in charge after the decision; null if none is."),
        Column("challenger_version", "int64", "Version that was decided on."),
        Column("outcome", "str", "promoted, refused, awaiting approval, rejected or rolled back."),
        Column("reason", "str", "Why, in words and numbers."),
        Column("decided_by", "str", "gate, or who."),
        Column("decision", "int64", "Number of the decision in the table decisions."),
        Column("decided_at", "datetime64[us]", "When, in UTC."),
        Column("champion_trained_until", "datetime64[us]", "Last timestamp that the champion has learnt from."),
    ),
    names.FORECASTS: (
        _ITEM,
        _ORIGIN,
        Column("timestamp", "datetime64[us]", "Time that is forecast, naive, in the spec's time zone."),
        _LEAD,
        _MEAN,
        _QUANTILE,
        _SOURCE,
        _NAIVE,
        *_SCALES,
        _VERSION,
        Column("trained_until", "datetime64[us]", "Last timestamp that the model has learnt from."),
        _RUN,
        Column("created_at", "datetime64[us]", "When the forecast was made, in UTC."),
    ),
    names.FORECAST_ACCURACY: (
        _ITEM,
        _TIME,
        _ORIGIN,
        _LEAD,
        _TARGET,
        _MEAN,
        _QUANTILE,
        _NAIVE,
        Column("error", "float64", "Point forecast minus actual."),
        *_SCALES,
        _SOURCE,
        _VERSION,
        Column(
            "in_sample", "bool", "The model had seen the actual when it was trained; such a row counts in no score."
        ),
    ),
    names.DATA_DRIFT: (
        Column("partition", "str", "Partition that the window ends with."),
        Column("feature", "str", "target, items, or a covariate."),
        Column("kind", "str", "What of it: shape, level, missing, set, values."),
        Column("psi", "float64", "Population stability index of the window against the season-matched reference."),
        Column("usual_psi", "float64", "Median of the same for the windows of the reference against the others."),
        Column("statistic", "float64", "Wasserstein distance from the reference, in its standard deviations."),
        Column("farthest", "float64", "Distance that hardly any window of the reference exceeds."),
        Column("p_value", "float64", "How likely such a distance is for an unchanged window."),
        Column("rows", "int64", "Values in the window."),
        Column("reference_rows", "int64", "Values in the reference."),
        Column("drifted", "bool", "It has drifted."),
        Column("drift", "float64", "psi above the usual where drifted, else 0: what retraining.drift is held against."),
        Column("words", "str", "What has shifted, in words."),
    ),
    names.FORECAST_CHANGE: (
        _ORIGIN,
        Column("previous_origin", "datetime64[us]", "Origin that it is compared with."),
        _ITEM,
        Column("steps", "int64", "Timestamps that both reach; the numbers are sums over them."),
        Column("previous", "float64", "Point forecast of the previous origin."),
        Column("revised_history", "float64", "Change because history was corrected since."),
        Column("new_data", "float64", "Change because of what came between the origins."),
        Column("new_model", "float64", "Change because another version forecasts."),
        Column("current", "float64", "Point forecast of this origin."),
        Column("change", "float64", "current - previous: the sum of the three."),
        Column("previous_version", "int64", "Version that made the previous forecast."),
        _VERSION,
        Column("undivided", "str", "Why the change could not be divided; empty if it was."),
    ),
    names.RECONCILED_FORECASTS: (
        Column("item_id", "str", "Item, or sum of items: sum:north, and sum:* of all."),
        Column("level", "str", "item, a level of the hierarchy, or the total."),
        _ORIGIN,
        Column("timestamp", "datetime64[us]", "Time that is forecast."),
        _LEAD,
        Column("mean", "float64", "Expected value; those of parts add up to that of the whole."),
        _QUANTILE,
        Column("source", "str", "As in forecasts; aggregate: a sum."),
        _VERSION,
        _RUN,
    ),
    names.REPORT: (
        Column("partition", "str", "Partition that the page is of."),
        Column("made_at", "datetime64[us]", "When, in UTC."),
        Column("bytes", "int64", "Size of the page."),
        Column("link", "str", "Where the page is in MLflow."),
    ),
    names.ACCURACY_SCORES: (
        Column("scope", "str", "all, version, vintage (origin), lead or segment."),
        Column("value", "str", "Which one; empty for all."),
        Column("rows", "int64", "Forecasts that were scored."),
        *_METRICS,
        Column("revision", "int64", "From 1; a later one came of corrected actuals. The last one holds."),
        Column("scored_at", "datetime64[us]", "When, in UTC."),
        Column("partition", "str", "Partition of the actuals."),
    ),
    names.DECISIONS: (
        Column("number", "int64", "From 1, in the order of the decisions."),
        Column("decided_at", "datetime64[us]", "When, in UTC."),
        Column("kind", "str", "gate, approval, rejection or rollback."),
        Column("outcome", "str", "promoted, refused, awaiting approval, rejected or rolled back."),
        Column("version", "Int64", "Version that was decided on; of a rollback, the one that comes back."),
        Column("champion_before", "Int64", "Who was champion."),
        Column("champion_after", "Int64", "Who is from then on."),
        Column("decided_by", "str", "gate, or who."),
        Column("reason", "str", "Why."),
        Column("rules", "str", "The gate's verdict with every rule and number, as JSON."),
        Column("evidence", "str", "Hash of all that the gate has looked at."),
        Column("trained_until", "datetime64[us]", "Last timestamp that the version has learnt from."),
        Column("data_version", "str", "Hash of its training rows."),
        Column("spec_hash", "str", "Hash of what it depends on in the spec."),
        Column("git_commit", "str", "Commit of the code that trained it."),
        Column("trigger", "str", "Why it was trained."),
        Column("breach", "str", "Breach that asked for the training; empty without one."),
        Column("cpu_seconds", "float64", "Processor time of the training."),
        Column("run_id", "str", "Dagster run that decided; empty on the command line."),
    ),
    names.RETRAINING_DECISIONS: (
        Column(
            "number", "int64", "From 1, in the order of the answers; an answer that repeats the last one is not kept."
        ),
        Column("at", "datetime64[us]", "When, in UTC."),
        Column("partition", "str", "Latest partition that was judged."),
        Column("champion", "int64", "Version in charge."),
        Column("action", "str", "keep, refresh, grow or refit."),
        Column("rule", "str", "Rule that fired; empty if none did."),
        Column("guard", "str", "What held a retraining back; empty if nothing did."),
        Column("breach", "str", "Key of the breach: the champion, and where it began."),
        Column("attempt", "int64", "Number of the try on this breach."),
        Column("value", "float64", "The metric there."),
        Column("level", "float64", "Median of the metric over the last partitions."),
        Column("reason", "str", "Why, in words and numbers."),
        Column("until", "str", "Latest partition of observations then."),
        Column("state", "str", "What the answer depends on: as long as it is the same, there is nothing new to judge."),
    ),
    names.RETRAINING_LAUNCHES: (
        Column("breach", "str", "Breach that asked for the training."),
        Column("attempt", "int64", "Number of the try on it."),
        Column("champion", "int64", "Version in charge then."),
        Column("action", "str", "grow or refit."),
        Column("reason", "str", "Why."),
        Column("partition", "str", "Latest partition of observations then."),
        Column("run_id", "str", "Dagster run that does it."),
        Column("takeover", "int64", "From 1; a later one took the try over from a dead run."),
        Column("claimed_at", "datetime64[us]", "When, in UTC."),
    ),
    names.ALERTS: (
        Column("event", "str", "run failure, breach, refused, awaiting approval, futility, quarantine or stale data."),
        Column("forecast", "str", "Name of the forecast."),
        Column("key", "str", "Which event of its kind: the same one is told once."),
        Column("what", "str", "What has happened."),
        Column("where", "str", "Where to look."),
        Column("to_do", "str", "What to do."),
        Column("attempt", "int64", "Number of the attempt to deliver it."),
        Column("channel", "str", "Which of the channels."),
        Column("outcome", "str", "sending, delivered or failed."),
        Column("at", "datetime64[us]", "When, in UTC."),
    ),
}
"""By the table's name, in the order in which they are stored."""
