"""Champions that are lost: MLflow has the version no more, or it could not make the latest forecasts."""

from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.names import FORECASTS
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.lifecycle import decisions
from mlops_assets.resources.protocols import Tables

UNLOADABLE = "unloadable"
"""Value of the ledger's column `delivered_because`: the champion could not make the forecast."""


@dataclass(frozen=True)
class Lost:
    """A champion that is lost; where there was none, the version that waited to become it.

    Attributes:
        version: its number.
        decision: number of the decision by which it came into office, or by which it was found to be gone; 0 without.
        reason: what has become of it.
    """

    version: int
    decision: int
    reason: str


def lost_champion(tables: Tables, name: str, log: pd.DataFrame) -> Lost | None:
    """Return the champion that is lost, None of one that is well; that there is none yet is no loss.

    Args:
        tables: what is stored.
        name: of the forecast.
        log: all decisions.
    """
    present, gone = decisions.champion_of(log), log[log["outcome"] == "gone"]
    if present is not None and champion_failed(tables, name):
        reigns = decisions.reigns(log)
        number = int(reigns["number"].iloc[-1]) if len(reigns) else 0
        return Lost(present, number, f"version {present}, the champion, could not make the latest forecasts")
    if present is None and len(gone) and gone.index[-1] == log.index[-1]:
        champions = gone[gone["champion_before"].notna()]
        number, entry = decisions.entry_of((champions if len(champions) else gone).iloc[-1])
        return Lost(entry.version, number, entry.reason)
    return None


def champion_failed(tables: Tables, name: str) -> bool:
    """Whether the latest forecasts of a forecast are another's because its champion could not make them.

    The leads that the other was not trained for are seasonal naive's, for a reason of their own.
    """
    stored = ForecastTables(tables, name)
    keys = stored.partitions(FORECASTS)
    if not keys:
        return False
    because = ledger.own(stored.read(FORECASTS, keys[-1:], ["delivered_because", "job_key"]))["delivered_because"]
    return bool((because == UNLOADABLE).any())
