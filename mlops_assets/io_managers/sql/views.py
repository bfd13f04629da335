"""Views for whoever reads forecasts by SQL alone: `<name>__current_forecasts` and `<name>__accuracy_by_item`.

They are made with the tables that they are of, and again when the columns of these change. A database that will not
have them, or whose people have built on them, keeps none from being written: the views are a convenience.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, PUBLISHED_FORECASTS
from mlops_assets.io_managers.sql.columns import table_name

if TYPE_CHECKING:
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.server import Server

CURRENT, BY_ITEM = "current_forecasts", "accuracy_by_item"
_OF = {FORECASTS: [CURRENT], PUBLISHED_FORECASTS: [CURRENT], FORECAST_ACCURACY: [BY_ITEM]}
"""A table's name to those of the views that are made of it."""
_LEVEL = re.compile(r"q(\d+(?:_\d+)?)")
_KEYS = ("item_id", "origin", "timestamp", "lead")
log = logging.getLogger(__name__)

Columns = Sequence[str]
"""Names of a table's columns."""


def views_of(key: Sequence[str]) -> list[list[str]]:
    """Return the keys of the views that are made of a table."""
    return [[key[0], view] for view in _OF.get(key[-1], [])] if len(key) == 2 else []


@contextmanager
def renewed(server: "Server", connection: "sa.Connection", key: Sequence[str]) -> Iterator[None]:
    """Take the views of a table away while its columns change, and make them again, in the transaction of the change.

    Where changing a table commits, nothing is done: `make` is called when the rows are there.

    Args:
        server: of the database.
        connection: in the transaction.
        key: of the table.
    """
    if server.transactional_ddl:
        for view in views_of(key):
            _try(server, connection, lambda view=view: server.drop_view(connection, table_name(view)))
        yield
        make(server, connection, key)
    else:
        yield


def make(server: "Server", connection: "sa.Connection", key: Sequence[str]) -> None:
    """Make the views of a table as its columns are now; none where it is gone."""
    for view in views_of(key):
        _try(server, connection, lambda view=view: _make(server, connection, view))


def _make(server: "Server", connection: "sa.Connection", view: Sequence[str]) -> None:
    def columns(name: str) -> list[str]:
        return server.columns_of(connection, table_name([view[0], name]))

    name = table_name(view)
    server.lock(connection, name)  # of writers of two tables at once, both make it
    text = _TEXTS[view[1]](server.quote, lambda other: server.quote(table_name([view[0], other])), columns)
    if text:
        server.create_view(connection, name, text)
    else:
        server.drop_view(connection, name)


def _try(server: "Server", connection: "sa.Connection", work: Callable[[], None]) -> None:
    """Do something about a view; if the database refuses it, the transaction is as it was before."""
    if not server.with_views:
        return
    try:
        with connection.begin_nested() if server.with_savepoints else nullcontext():
            work()
    except Exception as error:  # of whichever driver
        log.warning("a view could not be made: %s", str(error).splitlines()[0])


def current_forecasts(
    quote: Callable[[str], str], table: Callable[[str], str], columns: Callable[[str], Columns]
) -> str:
    """Return the query for the forecast of each item and timestamp by the latest origin that has it, as published.

    Args:
        quote: a name.
        table: quoted name of a table.
        columns: of a table; none of one that is not there.
    """
    there, changed = columns(FORECASTS), columns(PUBLISHED_FORECASTS)
    if not there:
        return ""
    values = [name for name in there if name in ("mean", "point") or _LEVEL.fullmatch(name)]
    others = [name for name in ("naive", "source", "model_version", "created_at") if name in there]
    picked = [f"f.{quote(name)}" for name in _KEYS]
    for name in values:
        own = f"f.{quote(name)}"
        both = f"CASE WHEN p.{quote('adjustment')} IS NULL THEN {own} ELSE p.{quote(name)} END AS {quote(name)}"
        picked.append(both if name in changed else own)
    picked += [f"f.{quote(name)}" for name in others]
    picked.append(f"p.{quote('adjustment')}" if changed else f"NULL AS {quote('adjustment')}")
    delivered = f"WHERE COALESCE({quote('role')}, 'delivered') = 'delivered'" if "role" in there else ""
    order = ", ".join(map(quote, ("item_id", "timestamp")))
    joined = ""
    if changed:
        same = " AND ".join(f"p.{quote(name)} = f.{quote(name)}" for name in ("item_id", "origin", "timestamp"))
        joined = f" LEFT JOIN {table(PUBLISHED_FORECASTS)} p ON {same} AND p.{quote('superseded_at')} IS NULL"
    return (
        f"SELECT {', '.join(picked)} FROM (SELECT *, ROW_NUMBER() OVER "  # noqa: S608
        f"(PARTITION BY {order} ORDER BY {quote('origin')} DESC) AS _latest "
        f"FROM {table(FORECASTS)} {delivered}) f{joined} WHERE f._latest = 1"
    )


