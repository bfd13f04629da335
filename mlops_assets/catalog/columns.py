"""The columns of a forecast's tables, each once: name, type, meaning, and how rows of earlier releases are read.

Writers cast by them, readers fill by them; Dagster's catalogue and docs/tables.md show them (`make schema`).
"""

from collections.abc import Mapping

from mlops_assets.catalog import names
from mlops_assets.catalog.column import COSTS, COVARIATES, QUANTILES, Column, Columns
from mlops_assets.catalog.log_columns import LOGS
from mlops_assets.forecasting.evaluation.metrics import METRICS

_ITEM = Column("item_id", "str", "Name of the series; parts of a joint name are separated by '/'.")
_TIME = Column(
    "timestamp",
    "datetime64[us]",
    "Time of the period, as the source stamps it (columns.stamp), naive, in the spec's time zone.",
)
_ORIGIN = Column("origin", "datetime64[us]", "Last timestamp known when the forecast was made.")
_LEAD = Column("lead", "int32", "Steps from the origin: 1 is the next timestamp.")
_TARGET = Column("target", "float64", "The value that came.")
_MEAN = Column("mean", "float64", "Expected value.")
_QUANTILE = Column(QUANTILES, "float64", "Quantile; q50 is the median.")
_COSTS = Column(
    COSTS,
    "float64",
    "By the spec's costs: what a unit too low, and one too high, costs, and the point forecast that costs least. "
    "Since 0.2.0.",
)
_SOURCE = Column(
    "source",
    "str",
    "champion: the model's; fallback: seasonal naive, for an item that the model cannot forecast; seasonal_naive: for "
    "all items, where no model could, or for the leads that the model was not trained for. Else the external service "
    "that made the row.",
)
_ROLE = Column(
    "role",
    "str",
    "delivered: what is used; shadow: scored beside it, on the same rows, and used nowhere else.",
    since="0.2.0",
    default="delivered",
)
_JOB_KEY = Column(
    "job_key",
    "str",
    "The job of the external service that made the row; empty of our own forecasts.",
    since="0.2.0",
    default="",
)
_NAIVE = Column("naive", "float64", "Point forecast of seasonal naive, for comparison.")
_VERSION = Column("model_version", "int64", "Version of the model in MLflow; 0 of seasonal naive's.")
_BECOMES = Column(
    "becomes",
    "str",
    "What becomes of a new version: challenger (the gate decides), replace or keep_aside.",
    since="0.2.0",
    default="challenger",
)
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
    *(Column(one.name, "float64", one.meaning, since=one.since) for one in METRICS.values()),
    Column("naive_mase", "float64", "MASE of seasonal naive on the same rows."),
    Column("skill", "float64", "1 - mase / naive_mase: above zero, the forecast is better than seasonal naive."),
)
_SINCE = "Since when the row says this, in UTC; missing in rows of release 0.1.0: since the end of their partition."
_KNOWN_AT = Column("known_at", "datetime64[us]", _SINCE, since="0.2.0")

_FORECAST = (
    _ITEM,
    _ORIGIN,
    Column("timestamp", "datetime64[us]", "Time that is forecast, naive, in the spec's time zone."),
    _LEAD,
    _MEAN,
    _QUANTILE,
    _COSTS,
)

