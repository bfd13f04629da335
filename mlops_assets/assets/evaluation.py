"""backtest: rolling origins, refitted without looking ahead, on the same rows for everyone."""

import dagster as dg
import pandas as pd

from mlops_assets.assets.common import Graph, known_numbers, markdown_table
from mlops_assets.assets.training import history_of
from mlops_assets.resources.tracking import Registry, Tracking

FOREST, NAIVE, CHAMPION = "forest", "seasonal_naive", "champion"


def build_backtest(graph: Graph) -> dg.AssetsDefinition:
    """Define `backtest`: the forecasts of every model at every rolling origin, with the targets."""
    spec = graph.spec

    @dg.asset(
        key=graph.key("backtest"),
        ins={
            "observations": dg.AssetIn(graph.key("observations")),
            "training_set": dg.AssetIn(graph.key("training_set"), metadata={"columns": ["timestamp"]}),
        },
        deps=[graph.key("random_forest")],
        io_manager_key="tables",
        **graph.attributes(
            ["scikitlearn", "pandas"],
            "Forecasts from rolling origins with a forest refitted at each, with seasonal naive and with the present "
            "champion, beside what really came.",
        ),
    )
    def backtest(
        context: dg.AssetExecutionContext,
        tracking: Tracking,
        observations: pd.DataFrame,
        training_set: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        from mlops_assets.forecasting import plots
        from mlops_assets.forecasting.backtest import backtest as run_backtest
        from mlops_assets.forecasting.metrics import score

        history = history_of(graph, observations)
        until = pd.Timestamp(training_set["timestamp"].max())
        try:
            result = run_backtest(
                history,
                spec.task,
                spec.backtest.windows,
                spec.backtest.step,
                models=(FOREST, NAIVE),
                until=until,
            )
        except ValueError as error:
            raise dg.Failure(f"{spec.file}: backtest: {error}", allow_retries=False) from error
        predictions = result.predictions
        try:
            champion = champion_forecasts(tracking.registry(spec.name), history, predictions, graph)
        except ValueError as error:
            context.log.warning(f"the champion cannot take part in the backtest: {error}")
            champion = None
        if champion is not None:
            predictions = pd.concat([predictions, champion], ignore_index=True)
        overall = score(predictions, spec.task, by=["model"])
        by_window = score(predictions, spec.task, by=["model", "window"])
        metric = spec.gate.metric
        return dg.Output(
            predictions,
            metadata={
                **known_numbers(headline(overall)),
                "scores": dg.MetadataValue.md(markdown_table(overall)),
                "scores_by_window": dg.MetadataValue.md(markdown_table(by_window)),
                "by_window": dg.MetadataValue.md(
                    plots.markdown_image(plots.backtest_windows(by_window, metric), f"{metric} by backtest window")
                ),
                "seconds": dg.MetadataValue.md(markdown_table(result.seconds, 3)),
            },
        )

    return backtest


def headline(overall: pd.DataFrame) -> dict[str, float]:
    """Return the forest's scores under their names, and seasonal naive's as `naive_...`."""
    rows = overall.set_index("model")
    return {
        **{str(name): float(value) for name, value in rows.loc[FOREST].to_dict().items()},
        **{f"naive_{name}": float(value) for name, value in rows.loc[NAIVE].to_dict().items() if name != "rows"},
    }


def champion_forecasts(
    registry: Registry, history: pd.DataFrame, predictions: pd.DataFrame, graph: Graph
) -> pd.DataFrame | None:
    """Forecast with the present champion's stored model at the origins of a backtest.

    Returns:
        Rows like the forest's, with the model named `champion`; None without a champion.

    Raises:
        ValueError: the champion was made for another task (covariates, horizon) and cannot do this one.
    """
    from mlops_assets.forecasting.forest import Forecaster

    version = registry.champion()
    if version is None:
        return None
    task = graph.spec.task
    forecaster = Forecaster.from_state(registry.load(version))
    frames = []
    given = ["window", "item_id", "origin", "timestamp", "lead", "target", "mase_scale", "rmsse_scale"]
    for origin, rows in predictions[predictions["model"] == FOREST].groupby("origin"):
        made = forecaster.predict(history, pd.Timestamp(str(origin)), horizon=task.horizon, quantiles=task.quantiles)
        frames.append(rows[given].merge(made, on=["item_id", "origin", "timestamp", "lead"], how="left"))
    return pd.concat(frames, ignore_index=True).assign(model=CHAMPION)[predictions.columns]
