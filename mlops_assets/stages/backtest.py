"""backtest: rolling origins, refitted without looking ahead, on the same rows for everyone."""

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph, known_numbers, markdown_table
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.decisions.gate import CHALLENGER as FOREST
from mlops_assets.forecasting.decisions.gate import CHAMPION, NAIVE
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.stages.train import fitting_of, history_of
from mlops_assets.tracking.tracking import Registry, Tracking, TrackingError, Version


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
        tables: dg.ResourceParam[Tables],
        tracking: Tracking,
        clock: Clock,
        observations: pd.DataFrame,
        training_set: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        from mlops_assets.forecasting import charts
        from mlops_assets.forecasting.evaluation.backtest import backtest as run_backtest
        from mlops_assets.forecasting.evaluation.metrics import score

        history = history_of(graph, observations)
        until = pd.Timestamp(training_set["timestamp"].max())
        life = Lifecycle(tables, tracking, clock, spec.name)
        try:
            result = run_backtest(
                history,
                spec.task,
                spec.backtest.windows,
                spec.backtest.step,
                models=(FOREST, NAIVE),
                until=until,
                fit=fitting_of(context, life, spec.task),
            )
        except MlopsAssetsError as error:
            raise dg.Failure(f"{spec.file}: backtest: {error}", allow_retries=False) from error
        predictions = result.predictions.assign(version=pd.array([pd.NA] * len(result.predictions), dtype="Int64"))
        champion = life.champion()
        if champion is not None:
            try:
                rows = champion_forecasts(life.registry, champion, history, predictions, spec.task)
                predictions = pd.concat([predictions, rows], ignore_index=True)
            except (MlopsAssetsError, ValueError) as error:
                context.log.warning(f"version {champion.number}, the champion, takes no part in the backtest: {error}")
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
                    charts.markdown_image(charts.backtest_windows(by_window, metric), f"{metric} by backtest window")
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
    registry: Registry, version: Version, history: pd.DataFrame, predictions: pd.DataFrame, task: Task
) -> pd.DataFrame:
    """Forecast with a champion at the origins of a backtest, and with what it had not seen.

    From an origin after its training, the stored model forecasts. An earlier window it has learnt from; there its
    recipe (features, covariates, parameters) is fitted to what was known at the origin, exactly as the challenger's
    is. The same recipe then has the challenger's very forecasts, and only newer windows tell the two apart.

    Args:
        registry: where the champion's model is.
        version: the champion.
        history: canonical frame.
        predictions: rows of a backtest, the challenger's among them.
        task: what the challenger forecasts.

    Returns:
        Rows like the challenger's, with the model named `champion`.

    Raises:
        ValueError: the champion was made for another task (covariates, horizon, quantiles) and cannot do this one.
        TrackingError: its file is gone.
        ModelFileError: its file is not the one that was registered.
    """
    state = registry.load(version)
    code = registry.code(version, state)
    forecaster = code.rebuild(state)
    frames = []
    given = ["window", "item_id", "origin", "timestamp", "lead", "target", "mase_scale", "rmsse_scale"]
    for moment, rows in predictions[predictions["model"] == FOREST].groupby("origin"):
        origin = pd.Timestamp(str(moment))
        model = forecaster
        if version.trained_until is None or version.trained_until > origin:
            if forecaster.task == task:
                frames.append(rows)
                continue
            model = code.refit(forecaster, history[history["timestamp"] <= origin])
        items = rows["item_id"].unique()
        made = model.predict(history, origin, horizon=task.horizon, quantiles=task.quantiles, items=items)
        frames.append(rows[given].merge(made, on=["item_id", "origin", "timestamp", "lead"], how="left"))
    made = pd.concat(frames, ignore_index=True).assign(model=CHAMPION, version=version.number)
    return made[[*predictions.columns, *(["version"] if "version" not in predictions else [])]]
