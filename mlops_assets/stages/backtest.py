"""The backtest: model, seasonal naive and champion at rolling origins, on the same rows for everyone."""

from dataclasses import dataclass

import pandas as pd

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.versions import Versions, require_fit
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.train import Fitting
from mlops_assets.tracking.registry import Version


@dataclass(frozen=True)
class Backtested:
    """What the models forecast at the rolling origins.

    Attributes:
        predictions: rows as `evaluation.backtest` makes them, the champion's among them, with its `version`.
        seconds: model, fit, predict: processor time, summed over the windows.
        left_out: why the champion takes no part; empty if it does, or if there is none.
    """

    predictions: pd.DataFrame
    seconds: pd.DataFrame
    left_out: str = ""


def backtest(
    spec: ForecastSpec, life: Lifecycle, history: pd.DataFrame, until: pd.Timestamp, fitting: Fitting
) -> Backtested:
    """Backtest a recipe, seasonal naive and the present champion.

    Args:
        spec: the forecast.
        life: knows the champion.
        history: canonical frame.
        until: the last timestamp that counts.
        fitting: makes the model of each origin.

    Raises:
        DataError: there is too little history for the spec's windows.
    """
    from mlops_assets.forecasting.evaluation.backtest import backtest as run_backtest

    task, rolling = fitting.task, spec.backtest
    result = run_backtest(
        history, task, rolling.windows, rolling.step, models=(CHALLENGER, NAIVE), until=until, fit=fitting
    )
    predictions = result.predictions.assign(version=pd.array([pd.NA] * len(result.predictions), dtype="Int64"))
    champion = life.champion()
    if champion is None:
        return Backtested(predictions, result.seconds)
    try:
        rows = champion_forecasts(life.versions, champion, history, predictions, spec, task)
    except (MlopsAssetsError, ValueError) as error:
        words = f"version {champion.number}, the champion, takes no part in the backtest: {error}"
        return Backtested(predictions, result.seconds, words)
    return Backtested(pd.concat([predictions, rows], ignore_index=True), result.seconds)


def headline(overall: pd.DataFrame) -> dict[str, float]:
    """Return the challenger's scores under their names, and seasonal naive's as `naive_...`."""
    rows = overall.set_index("model")
    return {
        **{str(name): float(value) for name, value in rows.loc[CHALLENGER].to_dict().items()},
        **{f"naive_{name}": float(value) for name, value in rows.loc[NAIVE].to_dict().items() if name != "rows"},
    }


def champion_forecasts(
    versions: Versions,
    version: Version,
    history: pd.DataFrame,
    predictions: pd.DataFrame,
    spec: ForecastSpec,
    task: Task,
) -> pd.DataFrame:
    """Forecast with a champion at the origins of a backtest, and with what it had not seen.

    From an origin after its training, the stored model forecasts. An earlier window it has learnt from; there its
    recipe (features, covariates, parameters) is fitted to what was known at the origin, exactly as the challenger's
    is. The same recipe then has the challenger's very forecasts, and only newer windows tell the two apart. Leads that
    it was not trained for have no forecast, and no part in the comparison.

    Args:
        versions: have the champion's model.
        version: the champion.
        history: canonical frame.
        predictions: rows of a backtest, the challenger's among them.
        spec: the forecast.
        task: what the challenger forecasts, with its own model's settings.

    Returns:
        Rows like the challenger's, with the model named `champion`.

    Raises:
        DataError: the champion was made for other observations or another task (covariates), and cannot do this one.
        TrackingError: its file is gone.
        ModelFileError: its file is not the one that was registered.
    """
    state = versions.load(version)
    code = versions.code(version, state)
    forecaster = code.rebuild(state)
    require_fit(version, forecaster, spec)
    frames = []
    given = ["window", "item_id", "origin", "timestamp", "lead", "target", "mase_scale", "rmsse_scale"]
    for moment, rows in predictions[predictions["model"] == CHALLENGER].groupby("origin"):
        origin = pd.Timestamp(str(moment))
        model = forecaster
        if version.trained_until is None or version.trained_until > origin:
            if forecaster.task == task:
                frames.append(rows)
                continue
            model = code.refit(forecaster, history[history["timestamp"] <= origin])
        items = rows["item_id"].unique()
        reach = min(task.horizon, forecaster.task.horizon)
        made = deliver(model, task, history, origin, horizon=reach, items=items)
        frames.append(rows[given].merge(made, on=["item_id", "origin", "timestamp", "lead"], how="left"))
    made = pd.concat(frames, ignore_index=True).assign(model=CHAMPION, version=version.number)
    return made[[*predictions.columns, *(["version"] if "version" not in predictions else [])]]
