"""Registering a training: its one MLflow run, and the version that is made of it."""

import hashlib
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog import run_tags
from mlops_assets.catalog.meaning import TAG, meaning_of, to_text
from mlops_assets.forecasting.decisions.rules import REFIT
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, NAIVE, with_names_of_today
from mlops_assets.forecasting.evaluation.importance import by_group
from mlops_assets.forecasting.evaluation.metrics import Scoring
from mlops_assets.forecasting.model import kinds, regressors
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.claims import Registrations
from mlops_assets.resources import meter
from mlops_assets.resources.release import package_version
from mlops_assets.resources.stored import StoredTable
from mlops_assets.sources.revisions.git import described
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.backtest import headline
from mlops_assets.stages.shards.history import Histories, Part
from mlops_assets.tracking.registry import KIND, Registry, Version
from mlops_assets.tracking.runs import Step, TrainingRun
from mlops_assets.tracking.tracking import Tracking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlops_assets.forecasting.model.kinds import Model


@dataclass(frozen=True)
class Training:
    """A training with everything that is known of it.

    Attributes:
        spec: the forecast.
        history: canonical frame of the largest items.
        rows: the training rows, or the first of them.
        model: `forecaster`, its state, and the `facts` of `train.fit`.
        backtest: what is told of it.
        source_version: of the source at the latest ingestion, where the spec says who knows it; else empty.
    """

    spec: ForecastSpec
    history: pd.DataFrame
    rows: pd.DataFrame
    model: Mapping[str, Any]
    backtest: "Summary"
    source_version: str = ""

    def forecaster(self) -> "Model":
        """Return the model, ready to forecast."""
        return kinds.rebuild(self.model["forecaster"])

    def tags(self, run: dg.DagsterRun) -> dict[str, str]:
        """Return what the version's tags say: what it depends on, and why it was trained."""
        facts, spec_hash = self.model["facts"], self.spec.fingerprint()
        return {
            "fingerprint": learnt(spec_hash, facts),
            "spec_hash": spec_hash,
            TAG: to_text(meaning_of(self.spec)),
            "data_version": facts["data_version"],
            "trained_until": facts["trained_until"],
            "package_version": package_version(),
            "git_commit": described(Path.cwd()),
            "spec_commit": described(self.spec.folder),
            "reason": run_tags.reason_of(run),
            "action": facts["action"],
            KIND: self.model["forecaster"]["kind"],
            "cpu_seconds": str(facts["fit_seconds"]),
            **({"breach": run.tags[run_tags.BREACH]} if run_tags.BREACH in run.tags else {}),
            **({"choice": facts["choice"]} if "choice" in facts else {}),
            **({"source_version": self.source_version} if self.source_version else {}),
        }


@dataclass(frozen=True)
class Summary:
    """What is told of a backtest.

    Attributes:
        scores: `overall`, `by_window`, `by_lead`, `by_item`: tables of scores, by model too.
        latest: the challenger's rows of the latest window, of the items of `Training.history`.
        items: how many items there are.
    """

    scores: Mapping[str, pd.DataFrame]
    latest: pd.DataFrame
    items: int

    @classmethod
    def of(cls, parts: Iterable[pd.DataFrame], task: Task, shown: Collection[str]) -> "Summary":
        """Make it of all rows, those of some items after those of others.

        Args:
            parts: rows of a backtest.
            task: what is forecast.
            shown: items of which the latest forecasts are shown.
        """
        scorings = {name: Scoring(task, ["model", *by]) for name, by in _SCORES.items()}
        own = []
        for rows in parts:
            for scoring in scorings.values():
                scoring.add(rows)
            own.append(rows[(rows["model"] == CHALLENGER) & rows["item_id"].isin(shown)])
        scores = {name: scoring.table() for name, scoring in scorings.items()}
        latest = pd.concat(own, ignore_index=True)
        latest = latest[latest["window"] == scores["by_window"]["window"].max()]
        return cls(scores, latest, scores["by_item"]["item_id"].nunique())


_SCORES = {"overall": [], "by_window": ["window"], "by_lead": ["lead"], "by_item": ["item_id"]}
_SECONDS = "log_seconds"
"""Tag: processor time that logging the training took, which the same training spares another time."""
ROWS = 1000
"""Training rows that are logged."""
SHOWN = 6
"""Items in the picture of the latest window: the largest."""


def largest(histories: Histories, until: pd.Timestamp, items: int = SHOWN) -> pd.DataFrame:
    """Return the history of the items whose targets up to a moment have the largest sums.

    Of many items only the targets are read, and the rest of the largest.
    """
    sums = pd.concat(histories.each(_largest_sums, until, items, only_targets=True))
    ids = sums.nlargest(items).index.to_list()
    history = histories.of(ids).history if histories.many else histories.whole.history
    return history[history["item_id"].isin(ids)].sort_values(["item_id", "timestamp"], ignore_index=True)


