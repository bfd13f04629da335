"""A forecast's page as one file: the explorer, with the answers to what it asks inside."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import pandas as pd
from pandas.tseries.frequencies import to_offset

from mlops_assets.adjustments.log import Adjustments, told
from mlops_assets.adjustments.value_added import By, value_added
from mlops_assets.catalog.names import ADJUSTMENTS, OBSERVATIONS
from mlops_assets.catalog.partitions import partitions_of, periods, whole_window
from mlops_assets.explorer import key_of, one_file
from mlops_assets.explorer.questions import BY
from mlops_assets.reading.documents import table
from mlops_assets.report import documents
from mlops_assets.report.decided import MLFLOW, TABLES
from mlops_assets.report.overview import Overview
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.sources import Sources

DIGITS = 5
"""Significant digits of the numbers in a file."""
MOST_ROWS = 12_000
"""Rows of single items that a file holds, forecasts and observations together: they make most of its size."""
MOST_FORECASTS = 400
"""Of one item, but those of three origins at least."""
LEAST_ORIGINS = 3
HORIZONS, LEAST_STEPS = 6, 60
"""So many horizons of history are held, and so many steps at least."""
HELPED_BY: tuple[By, ...] = ("person", "reason", "lead")
"""By what the page shows whether people have helped."""
MOST_ITEMS = 500
"""Items in the ranking."""


def page(sources: Sources, found: Overview, partition: str = "") -> str:
    """Return the report of a forecast as HTML that needs nothing else.

    Args:
        sources: where the facts come from.
        found: its state.
        partition: after whose round it is made; empty: at any time.
    """
    return one_file(Held(sources).answers(found, partition), f"{sources.spec.name}: report")


class Held:
    """The answers that a file holds, by the key of their question.

    Rows of single items are those of the largest and of those with the largest errors, as many as there is room for.
    What a store does not tell is left out: its view says so, and why stands among the problems.
    """

    def __init__(self, sources: Sources) -> None:
        """Begin with none."""
        self._sources, self._reader = sources, sources.reader
        self._reached = Reachable()
        self._answers: dict[str, Any] = {}

    def answers(self, found: Overview, partition: str = "") -> dict[str, Any]:
        """Return all of them; arguments as of `page`."""
        sources, reader = self._sources, self._reader
        items = self._reached.ask(TABLES, reader.items, pd.DataFrame())
        if len(items):
            self._hold("items", lambda: self._table(items.head(MOST_ITEMS), len(items)))
            self._reached.ask(TABLES, lambda: self._hold_items(items), None)
        for by in BY:
            self._hold("accuracy", partial(reader.accuracy, by), by=by)
        for path in ("calibration", "changes", "timeline", "decisions"):
            self._hold(path, getattr(reader, path))
        self._hold("jobs", reader.job_rows)
        self._hold("models", reader.models, MLFLOW)
        self._hold("importances", reader.importances, MLFLOW)
        if sources.stored.exists(ADJUSTMENTS):
            self._hold("adjustments", lambda: told(Adjustments(reader.tables, reader.spec.name).all()))
            for by in HELPED_BY:
                self._hold("value-added", partial(value_added, reader.tables, reader.spec, by), by=by)
        self._hold("quality", lambda: documents.quality(sources, found))
        # What could not be learnt is among the problems that these begin with.
        stated = replace(found, problems=tuple(dict.fromkeys([*found.problems, *self._reached.unreachable])))
        self._hold("overview", lambda: documents.overview(sources, stated, partition))
        self._hold("state", lambda: documents.state(sources, stated))
        listed = pd.DataFrame([documents.listed(sources.spec, stated, len(items))])
        return {key_of("/v1/forecasts", {}): table("", listed), **self._answers}

    def _hold_items(self, items: pd.DataFrame) -> None:
        """Hold the rows of single items: a history, and the forecasts of the latest origins."""
        reader, spec = self._reader, self._sources.spec
        kept = reader.origins(most=max(LEAST_ORIGINS, MOST_FORECASTS // spec.horizon)).sort_values("origin")
        self._hold("origins", lambda: kept)
        steps = max(HORIZONS * spec.horizon, LEAST_STEPS)
        keys = self._sources.stored.partitions(OBSERVATIONS)[-periods(spec, steps) :]
        held = whole_window(partitions_of(spec), keys)  # of the first, with all history
        first = max(held.start, held.end - (steps + 1) * to_offset(spec.frequency))
        chosen = _foremost(items, max(1, MOST_ROWS // (len(kept) * spec.horizon + steps)))
        history = reader.observations(chosen, start=first)[["item_id", "timestamp", "target"]]
        made = reader.forecasts(chosen, start=kept["origin"].min(), origin="all", role="shadow")
        made = made[made["origin"].isin(kept["origin"])]
        for item, answer in self._tables(history):
            self._hold("observations", partial(dict, answer), item=item)
        for item, answer in self._tables(made):
            self._hold("", partial(dict, answer), item=item, origin="all", role="shadow")

    def _hold(self, path: str, question: Callable[[], Any], store: str = TABLES, **params: Any) -> None:
        answer = self._reached.ask(store, question, None)
        if isinstance(answer, pd.DataFrame):
            answer = self._table(answer)
        if answer is not None:
            whole = "/".join(filter(None, ["/v1/forecasts", self._sources.spec.name, path]))
            self._answers[key_of(whole, params)] = answer

    def _table(self, rows: pd.DataFrame, total: int | None = None) -> dict[str, Any]:
        return table(self._sources.spec.name, rows, total, DIGITS)

    def _tables(self, rows: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each item with the answer that is about it alone, of rows sorted by item."""
        whole = self._table(rows)
        for item, own in rows.reset_index(drop=True).groupby("item_id", sort=False, observed=True):
            first, last = own.index[0], own.index[-1] + 1
            columns = {name: values[first:last] for name, values in whole["columns"].items()}
            yield str(item), {**whole, "total": len(own), "columns": columns}


def _foremost(items: pd.DataFrame, count: int) -> list[str]:
    """Return the ids of so many items: by turns the largest and those with the largest errors."""
    ranked = [items.sort_values(by, ascending=False, kind="stable")["item_id"] for by in ("volume", "error")]
    return list(dict.fromkeys(item for item in chain(*zip_longest(*ranked)) if item is not None))[:count]
