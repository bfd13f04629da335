"""Statistical models by statsforecast: theta, exponential smoothing, MSTL, and TSB for intermittent demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..errors import MissingExtraError, UsageError
from ..quantiles import row_quantiles
from ..task import Task
from .series import LEAST, CalibratedSeries, SeriesModel
from .values import Rule, anything, between, like, one_of

FORMS = (("ANN", False), ("AAN", True), ("ANA", False))
"""Forms of exponential smoothing (error, trend, season; whether damped) where there may be a season; the fourth has all
three, multiplicative where all values are above zero."""
START = 24
"""Steps at the start of a series, of half of it at most, that say nothing of a model's errors: theta's first level,
which is fitted, may lie anywhere, since soon nothing rests on it."""
SIZE = 64.0
"""Smaller series are fitted as multiples, as large as this: the steps of the library's searches have a size of their
own, so that of shares and rates its theta finds much less than of the same series in thousands."""
LIBRARY = "statsforecast"
"""The distribution that these kinds need."""


def _model(kind: str, name: str, parameters: Mapping[str, Any]) -> Any:
    """Make a model of statsforecast."""
    try:
        from statsforecast import models
    except ImportError:
        raise MissingExtraError.of(f"model.kind: {kind}", LIBRARY, "statistical") from None
    return getattr(models, name)(**parameters)


def _season(task: Task, values: np.ndarray) -> int:
    """The shortest season, where there are two of it; else none."""
    length = min(task.season_lengths)
    return length if len(values) >= 2 * length else 1


def _size(values: np.ndarray, fitted: np.ndarray) -> float:
    """Size of an error of one step: the mean absolute residual, the `START` left out."""
    first = min(len(values) // 2, START)
    return float(np.nanmean(np.abs(values - fitted)[first:]))


def _unit(values: np.ndarray) -> float:
    """The power of two, 1 at most, in which a series that is not all zero is about `SIZE` large, or larger."""
    return 2.0 ** min(np.floor(np.log2(np.abs(values).mean() / SIZE)), 0.0)


class _Statistical(CalibratedSeries):
    """A model of statsforecast that is asked for a path."""

    REQUIRES: ClassVar[tuple[str, ...]] = (LIBRARY,)

    def maker(self, values: np.ndarray) -> Any:
        """Return the library's model for a series, not fitted."""
        raise NotImplementedError

    @classmethod
    def prove(cls, task: Task) -> None:
        """Forecast a plain series with the task's parameters, if it has any; see `Model`.

        Raises:
            UsageError: the library can forecast nothing with them.
        """
        if not task.model.parameters:
            return
        steps = np.arange(4.0 * max(*task.season_lengths, LEAST))
        season = steps % min(task.season_lengths)
        plain = 100 + steps + 10 * season + np.random.default_rng(0).random(len(steps))
        try:
            cls(task).maker(plain).forecast(plain, task.horizon)
        except MissingExtraError:
            raise
        except Exception as error:
            given = ", ".join(f"{name}: {value}" for name, value in task.model.parameters.items())
            raise UsageError(
                f"model.parameters {{{given}}}: with these, {task.model.kind} can forecast nothing ({error})"
            ) from error

    def path(self, values: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Fit the model to the series, in units that suit the library; see `CalibratedSeries.path`."""
        unit = _unit(values)
        found = self.fitted(values / unit)
        return None if found is None else (found[0] * unit, found[1] * unit)

    def fitted(self, values: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Return mean path and size of an error, that of the residuals, of a series of any units."""
        model = self.maker(values)
        try:
            made = model.forecast(values, self.task.horizon, fitted=True)
        except Exception:  # the library's own error for a series that no model of its can be fitted to
            return None
        size = _size(values, made["fitted"])
        return (made["mean"], size) if np.isfinite(size) and np.isfinite(made["mean"]).all() else None


class Theta(_Statistical):
    """The dynamic optimised theta method of Fiorucci et al. (2016), International Journal of Forecasting 32."""

    PARAMETERS: ClassVar[Mapping[str, Rule]] = {
        "model": one_of("DOTM", "DSTM", "OTM", "STM", None),
        "decomposition_type": one_of("multiplicative", "additive"),
    }

    def maker(self, values: np.ndarray) -> Any:
        """Return AutoTheta with one of its models; the library itself tests for a season, and of which sort it is."""
        season = {"season_length": _season(self.task, values)}
        return _model("theta", "AutoTheta", {**season, "model": "DOTM", **self.task.model.parameters})


class Ets(_Statistical):
    """Exponential smoothing, its form chosen by AICc; Hyndman and Khandakar (2008), Journal of Statistical Software.

    Where there may be a season, the choice is among four of the thirty forms, which forecast as well for a quarter of
    the time.
    """

    PARAMETERS: ClassVar[Mapping[str, Rule]] = {
        "model": like("[AMZ][NAMZ][NAMZ]", "three letters: A, M or Z for the error, N, A, M or Z for trend and season"),
        "damped": one_of(True, False, None),
        "phi": between(0.8, 0.98),
    }

    def maker(self, values: np.ndarray) -> Any:
        """Return AutoETS."""
        season = {"season_length": _season(self.task, values)}
        return _model("ets", "AutoETS", {**season, **self.task.model.parameters})

    def fitted(self, values: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Fit each of the forms; the best by AICc forecasts."""
        season = _season(self.task, values)
        if season == 1 or self.task.model.parameters:
            return super().fitted(values)
        fitted = []
        for form, damped in (*FORMS, ("MAM" if values.min() > 0 else "AAA", True)):
            model = _model("ets", "AutoETS", {"season_length": season, "model": form, "damped": damped})
            try:
                fitted.append(model.fit(values))
            except Exception:  # noqa: S112 - of a series too short for so many parameters
                continue
        if not fitted:
            return super().fitted(values)
        best = min(fitted, key=lambda model: model.model_["aicc"])
        size = _size(values, best.model_["fitted"])
        mean = best.predict(self.task.horizon)["mean"]
        return (mean, size) if np.isfinite(size) and np.isfinite(mean).all() else None


class Mstl(_Statistical):
    """Several seasons by loess, the rest by a damped trend: Bandara, Hyndman and Bergmeir (2021), arXiv 2107.13462."""

    PARAMETERS: ClassVar[Mapping[str, Rule]] = {"stl_kwargs": anything}

    def maker(self, values: np.ndarray) -> Any:
        """Return MSTL with all seasons of which there are two; without any, the ETS of the rest alone."""
        seasons = [length for length in self.task.season_lengths if 1 < length <= len(values) // 2]
        if not seasons:
            return _model("mstl", "AutoETS", {"season_length": 1, "model": "ZZN"})
        rest = _model("mstl", "AutoETS", {"season_length": 1, "model": "AAN", "damped": True})
        return _model(
            "mstl", "MSTL", {"season_length": seasons, "trend_forecaster": rest, **self.task.model.parameters}
        )


class Tsb(SeriesModel):
    """Intermittent demand by Teunter, Syntetos and Babai (2011), European Journal of Operational Research 214.

    The mean is the library's. The distribution is a mixture: no demand, or a demand of one of the item's own sizes; how
    likely a demand is follows from mean and sizes. Missing values are no demand that was seen: they are left out.
    """

    PARAMETERS: ClassVar[Mapping[str, Rule]] = {"alpha_d": between(0, 1), "alpha_p": between(0, 1)}
    REQUIRES: ClassVar[tuple[str, ...]] = (LIBRARY,)

    def distribution(self, values: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Mix zero with the sizes of past demands; all leads are alike."""
        seen = values[~np.isnan(values)]
        if seen.min() < 0:
            return None
        sizes, horizon = seen[seen > 0], self.task.horizon
        if not len(sizes):
            return np.zeros(horizon), np.zeros((horizon, len(levels)))
        model = _model("tsb", "TSB", {"alpha_d": 0.2, "alpha_p": 0.2, **self.task.model.parameters})
        mean = float(model.forecast(seen, 1)["mean"][0])
        likely = min(mean / sizes.mean(), 1.0)
        sizes = sizes * (mean / sizes.mean() / likely) if likely > 0 else sizes
        within = np.clip((levels - (1 - likely)) / max(likely, 1e-9), 0.0, 1.0)
        row = np.where(levels <= 1 - likely, 0.0, row_quantiles(sizes[None, :], within)[0])
        return np.full(horizon, mean), np.tile(row, (horizon, 1))
