"""The ledger's rows of one origin, ours and a service's: who of them is delivered."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import EXTERNAL_FORECASTS, FORECASTS
from mlops_assets.catalog.partitions import origin_of, window_of
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.forecasting.evaluation.ledger import DELIVERED, SHADOW, own
from mlops_assets.forecasting.model.panel import ITEM
from mlops_assets.lifecycle import roles
from mlops_assets.lifecycle.lost import UNLOADABLE
from mlops_assets.lifecycle.roles import Roles
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.deliver import CHAMPION
from mlops_assets.stages.external.asking import asked_for
from mlops_assets.stages.predict import UNREGISTERED

WAITING, LATE, BESIDE = "waiting", "late", "shadow"
"""Values of the ledger's `delivered_because`, where a service is champion and has not answered; of rows beside ours."""
_SEPARATOR = "."


def stored_under(partition: str, job_key: str) -> str:
    """Return the partition of `external_forecasts` that keeps what one job has made."""
    return f"{partition}{_SEPARATOR}{job_key}"


def partition_of_stored(key: str) -> str:
    """Return the partition of the forecast that a partition of `external_forecasts` is of."""
    return key.rpartition(_SEPARATOR)[0]


def collected(tables: Tables, spec: ForecastSpec, partition: str) -> pd.DataFrame:
    """Return what services have made of a partition: of each service its latest answer, in time before late."""
    stored = ForecastTables(tables, spec.name)
    keys = [key for key in stored.partitions(EXTERNAL_FORECASTS) if partition_of_stored(key) == partition]
    if not keys:
        return pd.DataFrame()
    rows = stored.read(EXTERNAL_FORECASTS, keys)
    rank = rows.sort_values(["late", "collected_at"], ascending=[False, True], kind="stable")
    latest = rank.groupby("source")["job_key"].last()
    return rows[rows["job_key"].isin(latest)].reset_index(drop=True)


def together(
    ours: pd.DataFrame, theirs: pd.DataFrame, champion: str | None, otherwise: str, run_id: str
) -> pd.DataFrame:
    """Put ours and the services' rows of one origin together, each with its role.

    The order of substitutes: a service that is champion and in time; where it has no forecast of an item, and until it
    answers, whom `stages.deliver` has found: our champion, the last one that loads, seasonal naive.

    Args:
        ours: our own rows of the ledger.
        theirs: as `collected` returns them.
        champion: the service that is to be delivered; None: none is.
        otherwise: why ours are delivered where it has not answered, whoever of ours has made them: `waiting`, or
            `late`; "": it was not asked. That our own champion is lost (`unloadable`) stays: a person has to mend that.
        run_id: of the run that does it.
    """
    chosen = theirs
    if len(theirs):
        chosen = theirs[(theirs["source"] == champion) & ~theirs["late"].astype(bool)]
    ours = ours.assign(role=DELIVERED)
    if champion is not None and chosen.empty and otherwise:
        because = ours["delivered_because"]
        ours = ours.assign(delivered_because=because.where(because == UNLOADABLE, otherwise))
    elif len(chosen):
        replaced = ours[ITEM].isin(chosen[ITEM].unique())
        ours = ours.assign(role=ours["role"].mask(replaced, SHADOW))
    if theirs.empty:
        return ours
    used = theirs["job_key"].isin(chosen["job_key"]) if len(chosen) else pd.Series(False, index=theirs.index)
    theirs = theirs.rename(columns={"collected_at": "created_at"}).drop(columns="late")
    theirs = theirs.assign(
        role=used.map({True: DELIVERED, False: SHADOW}),
        delivered_because=used.map({True: CHAMPION, False: BESIDE}),
        model_version=UNREGISTERED,
        trained_until=pd.Series(pd.NaT, index=theirs.index, dtype="datetime64[us]"),
        run_id=run_id,
    )
    theirs = _by_our_yardstick(theirs, ours).reindex(columns=ours.columns)
    return pd.concat([ours, theirs.astype(ours.dtypes.to_dict())], ignore_index=True)


def _by_our_yardstick(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Let the same pair be held against the same: observations may have been corrected since ours were made."""
    pair, held = [ITEM, "lead"], ["naive", "mase_scale", "rmsse_scale"]
    known = theirs[pair].merge(ours[[*pair, *held]], on=pair, how="left")[held].set_axis(theirs.index)
    return theirs.assign(**known.fillna(theirs[held]))


def as_of_now(
    spec: ForecastSpec,
    tables: Tables,
    partition: str,
    ours: pd.DataFrame,
    at: datetime | pd.Timestamp,
    otherwise: str,
    run_id: str,
) -> pd.DataFrame:
    """Return the rows of a partition as they are to be stored: ours, with what services have made of it so far.

    Args:
        spec: the forecast.
        tables: have the services' rows and the log of roles.
        partition: its key.
        ours: our own rows of it.
        at: the moment when ours were made: the role of then counts.
        otherwise: as for `together`.
        run_id: of the run that does it.
    """
    role = Roles(tables, spec).of(at)
    champion = role.service if role.role == roles.CHAMPION else None
    return together(ours, collected(tables, spec, partition), champion, otherwise, run_id)


def with_services(
    graph: Graph, tables: Tables, keys: Sequence[str], ours: pd.DataFrame, now: datetime, run_id: str
) -> pd.DataFrame:
    """Return our rows of some partitions, made at this moment, together with what services have made of them so far."""
    spec, parts = graph.spec, []
    for key in keys:
        own_rows = ours[ours["origin"] == origin_of(spec, window_of(graph.partitions, key))]
        otherwise = WAITING if key in asked_for(keys) else ""
        parts.append(as_of_now(spec, tables, key, own_rows, now, otherwise, run_id))
    return pd.concat(parts, ignore_index=True)


def settle(spec: ForecastSpec, tables: Tables, partition: str, otherwise: str, run_id: str = "") -> bool:
    """Bring a stored partition of the ledger up to date with what services have made; return whether that changed it.

    Ours are not made again. Done twice, or after a kill at any point, it comes to the same rows.

    Args:
        spec: the forecast, which declares a service.
        tables: have the ledger.
        partition: its key.
        otherwise: as for `together`.
        run_id: of the run that does it.
    """
    stored = ForecastTables(tables, spec.name)
    if partition not in stored.partitions(FORECASTS):
        return False
    before = stored.read(FORECASTS, [partition])
    ours = own(before)
    if ours.empty:
        return False
    at = pd.Timestamp(ours["created_at"].max())
    after = as_of_now(spec, tables, partition, ours, at, otherwise, run_id)
    if _same(before, after):
        return False
    tables.write([spec.name, FORECASTS], after, partition, partition_expr="origin", allow_new_columns=True)
    Publisher(tables, spec).refresh([partition], pd.Timestamp(after["created_at"].max()))
    return True


def _same(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether two states of a partition differ in nothing but the run that wrote a service's rows."""
    columns: Sequence[str] = ["item_id", "lead", "job_key", "role", "delivered_because", "created_at"]
    if len(before) != len(after):
        return False
    first, second = (
        rows[columns].sort_values(["job_key", "item_id", "lead"], ignore_index=True) for rows in (before, after)
    )
    return first.astype(str).equals(second.astype(str))
