"""The columns of logs that hold no series: what was claimed, told, agreed and spent; `columns` has them all."""

from collections.abc import Mapping

from mlops_assets.catalog import names
from mlops_assets.catalog.column import Column, Columns

LOGS: Mapping[str, Columns] = {
    names.REGISTRATIONS: (
        Column(
            "fingerprint",
            "str",
            "Hash of the training: spec, data and the version of the features; of a version of another environment the "
            "checksum of its model.",
        ),
        Column("run_id", "str", "Dagster run that registers it, or machine and folder where it is taken over."),
        Column("takeover", "int64", "From 1; a later one took it over from a run that has ended."),
        Column("claimed_at", "datetime64[us]", "When, in UTC."),
    ),
    names.REGISTRY_CALLS: (
        Column("model", "str", "Name of the registered model."),
        Column("event", "str", "What MLflow says has happened, such as model_version_tag.set."),
        Column("delivery", "str", "MLflow's id of the message."),
        Column("at", "datetime64[us]", "When it came, in UTC; the row goes when the sensor approvals begins to look."),
    ),
    names.ENDINGS: (
        Column("event", "str", "What became of the name: retired, renaming (begun), renamed."),
        Column("other", "str", "The forecast's name before; empty where it was retired."),
        Column("at", "datetime64[us]", "When, in UTC."),
    ),
    names.ALERTS: (
        Column("event", "str", "What has happened: run failure, breach, refused, stale data, broken spec, ..."),
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
    names.MEANINGS: (
        Column("number", "int64", "From 1, in the order of the changes."),
        Column("since", "datetime64[us]", "When something was first ingested with this meaning, in UTC."),
        Column("meaning", "str", "Fields of the spec that decide what an observation is, as JSON."),
        Column("changes", "str", "Fields that were changed, each with its value before and after; empty of the first."),
    ),
    names.RETENTION: (
        Column("number", "int64", "From 1, in the order in which something was removed."),
        Column("at", "datetime64[us]", "When, in UTC."),
        Column("setting", "str", "Field of `retention` in the spec."),
        Column("duration", "str", "What it said."),
        Column("first", "str", "First partition that is kept; empty of revisions."),
        Column(
            "since", "datetime64[us]", "From when on all is kept that was known, in UTC: no earlier moment is answered."
        ),
        Column("rows", "int64", "Rows that were to be removed then."),
        Column("removed_by", "str", "Who has removed them."),
        Column("proof", "str", "How they have proven who they are: command (a key); empty: nobody had to."),
    ),
    names.SPENDING: (
        Column("month", "str", "When it was spent, in UTC, as 2013-12."),
        Column("asset", "str", "What it was spent for."),
        Column("steps", "int64", "Steps that have made it, or tried to."),
        Column("failed", "int64", "Steps of these that have stored nothing."),
        Column("partitions", "int64", "Partitions that were made; 1 for each time of an asset without partitions."),
        Column("cpu_seconds", "float64", "Processor time of the steps' own processes, user and system."),
        Column("worker_seconds", "float64", "Processor time of other processes and machines that worked for them."),
        Column("peak_memory_mb", "float64", "The most resident memory of any of the steps (10^6 bytes)."),
        Column("waited_seconds", "float64", "From asking external services until they had answered."),
        Column("saved_seconds", "float64", "Processor time that was not spent again, for its results were there."),
    ),
    names.LATEST_FACTS: (
        Column("asset", "str", "Which has noted them; each has one row, of its latest run."),
        Column("at", "datetime64[us]", "When, in UTC."),
        Column("facts", "str", "What its metadata in Dagster say and people are told of, as JSON."),
    ),
    names.ADJUSTMENTS: (
        Column("number", "int64", "From 1, in the order in which they were made."),
        Column("made_at", "datetime64[us]", "When, in UTC."),
        Column("made_by", "str", "Who."),
        Column("action", "str", "adjust, withdraw, lock or unlock."),
        Column("item_id", "str", "Item, or sum of items as in reconciled_forecasts: sum:north; sum:* is all of them."),
        Column("items", "str", "The items that the sum had then, as a JSON list; empty of one item, and of all."),
        Column("since", "datetime64[us]", "First timestamp that it is about, in the spec's time zone."),
        Column("until", "datetime64[us]", "Last one, included."),
        Column("kind", "str", "value, of each timestamp; factor; or delta: what is added. Empty of other actions."),
        Column("amount", "float64", "The value, the factor, or what is added."),
        Column("reason", "str", "Why, in a word by which they are scored: promotion."),
        Column("note", "str", "Why, in a sentence."),
        Column("ends", "str", "until: it holds for later origins too, up to its last timestamp; origin: for this one."),
        Column("origin", "datetime64[us]", "The latest origin then: what was published before stays as it was."),
        Column("replaces", "Int64", "Number of the adjustment or lock that ends with it; missing if none does."),
    ),
}
"""By the table's name."""
