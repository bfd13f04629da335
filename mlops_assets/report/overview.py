"""The state of a forecast in figures: what `mlops-assets status` and the report show."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from mlops_assets.forecasting.decisions.rules import CHALLENGE, RETRAINING
from mlops_assets.forecasting.formatting import few

BROKEN = "broken spec"
"""How the only problem begins of a forecast whose spec cannot be used."""


@dataclass(frozen=True)
class ChampionState:
    """The version that forecasts at present.

    Attributes:
        version: its number.
        model_kind: which kind of model it is; empty where release 0.1.0 registered it, or MLflow cannot be asked.
        since: when it came in, in UTC; None where an alias was set by hand.
        decided_by: who let it in; None as `since`.
        trained_until: the last timestamp that it has learnt from.
        age_days: days from then to the latest data; None where either is not known.
        link: its page in MLflow; empty without a web UI.
        choice: which models it is made of, and why; empty of a single kind.
    """

    version: int
    model_kind: str
    since: str | None
    decided_by: str | None
    trained_until: str | None
    age_days: int | None
    link: str
    choice: str = ""


@dataclass(frozen=True)
class StoredAsset:
    """An asset of which something is stored.

    Attributes:
        name: the last part of its key.
        partitions: how many are stored; None of an asset without partitions.
        last: the latest of them; None as `partitions`.
    """

    name: str
    partitions: int | None
    last: str | None


@dataclass(frozen=True)
class AccuracyState:
    """How good the forecasts of the latest scored partition were.

    Attributes:
        partition: which.
        metric: what the retraining policy watches.
        value: of the metric; None where it is not defined.
        limit: the lowest value that is a breach; None: none is.
        mean: of the metric over the latest partitions.
        scores: what the report shows (`ledger.shown_numbers`): the metrics, `naive_mase` of seasonal naive on the same
            rows, and `skill`, above 0 if better than that; None where one is not defined.
        rows: forecasts that were scored.
        worse_than_naive: of the last `retraining.window` scored partitions, those whose skill is below 0.
        outside_coverage: of the same, those in which the outer interval's coverage is further from what it says than
            `gate.coverage_tolerance`.
    """

    partition: str
    metric: str
    value: float | None
    limit: float | None
    mean: float | None
    scores: dict[str, float | None]
    rows: int
    worse_than_naive: tuple[str, ...] = ()
    outside_coverage: tuple[str, ...] = ()

    @property
    def skill(self) -> float | None:
        """1 less the ratio of MASE to seasonal naive's; above 0 is better than seasonal naive."""
        return self.scores.get("skill")

    @property
    def coverage(self) -> float | None:
        """Share of the actuals within the outer quantiles."""
        return self.scores.get("coverage")


@dataclass(frozen=True)
class PolicyState:
    """The latest answer of a retraining policy.

    Attributes:
        partition: that it was asked about.
        action: keep, refresh, or how a model was to be trained.
        rule: that asked for it.
        breach: name of the breach; empty: none.
        reason: in a sentence.
        policy: its name.
        becomes: what becomes of the version.
    """

    partition: str
    action: str
    rule: str | None
    breach: str | None
    reason: str
    policy: str = RETRAINING
    becomes: str = CHALLENGE


@dataclass(frozen=True)
class DriftState:
    """What the latest measurement of data drift says.

    Attributes:
        partition: which.
        drift: the largest of any feature; None where nothing could be measured.
        drifted: a sentence for each feature that drifted.
        judged: how many features could be judged.
    """

    partition: str
    drift: float | None
    drifted: tuple[str, ...]
    judged: int


@dataclass(frozen=True)
class AnomaliesState:
    """What the latest partition has that was hardly expected.

    Attributes:
        partition: which.
        rows: how many observations.
        words: which, in a sentence; empty if none.
    """

    partition: str
    rows: int
    words: str


