"""What an external service may answer: the same contract as our own forecasts keep, or a reason why not."""

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd

from mlops_assets.errors import DataError
from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.delivery import bounds, costs
from mlops_assets.forecasting.formatting import few, stamp
from mlops_assets.forecasting.model.panel import ITEM, TIME
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.external.asking import asked_of
from mlops_assets.stages.predict import ledger_rows, on_the_clock

_MEDIAN = "q50"
_SLACK = 1e-6
"""By so much of its size a quantile may lie below the one before it: services print few digits."""


class RefusedAnswerError(DataError):
    """What a service has sent is not the forecast that it was asked for."""


def accepted(
    spec: ForecastSpec,
    rows: pd.DataFrame,
    history: pd.DataFrame,
    origin: pd.Timestamp,
    ever: Callable[[], Collection[str]],
) -> pd.DataFrame:
    """Return a service's rows as rows of the ledger, if they are what was asked for.

    As our own forecasts they lie within the declared bounds, have the point that costs least, no hour that the clocks
    skip, and beside them what they are scored against.

    Args:
        spec: the forecast.
        rows: `item_id`, `timestamp` and numbers, as the provider has collected them.
        history: canonical frame up to the origin, as far back as a forecast of ours sees.
        origin: the last timestamp known.
        ever: says which items were ever observed: those that have not been for so long are left out, as of ours.

    Returns:
        item_id, origin, timestamp, lead, mean, quantiles, the columns of costs, naive, mase_scale, rmsse_scale; sorted
        by item and lead.

    Raises:
        RefusedAnswerError: columns or leads are missing, rows are double, of unknown items or another origin, values
            are no numbers, or quantiles cross.
    """
    task = asked_of(spec.task, history)
    made = on_the_clock(spec, _with_mean(rows, task.quantile_columns))
    seen = set(history[ITEM])
    if not seen.issuperset(made[ITEM]):
        made = made[~made[ITEM].isin(set(ever()) - seen)]
    names = ["mean", *task.quantile_columns]
    _refuse("no number", made, np.asarray(~np.isfinite(made[names].to_numpy(dtype=float)).all(axis=1)))
    _refuse("twice", made, made.duplicated([ITEM, TIME]).to_numpy())
    _refuse("of items that were never observed", made, ~made[ITEM].isin(seen).to_numpy())
    leads = _leads(spec, origin)
    _refuse(
        f"not within the {task.horizon} steps after {stamp(origin)}", made, ~made[TIME].isin(leads.index).to_numpy()
    )
    counts = made.groupby(ITEM).size()
    short = counts[counts < len(leads)]
    if made.empty or len(short):
        what = f"{len(short)} of {len(counts)} items have less than {len(leads)} steps" if len(short) else "no rows"
        raise RefusedAnswerError(f"{what}{': ' if len(short) else ''}{few(list(short.index), 3)}")
    crossed = made[task.quantile_columns].diff(axis=1) < -_SLACK * (
        1 + made[[task.quantile_columns[0]]].abs().to_numpy()
    )
    _refuse("with quantiles that cross", made, crossed.any(axis=1).to_numpy())
    values = np.maximum.accumulate(made[task.quantile_columns].to_numpy(dtype=float), axis=1)
    made = made.assign(**dict(zip(task.quantile_columns, values.T, strict=True)))
    made = made.assign(origin=origin, lead=made[TIME].map(leads).astype("int32"))
    made = made.sort_values([ITEM, "lead"], ignore_index=True)
    made = costs.with_point(bounds.within(made, task, history), task, history)
    columns = [ITEM, "origin", TIME, "lead", "mean", *spec.task.quantile_columns, *spec.task.cost_columns]
    done = ledger_rows(made[columns], history, spec.task, origin)
    return done.drop(columns=["model_version", "trained_until"])


def left_out(made: pd.DataFrame, ours: pd.DataFrame) -> list[str]:
    """Return the items that we forecast and a service does not."""
    return sorted({*ours[ITEM]} - {*made[ITEM]})


def _with_mean(rows: pd.DataFrame, quantiles: list[str]) -> pd.DataFrame:
    """Return the columns that are wanted; where a service gives no mean, the median stands for it."""
    rows = rows if "mean" in rows or _MEDIAN not in rows else rows.assign(mean=rows[_MEDIAN])
    lacking = [name for name in ("mean", *quantiles) if name not in rows]
    if lacking:
        raise RefusedAnswerError(f"no column {', '.join(lacking)}: the service has to give each quantile of the spec")
    return rows[[ITEM, TIME, "mean", *quantiles]].assign(**{ITEM: rows[ITEM].astype(str)})


def _leads(spec: ForecastSpec, origin: pd.Timestamp) -> pd.Series:
    """Return the lead of each timestamp of the horizon that the clocks show."""
    steps = pd.DataFrame({TIME: steps_after(origin, spec.horizon, spec.frequency)})
    steps["lead"] = np.arange(1, len(steps) + 1)
    return on_the_clock(spec, steps).set_index(TIME)["lead"]


def _refuse(what: str, rows: pd.DataFrame, bad: np.ndarray) -> None:
    """Raise if some rows are bad, with the first of them."""
    if bad.any():
        first = rows[bad].iloc[0]
        raise RefusedAnswerError(
            f"{int(bad.sum())} of {len(rows)} rows are {what}, the first: item {first[ITEM]}, {stamp(first[TIME])}"
        )
