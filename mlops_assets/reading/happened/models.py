"""The versions of a forecast's model: what was decided on them, what became of them, what the champion leans on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.lifecycle import decisions
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

if TYPE_CHECKING:
    from mlops_assets.lifecycle.lifecycle import Lifecycle

COLUMNS = [
    "version", "kind", "outcome", "decided_at", "decided_by", "since", "until", "trained_until", "metric", "value",
    "cpu_seconds", "link",
]  # fmt: skip


def models(spec: ForecastSpec, tables: Tables, life: Lifecycle | None) -> pd.DataFrame:
    """Return the versions, the latest first.

    Args:
        spec: the forecast.
        tables: have the log of decisions.
        life: of its versions, with the registry; None: only those that were decided on are known, without kind, value
            and link.

    Returns:
        version, kind of model, outcome (of the last decision), decided_at (UTC), decided_by, since and until (when it
        was champion last, UTC; no `until` of the champion), trained_until, metric and value (of its own backtest),
        cpu_seconds (of its training) and link.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    log = decisions.Decisions(tables, spec.name).all()
    last = log.drop_duplicates("version", keep="last").set_index("version")
    reigns = decisions.reigns(log).drop_duplicates("version", keep="last").set_index("version")
    registered = {} if life is None else {one.number: one for one in life.registry.versions()}
    metric, rows = spec.gate.metric, []
    for number in sorted({*registered, *(int(one) for one in last.index)}, reverse=True):
        one = registered.get(number)
        row = {"version": number, "metric": metric, "link": ""}
        row |= {name: last[name].get(number) for name in ("outcome", "decided_at", "decided_by", "trained_until")}
        row |= {name: reigns[name].get(number) for name in ("since", "until")}
        row["cpu_seconds"] = last["cpu_seconds"].get(number)
        if one is not None and life is not None:
            row |= {
                "kind": one.kind,
                "value": life.registry.metrics(one).get(metric),
                "link": life.registry.link(number),
            }
            row["trained_until"] = one.trained_until or row["trained_until"]
            row["cpu_seconds"] = one.fit_seconds or row["cpu_seconds"]
        rows.append(row)
    found = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    moments = ["decided_at", "since", "until", "trained_until"]
    types = dict.fromkeys(moments, "datetime64[us]") | {"value": "float64", "cpu_seconds": "float64"}
    return found.astype({**types, "version": "int64"})


def importances(life: Lifecycle | None) -> pd.DataFrame:
    """Return how much the champion leans on its features: feature and importance, the largest first.

    Args:
        life: of the versions; None: nobody can tell.

    Raises:
        TrackingError: MLflow cannot be reached, or does not have them.
    """
    version = None if life is None else life.champion()
    if life is None or version is None:
        return pd.DataFrame({"feature": pd.Series(dtype=object), "importance": pd.Series(dtype=float)})
    return life.registry.read_table(version.number, "importances.csv")