@dataclass(frozen=True)
class QuarantineState:
    """The latest partition that has rows in quarantine.

    Attributes:
        partition: which.
        rows: how many.
        reasons: reason -> rows.
    """

    partition: str
    rows: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class IngestionState:
    """What the latest ingestion has counted.

    Attributes:
        source: that was read.
        read: rows that were read.
        counts: what has become of them, in words -> rows; only what there is.
        filled: earlier partitions that had no rows -> rows that have come since.
        kept: partitions whose stored rows stay, for fewer or too many bad ones have come.
        left_out: items that the latest forecasts have left out, because nothing was observed of them lately.
        left_out_items: the first of them.
        notes: what was taken for what in the rows, and what is odd, a line each.
    """

    source: str
    read: int
    counts: dict[str, int]
    filled: dict[str, int] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    left_out: int = 0
    left_out_items: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {words}" for words, count in self.counts.items())
        said = f"{self.read:,} rows read of {self.source}" + (f": {counts}" if counts else "")
        if self.filled:
            late = ", ".join(f"{partition} ({rows:,} rows)" for partition, rows in list(self.filled.items())[:5])
            said += f"; came late and was filled in: {late}" + (", …" if len(self.filled) > 5 else "")
        if self.kept:
            said += f"; what was stored of {few(self.kept)} stays"
        if self.left_out:
            said += f"; {self.left_out:,} items left out of the forecasts: {self.left_out_items}"
        return said


@dataclass(frozen=True)
class FailedRun:
    """A Dagster run that failed, as an alert has told it.

    Attributes:
        run_id: Dagster's id.
        what: what has failed and why.
        ended: when that was told, in UTC.
        link: its page in Dagster.
    """

    run_id: str
    what: str
    ended: str
    link: str


@dataclass(frozen=True)
class ExternalState:
    """How an external service stands beside our model.

    Attributes:
        service: which.
        role: what its forecasts are for: `shadow` or `champion`.
        declared: the role that the spec says it begins with.
        since: when it was switched, in UTC; None: the spec's word holds.
        decided_by: who has switched it; empty before.
        reason: why; empty before.
        latest: the latest partition that it has forecast from; None before the first.
        delivered: of the latest forecasts that are delivered, `source` and `delivered_because` as the ledger has them.
        rows: forecasts of the latest partitions that both have made, and that have their actuals.
        scores: of these rows, by model (the service, `ours`) and metric.
    """

    service: str
    role: str
    declared: str
    since: str | None
    decided_by: str
    reason: str
    latest: str | None
    delivered: dict[str, str]
    rows: int
    scores: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class MonthState:
    """What a month's runs have taken; see the table `spending`.

    Attributes:
        month: in UTC, such as 2013-12.
        cpu_hours: of the steps' own processes and of those that worked for them.
        waited_hours: from asking external services until they had answered.
        saved_hours: processor time that was not spent again.
        peak_memory_mb: the most resident memory of a step.
        money: for the processor; None where no price is known.
        assets: what each took of the CPU hours, the most first.
    """

    month: str
    cpu_hours: float
    waited_hours: float
    saved_hours: float
    peak_memory_mb: float
    money: float | None
    assets: dict[str, float]