def _largest_sums(part: Part, until: pd.Timestamp, items: int) -> "pd.Series[float]":
    targets = part.targets
    return targets[targets["timestamp"] <= until].groupby("item_id")["target"].sum().nlargest(items)


def register(
    training: Training,
    tracking: Tracking,
    claims: Registrations,
    context: Step,
    after: int = 0,
) -> tuple[Version, bool]:
    """Log a training as one MLflow run and register its model, unless this very training is registered already.

    Args:
        training: what is registered.
        tracking: where.
        claims: of those who register the same at the same moment; the others wait for the version of the first.
        context: of the step that does it.
        after: the highest number that was ever decided on: a new version has a higher one.

    Returns:
        The version, and whether it is new.
    """
    spec, facts, tags = training.spec, training.model["facts"], training.tags(context.run)
    registry = tracking.registry(spec.name)
    look = partial(same_training, registry, tags["fingerprint"])
    claim = partial(claims.claim, tags["fingerprint"], context.run.run_id, context.instance)
    found = look() or registered_or_claimed(look, claim, context.log.info)
    if found is not None:
        context.log.info(f"version {found.number} of {spec.name} is this very training; it is not registered again")
        meter.add(saved=float(found.tags.get(_SECONDS) or 0.0))
        registry.set_tags(found.number, {TAG: tags[TAG]})  # these rows, whatever the spec called them then
        return registry.version(found.number), False
    overall = training.backtest.scores["overall"]
    description = f"{score_sentence(overall, spec.gate.metric)}; trained until {facts['trained_until']}"
    with tracking.run(context, spec.name, f"{spec.name} until {facts['trained_until'][:16]}", tags) as run:
        with meter.metering() as spent:
            model_uri, sha256 = _log(training, run)
        # Within the run: a process that dies here leaves a run to be closed and a model to be removed.
        tags |= {"sha256": sha256, "stage": "Staging", _SECONDS: f"{spent.cpu_seconds:.3f}"}
        return registry.register(model_uri, run.run_id, tags, description, after), True


def registered_or_claimed(
    look: Callable[[], Version | None], claim: Callable[[], str], tell: Callable[[str], None], pause: float = 1.0
) -> Version | None:
    """Return the version of a training, also of another run that registers it now; None once it is claimed.

    Args:
        look: for the version.
        claim: the training for this run; returns which other run has it.
        tell: that another has it.
        pause: seconds between two looks.
    """
    told = False
    while True:
        holder = claim()
        found = look()
        if found is not None or not holder:
            return found
        if not told:
            tell(f"run {holder} registers this very training: waiting for its version")
            told = True
        time.sleep(pause)


def row_of(name: str, version: Version) -> pd.DataFrame:
    """Return the row of the table `model_version`."""
    told = {key: version.tags.get(key, "") for key in ("trained_until", "spec_hash", "data_version", "sha256")}
    return pd.DataFrame([{"name": name, "version": version.number, "run_id": version.run_id, **told}])


def same_training(registry: Registry, training: str) -> Version | None:
    """Return the newest version with the same fingerprint, or None."""
    return next((v for v in registry.versions() if v.tags.get("fingerprint") == training and "sha256" in v.tags), None)


def learnt(spec_hash: str, facts: Mapping[str, Any]) -> str:
    """Return the fingerprint of a training, see `fingerprint`, given its facts (`train.fit`)."""
    data, action = facts["data_version"], facts["action"]
    return fingerprint(spec_hash, data if action == REFIT else f"{data} {action}")


def fingerprint(spec_hash: str, data_version: str) -> str:
    """Return a hash of all that a version depends on: spec, data and the version of the features.

    That version is named by the release that introduced it, so that a later release knows its own trainings again.
    """
    from mlops_assets.forecasting.model.forecaster import STATE_RELEASE

    return hashlib.sha256(f"{spec_hash}|{data_version}|{STATE_RELEASE}".encode()).hexdigest()[:32]


def score_sentence(overall: pd.DataFrame, metric: str) -> str:
    """Return the main score as a sentence."""
    scores = overall.set_index("model")[metric]
    return f"{metric} {scores[CHALLENGER]:.4f} on the backtest, seasonal naive {scores[NAIVE]:.4f}"