TABLES: Mapping[str, Columns] = {
    names.OBSERVATIONS: (
        _ITEM,
        _TIME,
        Column("target", "float64", "The value; null where the source says that it is missing."),
        Column(COVARIATES, "any", "Covariate of the spec."),
        _KNOWN_AT,
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
        _KNOWN_AT,
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
        Column("y", "float32", "What the model learns: asinh((target - reference) / scale)."),
    ),
    names.BACKTEST: (
        Column("window", "int64", "Number of the backtest window, from 0, oldest first."),
        Column(
            "model",
            "str",
            "challenger, seasonal_naive or champion (the present one); release 0.1.0 called the challenger forest.",
        ),
        _ITEM,
        _ORIGIN,
        _TIME,
        _LEAD,
        _TARGET,
        _MEAN,
        _QUANTILE,
        _COSTS,
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
        *_FORECAST,
        _SOURCE,
        _NAIVE,
        *_SCALES,
        _VERSION,
        Column("trained_until", "datetime64[us]", "Last timestamp that the model has learnt from."),
        Column(
            "delivered_because",
            "str",
            "champion: the champion forecasts. Why it does not: no_champion: there is none; refused: the gate let no "
            "version through; unloadable: it cannot be loaded, or cannot do the present task. Of ours, unless our "
            "champion is unloadable: waiting: an external service is champion, and has not answered yet; late: it did "
            "not answer in time. Of a service's rows that are not delivered: shadow.",
            since="0.2.0",
            default="champion",
        ),
        _ROLE,
        _JOB_KEY,
        _RUN,
        Column("created_at", "datetime64[us]", "When the forecast was made, in UTC."),
    ),
    names.EXTERNAL_JOBS: (
        Column("partition", "str", "Partition that is forecast from."),
        Column("service", "str", "Who is asked."),
        Column("role", "str", "What for: shadow or champion."),
        Column("step", "str", "Step of the service's chain."),
        _JOB_KEY,
        Column("data_version", "str", "Hash of the observations that it forecasts from."),
        Column("deadline", "datetime64[us]", "After this moment its forecast is late, in UTC."),
    ),
    names.EXTERNAL_FORECASTS: (
        *_FORECAST,
        Column("source", "str", "The external service."),
        _NAIVE,
        *_SCALES,
        _JOB_KEY,
        Column("late", "bool", "It was collected after its deadline: it is delivered nowhere."),
        Column("collected_at", "datetime64[us]", "When, in UTC."),
    ),
    names.FORECAST_ACCURACY: (
        _ITEM,
        _TIME,
        _ORIGIN,
        _LEAD,
        _TARGET,
        _MEAN,
        _QUANTILE,
        _COSTS,
        _NAIVE,
        Column("error", "float64", "Point forecast minus actual."),
        *_SCALES,
        _SOURCE,
        _VERSION,
        Column(
            "in_sample", "bool", "The model had seen the actual when it was trained; such a row counts in no score."
        ),
        _ROLE,
        _JOB_KEY,
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
        Column("explanation", "str", "What has shifted, as a sentence.", formerly=("words",)),
    ),
    names.ANOMALIES: (
        Column("partition", "str", "Partition of the observation."),
        _ITEM,
        _TIME,
        _TARGET,
        Column("low", "float64", "Lowest value that was expected; null for a flat line."),
        Column("high", "float64", "Highest value that was expected; null for a flat line."),
        Column("origin", "datetime64[us]", "Of the forecast that expected it: the latest one before; null as low."),
        Column("kind", "str", "above, below, or flat: the same value more often in a row than ever before."),
        Column("reason", "str", "What is odd, in words and numbers."),
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
    names.PUBLISHED_FORECASTS: (
        *_FORECAST,
        Column("adjustment", "int64", "Number in adjustments of the adjustment, or lock, that the row comes of."),
        Column("published_at", "datetime64[us]", "Since when it is in the place of the system's forecast, in UTC."),
        Column("superseded_at", "datetime64[us]", "Since when it is not any more, in UTC; missing: it still is."),
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
        Column(
            "kind",
            "str",
            "gate, approval, rejection, rollback, loss: MLflow does not have it any more, takeover: from another "
            "environment, or role: of an external service.",
        ),
        Column(
            "outcome",
            "str",
            "promoted, refused, awaiting approval, kept aside, rejected, rolled back, gone or taken over; of a role: "
            "champion or shadow.",
        ),
        Column("version", "Int64", "Version that was decided on; of a rollback, the one that comes back; 0 of a role."),
        Column("champion_before", "Int64", "Who was champion."),
        Column("champion_after", "Int64", "Who is from then on."),
        Column("decided_by", "str", "gate, MLflow (of a loss), or who."),
        Column(
            "proof",
            "str",
            "How a person has proven who they are: command (a key), or signature and its number; empty: nobody had to.",
            since="0.2.0",
            default="",
        ),
        Column("reason", "str", "Why."),
        Column("rules", "str", "The gate's verdict with every rule and number, as JSON."),
        Column("evidence", "str", "Hash of all that the gate has looked at; of a takeover, of the model's file."),
        Column("trained_until", "datetime64[us]", "Last timestamp that the version has learnt from."),
        Column("data_version", "str", "Hash of its training rows."),
        Column("spec_hash", "str", "Hash of what it depends on in the spec."),
        Column("git_commit", "str", "Commit of the code that trained it."),
        Column("spec_commit", "str", "Commit of the folder that its spec is in.", since="0.2.0", default=""),
        Column(
            "source_version",
            "str",
            "Version of the source at the latest ingestion before it, where `source.version` says who knows it.",
            since="0.2.0",
            default="",
        ),
        Column("trigger", "str", "Why it was trained; of a role, which service it is of."),
        Column("breach", "str", "Breach that asked for the training; empty without one."),
        Column("cpu_seconds", "float64", "Processor time of the training."),
        Column("run_id", "str", "Dagster run that decided; empty on the command line."),
    ),
    names.RETRAINING_DECISIONS: (
        Column("number", "int64", "From 1, one for each time that all policies were asked and had something new."),
        Column("at", "datetime64[us]", "When, in UTC."),
        Column("partition", "str", "Latest partition that was judged."),
        Column("champion", "int64", "Version in charge."),
        Column("policy", "str", "Name of the policy.", since="0.2.0", default="retraining"),
        Column("action", "str", "keep, refresh, reweigh, grow, refit, tune, or the kind of model that is trained."),
        _BECOMES,
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
        Column(
            "policy",
            "str",
            "Name of the policy that asked for it; empty: none did: the spec has changed, or the champion is lost.",
            since="0.2.0",
            default="retraining",
        ),
        Column("action", "str", "reweigh, grow, refit, tune, or the kind of model that is trained."),
        _BECOMES,
        Column("reason", "str", "Why."),
        Column("partition", "str", "Latest partition of observations then."),
        Column("run_id", "str", "Dagster run that does it."),
        Column("takeover", "int64", "From 1; a later one took the try over from a dead run."),
        Column("claimed_at", "datetime64[us]", "When, in UTC."),
    ),
    names.REVISIONS: (
        Column("table", "str", "observations or future_covariates: where the row was."),
        Column("partition", "str", "Partition of that table."),
        _ITEM,
        _TIME,
        Column("known_at", "datetime64[us]", "As in the table that it was in."),
        Column("superseded_at", "datetime64[us]", "Since when the row says something else, or is gone, in UTC."),
        Column("contract", "int64", "Number in meanings of what the row meant."),
        Column("target", "float64", "Its value; null of future_covariates, too."),
        Column("covariates", "str", "Its covariates, as JSON: which there are may change."),
    ),
    **LOGS,
}
"""By the table's name, in the order in which they are stored."""
