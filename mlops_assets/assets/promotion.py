"""champion: the gate's decision, carried out."""

import dagster as dg
import pandas as pd

from mlops_assets.assets.common import Graph, known_numbers
from mlops_assets.assets.evaluation import CHAMPION, FOREST, NAIVE
from mlops_assets.forecasting import gate
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.tracking import Tracking


def build_champion(graph: Graph) -> dg.AssetsDefinition:
    """Define `champion`: a row that says which version is champion and how the latest challenger fared."""
    spec = graph.spec

    @dg.asset(
        key=graph.key("champion"),
        ins={
            "model_version": dg.AssetIn(graph.key("model_version")),
            "backtest": dg.AssetIn(graph.key("backtest")),
        },
        io_manager_key="tables",
        **graph.attributes(
            ["mlflow"],
            "The gate: a challenger that beats seasonal naive and is no worse than the champion on the same backtest "
            "windows gets the alias champion; otherwise the reason why not is recorded.",
        ),
    )
    def champion(
        context: dg.AssetExecutionContext,
        tracking: Tracking,
        clock: Clock,
        model_version: pd.DataFrame,
        backtest: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        from mlops_assets.forecasting.metrics import score

        registry = tracking.registry(spec.name)
        challenger = registry.version(int(model_version["version"].iloc[0]))
        present = registry.champion()
        scores = score(backtest, spec.task, by=["model"]).set_index("model")[spec.gate.metric].to_dict()
        if present is not None and present.number == challenger.number:
            outcome, reason = "unchanged", "the version is already the champion"
            page = reason
        else:
            decision = gate.decide(
                spec.gate.metric,
                challenger=scores.get(FOREST),
                naive=scores.get(NAIVE),
                champion=scores.get(CHAMPION),
                has_champion=present is not None,
                tolerance=spec.gate.tolerance,
            )
            outcome, reason = decision.outcome, decision.reason
            if decision.promoted:
                registry.promote(challenger.number, reason)
            else:
                registry.set_tags(challenger.number, {"decision": "refused", "decision_reason": reason[:4900]})
            page = gate.markdown(
                decision,
                {
                    "challenger": f"version {challenger.number}",
                    "champion before": f"version {present.number}" if present else "none",
                },
            )
        now_champion = registry.champion()
        context.log.info(f"version {challenger.number} of {spec.name}: {outcome}; {reason}")
        row = {
            "name": spec.name,
            "champion_version": now_champion.number if now_champion else pd.NA,
            "challenger_version": challenger.number,
            "outcome": outcome,
            "reason": reason,
            "decided_at": pd.Timestamp(clock.now()).tz_convert("UTC").tz_localize(None),
            "champion_trained_until": now_champion.trained_until if now_champion else pd.NaT,
        }
        frame = pd.DataFrame([row]).astype({"champion_version": "Int64", "decided_at": "datetime64[us]"})
        frame["champion_trained_until"] = frame["champion_trained_until"].astype("datetime64[us]")
        links = {"mlflow_version": dg.MetadataValue.url(registry.link(challenger.number))} if tracking.ui else {}
        return dg.Output(
            frame,
            metadata={
                "outcome": outcome,
                "decision": dg.MetadataValue.md(page),
                **known_numbers({f"{spec.gate.metric}_{model}": value for model, value in scores.items()}),
                **({"champion_version": now_champion.number} if now_champion else {}),
                **links,
            },
        )

    return champion