def with_right_intervals(spec: ForecastSpec, model: dict[str, Any], backtest: StoredTable) -> dict[str, Any]:
    """Return a stored model with its intervals corrected by its backtest, where the spec asks for that."""
    if spec.backtest.conformal is None:
        return model
    forecaster: Any = kinds.rebuild(model["forecaster"])
    if not hasattr(forecaster, "corrected"):
        return model
    columns = ["model", "source", "target", *spec.task.quantile_columns]
    batches = map(with_names_of_today, backtest.batches(columns))
    rows = pd.concat([rows[rows["model"] == CHALLENGER] for rows in batches], ignore_index=True)
    forecaster = forecaster.corrected(rows, spec.backtest.conformal)
    return {**model, "forecaster": kinds.state_of(forecaster)}


def _log(training: Training, run: TrainingRun) -> tuple[str, str]:
    """Log everything about a training; return MLflow's address of the model and its sha256."""
    spec, forecaster = training.spec, training.forecaster()
    run.log_params(_parameters(training, forecaster))
    run.log_dataset(training.rows.head(ROWS), f"{spec.name}/training_set", f"{spec.name} training set")
    scores = training.backtest.scores
    run.log_metrics({**headline(scores["overall"]), "fit_seconds": training.model["facts"]["fit_seconds"]})
    for name, table in scores.items():
        run.log_table(table, f"backtest/{name}.csv")
    importances = kinds.importances(forecaster)
    if importances is not None:
        run.log_table(importances, "importances.csv")
        run.log_table(by_group(importances), "importances_by_group.csv")
    if isinstance(forecaster, kinds.Combined):
        run.log_table(forecaster.record, "members.csv")
    _log_pictures(training, run, scores, importances)
    until = pd.Timestamp(training.model["facts"]["trained_until"])
    example = example_of(training.history, kinds.lookback(forecaster.task), until)
    return run.log_forecaster(training.model["forecaster"], example, forecasts_of(forecaster, example), spec.horizon)


def _parameters(training: Training, forecaster: "Model") -> dict[str, Any]:
    """Return what the run says of how the model was made."""
    spec = training.spec
    model = forecaster.task.model
    own = {**regressors.defaults(model.kind), **model.parameters}
    return {
        "frequency": spec.frequency,
        "horizon": spec.horizon,
        "season_lengths": list(spec.task.season_lengths),
        "quantiles": spec.quantiles,
        "point": spec.point,
        "covariates": [*spec.covariate_columns, *spec.calendar_columns],
        "holidays": spec.holidays or "none",
        "seed": model.seed,
        "training_rows": training.model["facts"]["training_rows"],
        "model.kind": model.kind,
        "interval_factors": list(getattr(forecaster, "widths", (1.0, 1.0))),
        **{f"model.{name}": value for name, value in own.items()},
    }


def _log_pictures(
    training: Training, run: TrainingRun, scores: Mapping[str, pd.DataFrame], importances: pd.DataFrame | None
) -> None:
    """Draw what the model leans on, its scores, and its forecasts of the latest window."""
    from mlops_assets.forecasting import charts

    metric = training.spec.gate.metric
    if importances is not None:
        run.log_figure(partial(charts.importances, importances), "pictures/importances.png")
    windows, leads = scores["by_window"], scores["by_lead"]
    run.log_figure(partial(charts.backtest_windows, windows, metric), f"pictures/{metric}_by_window.png")
    run.log_figure(partial(charts.error_by_lead, leads, metric), f"pictures/{metric}_by_lead.png")
    run.log_figure(partial(_latest_window, training), "pictures/latest_window.png")


def _latest_window(training: Training) -> "Figure":
    """Draw the forecasts of the latest window beside what came."""
    from mlops_assets.forecasting import charts

    history, latest = training.history, training.backtest.latest
    origin = latest["origin"].iloc[0]
    return charts.fan(
        history[history["timestamp"] <= origin],
        latest,
        actuals=history[history["timestamp"].between(origin, latest["timestamp"].max(), inclusive="right")],
        point=training.spec.task.point_column,
        of=training.backtest.items,
    )


def example_of(history: pd.DataFrame, steps: int, until: pd.Timestamp, items: int = 2) -> pd.DataFrame:
    """Return the recent history of a few items, as the input example of a logged model.

    Args:
        history: canonical frame.
        steps: so many for each item, the latest.
        until: the last timestamp.
        items: how many of them, the largest.
    """
    past = history[history["timestamp"] <= until]
    largest = past.groupby("item_id")["target"].sum().nlargest(items).index
    few = past[past["item_id"].isin(largest)]
    return few.groupby("item_id").tail(steps).sort_values(["item_id", "timestamp"]).reset_index(drop=True)


def forecasts_of(forecaster: "Model", example: pd.DataFrame) -> pd.DataFrame:
    """Forecast from an input example; that it holds no future is no news to anybody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualInput)
        return forecaster.predict(example)
