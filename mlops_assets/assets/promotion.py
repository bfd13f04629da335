"""champion: the gate's decision, or a person's, carried out."""

import time
from typing import Literal

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.alerts.messages import decided
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.metadata import known_numbers
from mlops_assets.catalog.names import BACKTEST, CHAMPION, MODEL_VERSION, OBSERVATIONS
from mlops_assets.catalog.run_tags import becomes_of
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.approvers import Approvers, Request
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.report.decided import decided_state
from mlops_assets.report.health import tell
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.sources import Sources
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import judge
from mlops_assets.stages.shards.history import Histories
from mlops_assets.tracking.tracking import Tracking


class DecisionConfig(dg.Config):
    """A person's decision, given in the launchpad; without one, the gate decides on the latest challenger."""

    decision: Literal["gate", "approve", "reject"] = Field("gate", description="gate, approve or reject.")
    version: int = Field(0, description="The version that a person decides on.")
    by: str = Field("", description="Who decides.")
    reason: str = Field("", description="Why.")
    signature: str = Field("", description="Of mlops-assets sign, where MLOPS_APPROVERS says who may decide.")


def build_champion(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `champion`: a row that says who is champion, and how the latest decision came about."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(CHAMPION),
        ins={
            OBSERVATIONS: dg.AssetIn(graph.key(OBSERVATIONS)),
            MODEL_VERSION: dg.AssetIn(graph.key(MODEL_VERSION)),
            BACKTEST: dg.AssetIn(graph.key(BACKTEST)),
        },
        io_manager_key="tables",
        **graph.attributes(
            ["mlflow"],
            "The gate: the challenger, the champion and seasonal naive on the same backtest rows, and a trial of the "
            "registered model. What passes gets the alias champion, or waits for a person where approval is manual. "
            "Every decision is a row of the table decisions.",
        ),
    )
    @patient
    def champion(
        context: dg.AssetExecutionContext,
        config: DecisionConfig,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        notifications: dg.ResourceParam[Notifications],
        clock: dg.ResourceParam[Clock],
        engine: dg.ResourceParam[Engine],
        approvers: dg.ResourceParam[Approvers],
        observations: StoredTable,
        model_version: pd.DataFrame,
        backtest: StoredTable,
    ) -> dg.Output[pd.DataFrame]:
        life = Lifecycle(tables, tracking, clock, spec.name, models)
        challenger = life.registry.version(int(model_version["version"].iloc[0]))
        if config.decision == "gate":
            rivals = judge.Rivals(backtest, Histories(graph, engine, observations))
            require, becomes = judge.required(spec, context.run), becomes_of(context.run)
            opinion = judge.Judge(spec, life, challenger, rivals, require, becomes)
            number, entry = life.decide(challenger, opinion, judge.trigger(context.run, challenger))
        else:
            request = Request(spec.name, config.version, config.decision, config.by, config.reason)
            who = approvers.by_signature(request, config.signature, time.time())
            decide = life.approve if config.decision == "approve" else life.reject
            number, entry = decide(config.version, who.name, config.reason, proof=who.proof)
        link = life.registry.link(entry.version) if tracking.ui else ""
        alert = decided(spec.name, number, entry, link, notifications)
        if alert is not None:
            notifications.send(tables, alert)
        present = life.champion()
        sources = Sources(spec, tables, tracking, clock, notifications, models=models)
        tell(context, spec, decided_state(sources, Reachable()).state, clock.now(), CHAMPION)
        context.log.info(f"version {entry.version} of {spec.name}: {entry.outcome}; {entry.reason}")
        return dg.Output(
            judge.row_of(spec.name, present, number, entry, naive_utc(clock.now())),
            metadata={
                "outcome": entry.outcome,
                "reason": entry.reason,
                "decision": dg.MetadataValue.md(decisions.page(spec.name, number, entry)),
                **known_numbers(judge.numbers_of(entry)),
                **({"champion_version": present.number} if present else {}),
                **({"mlflow_version": dg.MetadataValue.url(link)} if link else {}),
            },
            # A challenger that is refused makes no forecast stale.
            data_version=dg.DataVersion(f"version {present.number}" if present else "nobody"),
        )

    return champion
