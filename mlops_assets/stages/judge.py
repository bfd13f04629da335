"""champion: the gate's decision, or a person's, carried out."""

import json
import time
from typing import Any, Literal

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.alerts.messages import decided
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.graph import Graph, known_numbers
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.decisions import gate
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.backtest import CHAMPION, FOREST, champion_forecasts
from mlops_assets.stages.train import history_of
from mlops_assets.tracking.tracking import Tracking, TrackingError, Version


class DecisionConfig(dg.Config):
    """A person's decision, given in the launchpad; without one, the gate decides on the latest challenger."""

    decision: Literal["gate", "approve", "reject"] = Field("gate", description="gate, approve or reject.")
    version: int = Field(0, description="The version that a person decides on.")
    by: str = Field("", description="Who decides.")
    reason: str = Field("", description="Why.")


def build_champion(graph: Graph) -> dg.AssetsDefinition:
    """Define `champion`: a row that says who is champion, and how the latest decision came about."""
    spec = graph.spec

    @dg.asset(
        key=graph.key("champion"),
        ins={
            "observations": dg.AssetIn(graph.key("observations")),
            "model_version": dg.AssetIn(graph.key("model_version")),
            "backtest": dg.AssetIn(graph.key("backtest")),
        },
        io_manager_key="tables",
        **graph.attributes(
            ["mlflow"],
            "The gate: the challenger, the champion and seasonal naive on the same backtest rows, and a trial of the "
            "registered model. What passes gets the alias champion, or waits for a person where approval is manual. "
            "Every decision is a row of the table decisions.",
        ),
    )
    def champion(
        context: dg.AssetExecutionContext,
        config: DecisionConfig,
        tables: dg.ResourceParam[Tables],
        tracking: Tracking,
        notifications: Notifications,
        clock: Clock,
        observations: pd.DataFrame,
        model_version: pd.DataFrame,
        backtest: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        life = Lifecycle(tables, tracking, clock, spec.name)
        challenger = life.registry.version(int(model_version["version"].iloc[0]))
        if config.decision == "gate":
            judge = Judge(graph, life, challenger, backtest, history_of(graph, observations), _require(spec, context))
            number, entry = life.decide(challenger, judge, _trigger(context, challenger))
        elif config.decision == "approve":
            number, entry = life.approve(config.version, config.by, config.reason)
        else:
            number, entry = life.reject(config.version, config.by, config.reason)
        link = life.registry.link(entry.version) if tracking.ui else ""
        alert = decided(spec.name, number, entry.outcome, entry.version, entry.reason, link, notifications)
        if alert is not None:
            notifications.send(tables, alert)
        present = life.champion()
        context.log.info(f"version {entry.version} of {spec.name}: {entry.outcome}; {entry.reason}")
        frame = pd.DataFrame(
            [
                {
                    "name": spec.name,
                    "champion_version": present.number if present else pd.NA,
                    "challenger_version": entry.version,
                    "outcome": entry.outcome,
                    "reason": entry.reason,
                    "decided_by": entry.decided_by,
                    "decision": number,
                    "decided_at": naive_utc(clock.now()),
                    "champion_trained_until": present.trained_until if present else pd.NaT,
                }
            ]
        ).astype(
            {
                "champion_version": "Int64",
                "decided_at": "datetime64[us]",
                "champion_trained_until": "datetime64[us]",
            }
        )
        return dg.Output(
            frame,
            metadata={
                "outcome": entry.outcome,
                "decision": dg.MetadataValue.md(decisions.page(spec.name, number, entry)),
                **known_numbers(numbers_of(entry)),
                **({"champion_version": present.number} if present else {}),
                **({"mlflow_version": dg.MetadataValue.url(link)} if link else {}),
            },
        )

    return champion


class Judge:
    """The gate over one challenger: measures once, compares with whoever is champion when it is asked."""

    def __init__(
        self,
        graph: Graph,
        life: Lifecycle,
        challenger: Version,
        backtest: pd.DataFrame,
        history: pd.DataFrame,
        require: Literal["no_worse", "better"],
    ) -> None:
        spec = graph.spec
        self._spec, self._life, self._challenger, self._history = spec, life, challenger, history
        self._backtest = backtest
        self._trial = trial_of(life, challenger, history, spec)
        rules = spec.gate.model_dump(exclude={"require"})
        self._limits = gate.Limits(**rules, require=require, non_negative=spec.non_negative)

    def __call__(self, champion: Version | None, log: pd.DataFrame) -> Verdict:
        """Judge the challenger against the champion of the moment."""
        spec, mine = self._spec, self._challenger
        rows, opponent = self._against(champion)
        away = decisions.rolled_back(log, mine.tags.get("data_version", ""), mine.tags.get("spec_hash", ""))
        decision = gate.judge(
            rows,
            spec.task,
            self._limits,
            trial=self._trial,
            champion=opponent,
            segments=gate.by_static(self._history, tuple(spec.covariates.static)),
            rolled_back=away,
            approval=spec.approval,
        )
        before = champion.number if champion else None
        seen = decisions.evidence_of([mine.number, before, self._limits, spec.approval, away, self._trial.problem])
        return Verdict(decision.outcome, decision.reason, decision.as_json(), seen)

    def _against(self, champion: Version | None) -> tuple[pd.DataFrame, gate.Opponent | None]:
        """Return the backtest with the champion's rows, made anew if the backtest has another champion's."""
        rows = self._backtest
        others = rows[rows["model"] != CHAMPION]
        if champion is None:
            return others, None
        present = rows[(rows["model"] == CHAMPION) & (rows["version"] == champion.number)]
        if len(present):
            return pd.concat([others, present]), gate.Opponent(champion.number)
        try:
            made = champion_forecasts(self._life.registry, champion, self._history, others, self._spec.task)
        except (MlopsAssetsError, ValueError) as error:
            return others, gate.Opponent(champion.number, str(error))
        return pd.concat([others, made]), gate.Opponent(champion.number)


def trial_of(life: Lifecycle, version: Version, history: pd.DataFrame, spec: ForecastSpec) -> gate.Trial:
    """Load a registered model and let it forecast from its own last timestamp."""
    from mlops_assets.forecasting.model.baselines import alive_items

    try:
        state, size = life.registry.fetch(version)
        forecaster = life.registry.code(version, state).rebuild(state)
        origin = version.trained_until or pd.Timestamp(history["timestamp"].max())
        items = alive_items(history[history["timestamp"] <= origin], spec.task, origin)
        began = time.process_time()
        made = forecaster.predict(history, origin, horizon=spec.horizon, quantiles=spec.task.quantiles, items=items)
        seconds = time.process_time() - began
    except (MlopsAssetsError, ValueError) as error:
        return gate.Trial(None, problem=str(error))
    return gate.Trial(made, len(items) * spec.horizon, seconds, size / 1e6)


def _require(spec: ForecastSpec, context: dg.AssetExecutionContext) -> Literal["no_worse", "better"]:
    """What the challenger must be: a training that a breach asked for has to cure something."""
    if spec.gate.require == "auto":
        return "better" if context.run.tags.get("mlops/breach") else "no_worse"
    return spec.gate.require


def _trigger(context: dg.AssetExecutionContext, challenger: Version) -> dict[str, Any]:
    """Return the fields of a decision that say why the challenger was trained and what that cost."""
    return {
        "trigger": context.run.tags.get("mlops/reason", "materialized by hand"),
        "breach": context.run.tags.get("mlops/breach", ""),
        "cpu_seconds": float(seconds) if (seconds := challenger.tags.get("cpu_seconds")) else None,
        "run_id": context.run.run_id,
    }


def numbers_of(entry: Entry) -> dict[str, float]:
    """Return the numbers of a decision that are worth a line over time: the metric of each side, the difference."""
    rules = {rule["name"]: rule["numbers"] for rule in json.loads(entry.rules)["rules"]} if entry.rules else {}
    naive, champion = rules.get("better_than_naive", {}), rules.get("against_champion", {})
    found = {
        FOREST: naive.get("first"),
        gate.NAIVE: naive.get("second"),
        CHAMPION: champion.get("second"),
        "change_against_champion": champion.get("change"),
        "coverage": rules.get("coverage", {}).get("coverage"),
    }
    return {name: value for name, value in found.items() if value is not None}