def accuracy_by_item(
    quote: Callable[[str], str], table: Callable[[str], str], columns: Callable[[str], Columns]
) -> str:
    """Return the query for the scores of each item over all that could be scored; see `evaluation.metrics`.

    A series is an item's forecast from one origin: MASE is the mean over series of the mean over their rows.

    Args:
        quote: a name.
        table: quoted name of a table.
        columns: of a table; none of one that is not there.
    """
    there = columns(FORECAST_ACCURACY)
    levels = {name: float(found[1].replace("_", ".")) / 100 for name in there if (found := _LEVEL.fullmatch(name))}
    if not there or not levels:
        return ""
    error, target, scale = quote("error"), quote("target"), f"NULLIF({quote('mase_scale')}, 0)"
    outer = [quote(min(levels, key=levels.__getitem__)), quote(max(levels, key=levels.__getitem__))]
    known = " AND ".join(f"{name} IS NOT NULL" for name in outer)
    inside = f"CASE WHEN {target} BETWEEN {outer[0]} AND {outer[1]} THEN 1.0 ELSE 0.0 END"
    counted = [f"NOT {quote('in_sample')}", f"{error} IS NOT NULL", f"{target} IS NOT NULL"]
    counted.append("(" + " OR ".join(f"{quote(name)} IS NOT NULL" for name in levels) + ")")
    counted += [f"COALESCE({quote('role')}, 'delivered') = 'delivered'"] if "role" in there else []
    sums = {
        "rows_": "COUNT(*)",
        "size_": f"SUM(ABS({target}))",
        "off_": f"SUM(ABS({error}))",
        "bias_": f"SUM({error})",
        "loss_": f"SUM({_loss(quote, levels)})",
        "known_": f"SUM(CASE WHEN {known} THEN 1.0 ELSE 0.0 END)",
        "inside_": f"SUM(CASE WHEN {known} THEN {inside} ELSE 0.0 END)",
        "mase_": f"AVG(ABS({error}) / {scale})",
        "naive_": f"AVG(ABS({quote('naive')} - {target}) / {scale})",
    }
    pair = len(levels) > 1 and abs(min(levels.values()) + max(levels.values()) - 1) < 1e-9
    told = {
        "rows": "SUM(rows_)",
        "mase": "AVG(mase_)",
        "wape": "SUM(off_) / NULLIF(SUM(size_), 0)",
        "wql": "SUM(loss_) / NULLIF(SUM(size_), 0)",
        "coverage": "SUM(inside_) / NULLIF(SUM(known_), 0)" if pair else "NULL",
        "bias": "SUM(bias_) / NULLIF(SUM(size_), 0)",
        "naive_mase": "AVG(naive_)",
        "skill": "1 - AVG(mase_) / NULLIF(AVG(naive_), 0)",
    }
    item, series = quote("item_id"), ", ".join(f"{text} AS {name}" for name, text in sums.items())
    numbers = ", ".join(f"{text} AS {quote(name)}" for name, text in told.items())
    return (
        f"SELECT {item}, {numbers} FROM (SELECT {item}, {quote('origin')}, {series} FROM {table(FORECAST_ACCURACY)} "  # noqa: S608
        f"WHERE {' AND '.join(counted)} GROUP BY {item}, {quote('origin')}) s GROUP BY {item}"
    )


def _loss(quote: Callable[[str], str], levels: Mapping[str, float]) -> str:
    """Twice the mean pinball loss over the levels that a row has."""
    terms, there = [], []
    for name, level in levels.items():
        over = f"({quote('target')} - {quote(name)})"
        loss = f"CASE WHEN {over} >= 0 THEN {level:g} * {over} ELSE ({level:g} - 1) * {over} END"
        terms.append(f"CASE WHEN {quote(name)} IS NULL THEN 0 ELSE {loss} END")
        there.append(f"CASE WHEN {quote(name)} IS NULL THEN 0 ELSE 1 END")
    return f"2.0 * ({' + '.join(terms)}) / NULLIF({' + '.join(there)}, 0)"


_TEXTS = {CURRENT: current_forecasts, BY_ITEM: accuracy_by_item}
