"""The kind of model that is chosen by a backtest: one of several or their average, by segment, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import pandas as pd

from ..task import ModelSettings
from . import weights as weighing
from .ensemble import Ensemble, record_of
from .statistical import LIBRARY
from .trials import SPARSE, Trial

AHEAD = 0.8
"""Share by which one kind's loss must be less than the average's for it to forecast alone, where the windows lie within
one horizon; over more horizons it is as many times less, a tenth over eight."""


class Auto(Ensemble):
    """An ensemble that decides, segment by segment, whether one member alone does better.

    The weights of the average are those of `weights.by_loss`; each item's are tilted to the members that did better on
    it (`weights.tilted`).
    """

    @classmethod
    def usual(cls) -> tuple[str, ...]:
        """Those of an ensemble, and where it can be had, TSB for what is intermittent."""
        usual = super().usual()
        return (*usual, SPARSE) if find_spec(LIBRARY) is not None else usual

    @classmethod
    def untried(cls, kinds: Sequence[str]) -> np.ndarray:
        """Weights where there is too little history to try anything: all on the engine's default kind, or the first."""
        return np.eye(len(kinds))[kinds.index(ModelSettings.kind) if ModelSettings.kind in kinds else 0]

    @classmethod
    def settle(
        cls, trial: Trial, kinds: Sequence[str], items: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, pd.DataFrame]:
        """Choose for a segment; see `Ensemble.settle`."""
        if not len(trial.target):
            return super().settle(trial, kinds, items, weights)
        losses = np.where(trial.complete, trial.losses().mean(axis=1), np.inf)
        if losses.min() <= (1 - AHEAD / trial.horizons) * trial.losses(weights).mean():
            alone = np.eye(len(kinds))[losses.argmin()]
            return np.tile(alone, (len(items), 1)), record_of(trial, kinds, alone, rejected=weights)
        return weighing.tilted(trial, items, weights), record_of(trial, kinds, weights)
