"""Rules of others for the gate: functions of somebody's package, by the names that a spec gives them."""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from mlops_assets.forecasting.model.extensions import RULES, ExtensionError, called, resolve
from mlops_assets.forecasting.model.task import Task

__all__ = ["ExtensionError", "OwnRule", "ask"]


class OwnRule(Protocol):
    """What a rule of the gate is: a function."""

    def __call__(self, backtest: pd.DataFrame, task: Task) -> tuple[bool, str]:
        """Say whether a challenger may become the champion, and why.

        Args:
            backtest: rows of the models `challenger`, `seasonal_naive` and, if there is one, `champion`: columns model,
                window, item_id, origin, timestamp, lead, target, mean, quantiles, mase_scale, rmsse_scale.
            task: what is forecast.

        Returns:
            Whether the rule holds, and one sentence with the numbers that it goes by.
        """
        ...


def ask(name: str, backtest: pd.DataFrame, task: Task) -> tuple[bool, str]:
    """Ask a rule; see `OwnRule`.

    Raises:
        UnknownNameError: there is none of that name.
        ExtensionError: its package fails, or it answers something else.
    """
    answer = called(RULES, name, resolve(RULES, name), backtest, task)
    try:
        passed, message = answer
        return bool(passed), str(message)
    except (TypeError, ValueError):
        raise ExtensionError(f"the gate rule {name!r} answers {answer!r}, not whether it holds, and why") from None