@dataclass(frozen=True)
class Overview:
    """The state of a forecast.

    Attributes:
        forecast: its name.
        description: its line.
        at: the moment, in UTC.
        champion: None without one.
        waiting: versions that wait for approval.
        aside: versions that a policy keeps beside the champion, those since the champion's.
        assets: those of which something is stored.
        accuracy: None before anything was scored.
        policies: the latest answer of each retraining policy, in their order; empty before they were asked.
        drift: None before it was measured.
        quarantine: None if the latest partitions have no row in it.
        ingestion: the latest; None before there was one.
        unobserved: partitions that no row has come of, those aside that never have any.
        unforecast: partitions that the schedule asked to forecast from, and nobody has.
        next_round: when the schedule ticks next; None without a schedule.
        failed_runs: the latest, newest first.
        unreachable: what could not be learnt, and why, a line each; what it would have said is left out.
        standing: why nobody is champion, or what has become of the champion; empty if all is well.
        outliers: values of late that are hardly true, in a sentence; empty without any.
        missing_ahead: known covariates that the latest forecasts lack over their horizon, in words; empty without any.
        silent_point: that the latest forecasts say zero nearly everywhere, in a sentence; empty where they do not.
        anomalies: of the latest partition that was looked at; None before one was.
        changed_spec: which observations were ingested under another spec, in words; empty if none were.
        external: how the external service is; None without one.
        spent: what was spent in each of the latest months, the latest first.
        revised: which share of the latest values was revised since they were stored, in a sentence; empty if none was.
        backtest: of the champion before it came in: the watched metric, MASE and coverage, with seasonal naive's on
            the same rows as `naive_...`; what is known of them.
        refused: that the latest challenger was refused, in a sentence; empty if it was not.
        refused_rows: the partition whose rows were read last and not stored, for too many of them break the contract;
            empty if they were stored.
        unstored: asset -> which rows of its latest partition were made and are not stored, in a sentence; only those
            that lack some.
        rolled_back: that the latest forecasts are a rolled-back version's, in a sentence; empty where they are not.
        problems: what a person should look at, in sentences; empty when all is well.
        warnings: what is worth knowing and nothing to look at.
    """

    forecast: str
    description: str
    at: str
    champion: ChampionState | None
    waiting: tuple[int, ...]
    assets: tuple[StoredAsset, ...]
    accuracy: AccuracyState | None
    policies: tuple[PolicyState, ...]
    drift: DriftState | None
    quarantine: QuarantineState | None
    next_round: str | None
    failed_runs: tuple[FailedRun, ...]
    ingestion: IngestionState | None = None
    unobserved: tuple[str, ...] = ()
    unforecast: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    standing: str = ""
    outliers: str = ""
    missing_ahead: str = ""
    silent_point: str = ""
    anomalies: AnomaliesState | None = None
    changed_spec: str = ""
    aside: tuple[int, ...] = ()
    external: ExternalState | None = None
    spent: tuple[MonthState, ...] = ()
    revised: str = ""
    rolled_back: str = ""
    backtest: dict[str, float] = field(default_factory=dict)
    refused: str = ""
    refused_rows: str = ""
    unstored: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_broken(cls, name: str, message: str, at: str) -> "Overview":
        """Return the state of a forecast whose spec cannot be used: that, and nothing else, is known."""
        return cls._of_problem(name, f"{BROKEN}: {message}", at)

    @classmethod
    def of_undeclared(cls, name: str, what: str, at: str) -> "Overview":
        """Return the state of a forecast that no spec declares any more, of which something is stored."""
        todo = f"mlops-assets retire {name}, or mlops-assets rename {name} NEW if its spec has another name now"
        return cls._of_problem(name, f"no longer declared ({what}): {todo}", at)

    @classmethod
    def _of_problem(cls, name: str, problem: str, at: str) -> "Overview":
        nothing: dict[str, Any] = dict.fromkeys(("champion", "accuracy", "drift", "quarantine", "next_round"))
        nothing |= dict.fromkeys(("waiting", "assets", "policies", "failed_runs"), ())
        return cls(name, "", at, problems=(problem,), **nothing)

    @property
    def last(self) -> dict[str, str | None]:
        """The latest stored partition of each stored asset; None of one without partitions."""
        return {asset.name: asset.last for asset in self.assets}

    def to_frame(self) -> pd.DataFrame:
        """Return what is stored, a row for each asset: name, partitions, last."""
        rows = pd.DataFrame([asdict(asset) for asset in self.assets], columns=["name", "partitions", "last"])
        return rows.astype({"partitions": "Int64"})

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types; scores by name beside the other facts of the accuracy.

        `policy` is the answer that counts of those in `policies`.
        """
        values = json.loads(json.dumps(asdict(self)))
        values["policy"] = next((a for a in values["policies"] if a["breach"]), next(iter(values["policies"]), None))
        if values["accuracy"] is not None:
            values["accuracy"].update(values["accuracy"].pop("scores"))
        return values
