"""The metrics, one class each. A new one is written here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlops_assets.forecasting.evaluation.metrics.base import Metric, Rows, outer_pair, register, symmetric
from mlops_assets.forecasting.model.quantiles import pinball
from mlops_assets.forecasting.model.task import OVER, UNDER


@register
class Mase(Metric):
    """Mean absolute scaled error: mean(|target - forecast| / scale).

    The scale is the mean absolute seasonal difference of the item's history (`seasonal_scale`), so that seasonal naive
    scores about 1. Hyndman and Koehler (2006), "Another look at measures of forecast accuracy", International Journal
    of Forecasting 22.
    """

    name, title = "mase", "MASE"
    meaning = "Mean absolute scaled error."
    since = "0.1.0"
    average = "series"
    shown_in = frozenset({"summary", "report", "windows", "side by side"})

    def losses(self, rows: Rows) -> np.ndarray:
        """Absolute errors in units of the scale."""
        return np.abs(rows.error) / rows.column("mase_scale")


@register
class Rmsse(Metric):
    """Root mean squared scaled error: sqrt(mean(((target - forecast) / scale)^2)).

    The scale is the root mean squared seasonal difference of the item's history. Makridakis, Spiliotis and
    Assimakopoulos (2022), "M5 accuracy competition", International Journal of Forecasting 38.
    """

    name, title = "rmsse", "RMSSE"
    meaning = "Root mean squared scaled error."
    since = "0.1.0"
    average = "series"
    shown_in = frozenset()

    def losses(self, rows: Rows) -> np.ndarray:
        """Squared errors in units of the scale."""
        return (rows.error / rows.column("rmsse_scale")) ** 2

    def of_series(self, means: np.ndarray) -> np.ndarray:
        """Root of the mean square."""
        return np.sqrt(means)


@register
class Smape(Metric):
    """Symmetric mean absolute percentage error, between 0 and 1: mean(|error| / (|target| + |forecast|)).

    A row in which both are zero counts as 0. Makridakis (1993), "Accuracy measures: theoretical and practical
    concerns", International Journal of Forecasting 9; the M4 competition prints 200 times this number.
    """

    name, title = "smape", "sMAPE"
    meaning = "Symmetric mean absolute percentage error, as a share: 0 to 1."
    since = "0.1.0"
    average = "series"
    shown_in = frozenset({"summary"})

    def losses(self, rows: Rows) -> np.ndarray:
        """Absolute errors by the size of target and forecast."""
        size = np.abs(rows.point) + rows.size
        blank = np.where(np.isnan(size), np.nan, 0.0)
        return np.divide(np.abs(rows.error), size, out=blank, where=size > 0)


@register
class Wape(Metric):
    """Weighted absolute percentage error: sum |error| / sum |target|.

    Kolassa and Schuetz (2007), "Advantages of the MAD/mean ratio over the MAPE", Foresight 6; also called ND.
    """

    name, title = "wape", "WAPE"
    meaning = "Sum of absolute errors by the sum of absolute actuals."
    since = "0.1.0"
    average = "size"
    shown_in = frozenset({"summary"})

    def losses(self, rows: Rows) -> np.ndarray:
        """Absolute errors."""
        return np.abs(rows.error)


@register
class Wql(Metric):
    """Weighted quantile loss: the mean over levels of 2 * sum(pinball loss) / sum |target|.

    An estimate of the continuous ranked probability score. Park et al. (2022), "Learning quantile functions
    without quantile crossing for distribution-free time series forecasting", AISTATS; Rangapuram et al.
    (2021), "End-to-end learning of coherent probabilistic forecasts for hierarchical time series", ICML.
    """

    name, title = "wql", "wQL"
    meaning = "Weighted quantile loss over all quantiles."
    since = "0.1.0"
    average = "size"
    shown_in = frozenset({"summary", "report", "windows", "side by side"})

    def losses(self, rows: Rows) -> np.ndarray:
        """Twice the mean pinball loss over the levels that a row has."""
        return _quantile_losses(rows, rows.task.quantiles)


@register
class Sql(Metric):
    """Scaled quantile loss: the mean over levels of 2 * pinball loss / scale, with the scale of MASE.

    Of the 0.5 quantile alone it is MASE. Shchur et al. (2023), "AutoGluon-TimeSeries: AutoML for probabilistic time
    series forecasting", AutoML; without the factor 2, the scaled pinball loss of Makridakis et al. (2022), "The M5
    uncertainty competition", International Journal of Forecasting 38.
    """

    name, title = "sql", "SQL"
    meaning = "Scaled quantile loss over all quantiles."
    since = "0.2.0"
    average = "series"
    shown_in = frozenset()

    def losses(self, rows: Rows) -> np.ndarray:
        """Twice the mean pinball loss over the levels that a row has, in units of the scale."""
        return _quantile_losses(rows, rows.task.quantiles) / rows.column("mase_scale")


@register
class Wis(Metric):
    """Weighted interval score, in the unit of the target: the scores of the central intervals and the median.

    With K intervals of significance a_k, (|target - median| / 2 + sum(a_k / 2 * interval score)) / (K + 1/2), which is
    twice the mean pinball loss over the levels that lie symmetrically around one half; the other levels count
    for nothing. Bracher et al. (2021), "Evaluating epidemic forecasts in an interval format", PLOS Computational
    Biology 17.
    """

    name, title = "wis", "WIS"
    meaning = "Weighted interval score, in the unit of the target; null without two levels around one half."
    since = "0.2.0"
    average = "rows"
    shown_in = frozenset()

    def losses(self, rows: Rows) -> np.ndarray:
        """The score of each row, NaN where one of those levels is missing."""
        levels = symmetric(rows.task.quantiles)
        if len(levels) < 2:
            return np.full(len(rows.target), np.nan)
        whole = ~np.isnan([rows.quantile(level) for level in levels]).any(axis=0)
        return np.where(whole, _quantile_losses(rows, levels), np.nan)


@register
class Coverage(Metric):
    """Share of targets within the outermost quantiles. Christoffersen (1998), "Evaluating interval forecasts"."""

    name, title = "coverage", "coverage"
    meaning = "Share of actuals within the outermost quantiles."
    since = "0.1.0"
    average = "rows"
    in_gate = False

    def losses(self, rows: Rows) -> np.ndarray:
        """Whether the target lies within, as 0 and 1; NaN where the levels, or a row, hold no interval."""
        pair = outer_pair(rows.task.quantiles)
        if pair is None:
            return np.full(len(rows.target), np.nan)
        low, high = (rows.quantile(level) for level in pair)
        inside = ((rows.target >= low) & (rows.target <= high)).astype(float)
        return np.where(np.isnan(low) | np.isnan(high), np.nan, inside)


@register
class Bias(Metric):
    """Relative bias: sum(forecast - target) / sum |target|; above zero is too high."""

    name, title = "bias", "bias"
    meaning = "Sum of errors by the sum of absolute actuals: above zero, the forecast is too high."
    since = "0.1.0"
    average = "size"
    in_gate = False
    shown_in = frozenset({"summary", "report"})

    def losses(self, rows: Rows) -> np.ndarray:
        """Errors."""
        return rows.error


@register
class Cost(Metric):
    """Mean cost of an error, by the costs of the spec: for each unit too low, and for each unit too high.

    The newsvendor's loss; at the quantile under / (under + over) it is (under + over) times the pinball loss.
    """

    name, title = "cost", "cost"
    meaning = "Mean cost of an error, by the costs of the spec; null without costs."
    since = "0.2.0"
    average = "rows"
    shown_in = frozenset({"summary", "report", "windows", "side by side"})

    def losses(self, rows: Rows) -> np.ndarray:
        """What each error costs, NaN where the costs of the row are not known."""
        under, over = rows.forecast(UNDER), rows.forecast(OVER)
        return np.where(rows.error > 0, over * rows.error, -under * rows.error)


def _quantile_losses(rows: Rows, levels: Sequence[float]) -> np.ndarray:
    """Twice the mean pinball loss over those of the levels that a row has; NaN of a row without any."""
    losses = np.array([pinball(rows.target - rows.quantile(level), level) for level in levels])
    there = ~np.isnan(losses)
    total, count = np.where(there, losses, 0.0).sum(axis=0), there.sum(axis=0)
    return 2 * np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
