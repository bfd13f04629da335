"""The promises of a kind of model (`forecasting.model.kinds.Model`), each tried on series made for it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.model import model_file
from mlops_assets.forecasting.model.baselines import alive_items
from mlops_assets.forecasting.model.extensions import told
from mlops_assets.forecasting.model.kinds import Model, class_of
from mlops_assets.forecasting.model.kinds.protocol import METHODS
from mlops_assets.forecasting.model.task import ModelSettings, Task

DAYS, HORIZON, SEASON = 120, 6, 7
LEVELS = (0.05, 0.3, 0.5, 0.95)
REGULAR = ("busy", "counts", "gaps", "trend")
"""Items with a history throughout; beside them stand one that never moves, one that is new, and one that has ended."""


ROUNDED = 1e-6
"""Share by which a value may differ where other rows are forecast beside it: a product of matrices of another height
may be summed in another order (BLAS). Whatever asks the same of the same rows is held to the last bit."""


class ModelCheckError(MlopsAssetsError, AssertionError):
    """A class does not keep what a kind of model promises; the message has a line for each promise."""


def check_model(
    kind: str | type[Model],
    parameters: Mapping[str, Any] | None = None,
    *,
    members: Sequence[str] = (),
    max_training_rows: int = 1000,
) -> None:
    """Hold a kind of model to what the engine relies on.

    Daily series of several sorts (seasonal, trending, counts with zeros, with gaps, constant, new, ended) are learnt
    from and forecast, and each promise is tried: columns and rows, sorted quantiles of any level, nothing missing,
    the items that were asked for, unseen and new ones among them, the same answer to the last bit each time and after
    storing, neighbours and the order of rows without influence, nothing read after the origin, and missing values.

    Args:
        kind: a class with the five methods, or a kind as a spec names it.
        parameters: as in a spec's `model.parameters`.
        members: as in a spec's `model.members`.
        max_training_rows: as in a spec's `model.max_training_rows`.

    Raises:
        ModelCheckError: promises that are not kept, all of them.
    """
    made = class_of(kind) if isinstance(kind, str) else kind
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    _refuse(made, name, parameters or {})
    settings = ModelSettings(name, dict(parameters or {}), max_training_rows, members=tuple(members))
    case = _Case(made, Task("D", HORIZON, (SEASON,), (0.1, 0.5, 0.9), model=settings))
    broken: dict[str, list[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for promise in PROMISES:
            try:
                said = promise(case)
            except MlopsAssetsError as error:
                said = str(error)
            except Exception as error:
                said = told(error)
            if said:
                broken.setdefault(said, []).append((promise.__doc__ or "").rstrip("."))
    if broken:
        lines = [f"- {_counted(promises)}: {said}" for said, promises in broken.items()]
        raise ModelCheckError("\n".join([f"{name} does not keep what a model promises:", *lines]))


def _refuse(made: type[Model], name: str, parameters: Mapping[str, Any]) -> None:
    """Raise ModelCheckError where a class lacks a method, or a parameter is none that it says it has."""
    missing = [method for method in METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise ModelCheckError(f"{name} lacks {', '.join(missing)}; a model has the methods {', '.join(METHODS)}")
    known: Mapping[str, Any] | Sequence[str] | None = getattr(made, "PARAMETERS", None)
    if known is None:  # of a regressor the library says what is wrong
        return
    for one in parameters:
        if one not in known:
            raise ModelCheckError(f"{name} has no parameter {one}: its PARAMETERS are {', '.join(known) or 'none'}")
        if isinstance(known, Mapping) and (wrong := known[one](parameters[one])):
            raise ModelCheckError(f"{name}: the parameter {one} is {parameters[one]!r}; {wrong}")


def _counted(promises: Sequence[str]) -> str:
    """Name the first of the promises that fail for one reason, and count the others."""
    more = len(promises) - 1
    return f"{promises[0]} (and {more} more promise{'s' * (more > 1)}, for the same reason)" if more else promises[0]


def example_series() -> pd.DataFrame:
    """Return the history that a model is checked on: canonical, `DAYS` days, ends where the future begins."""
    random = np.random.default_rng(0)
    day = np.arange(DAYS)
    week = np.sin(2 * np.pi * day / SEASON)
    gaps = 30 + 8 * week + random.normal(0, 1, DAYS)
    gaps[[20, 21, 60, DAYS - 9]] = np.nan
    ended = np.where(day < DAYS // 2, 40.0, np.nan)
    values = {
        "busy": 100 + 20 * week + random.normal(0, 3, DAYS),
        "constant": np.full(DAYS, 5.0),
        "counts": random.poisson(0.6, DAYS).astype(float),
        "ended": ended,
        "gaps": gaps,
        "new": np.where(day >= DAYS - HORIZON - 3, 12.0, np.nan),
        "trend": 10 + 0.3 * day + random.normal(0, 1, DAYS),
    }
    times = pd.date_range("2024-01-01", periods=DAYS, unit="us")
    parts = [pd.DataFrame({"item_id": name, "timestamp": times, "target": found}) for name, found in values.items()]
    return pd.concat(parts, ignore_index=True).dropna(ignore_index=True)


@dataclass(frozen=True)
class _Case:
    """A class, what it is to forecast, and what it made of the example."""

    made: type[Model]
    task: Task

    @property
    def history(self) -> pd.DataFrame:
        return example_series()

    @cached_property
    def origin(self) -> pd.Timestamp:
        return pd.Timestamp(self.history["timestamp"].max()) - pd.Timedelta(days=HORIZON)

    @cached_property
    def past(self) -> pd.DataFrame:
        return self.history[self.history["timestamp"] <= self.origin].reset_index(drop=True)

    @cached_property
    def rows(self) -> pd.DataFrame:
        return self.made.rows(self.history, self.task, self.origin)

    @cached_property
    def model(self) -> Model:
        return self.made.fit(self.rows, self.task)

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        return self.model.predict(self.history, self.origin)


def _rows(case: _Case) -> str:
    """`rows` gives item_id and timestamp, and reads nothing after `until`."""
    missing = {"item_id", "timestamp"} - {*case.rows.columns}
    if missing:
        return f"the rows lack {', '.join(sorted(missing))}"
    if case.rows["timestamp"].max() > case.origin:
        return f"a row is of {case.rows['timestamp'].max()}, after {case.origin}"
    return _differ(case.made.rows(case.past, case.task), case.rows)


def _table(case: _Case) -> str:
    """`predict` gives a row for each living item and lead, sorted, in the ledger's columns."""
    table, task = case.forecasts, case.task
    columns = ["item_id", "origin", "timestamp", "lead", "mean", *task.quantile_columns, "source"]
    if list(table.columns) != columns:
        return f"the columns are {', '.join(table.columns)}, not {', '.join(columns)}"
    items = sorted(alive_items(case.past, task, case.origin))
    wanted = [(item, lead) for item in items for lead in range(1, HORIZON + 1)]
    if list(zip(table["item_id"], table["lead"], strict=True)) != wanted:
        return f"expected were leads 1 to {HORIZON} of {', '.join(items)}, in that order"
    if not (table["timestamp"] == case.origin + pd.to_timedelta(table["lead"], unit="D")).all():
        return "a timestamp is not its lead after the origin"
    if not (table["origin"] == case.origin).all():
        return "the origin is another than was asked for"
    return _unless(set(table["source"]) <= {"model", "fallback"}, "a source is neither model nor fallback")


def _says(case: _Case) -> str:
    """An item with a whole history is the model's own to forecast."""
    own = case.forecasts.loc[case.forecasts["source"] == "model", "item_id"]
    return _unless(set(REGULAR) <= {*own}, f"only {', '.join(sorted({*own})) or 'none'} of {', '.join(REGULAR)} is")


def _quantiles(case: _Case) -> str:
    """Quantiles of any level are there, finite and ascending."""
    table = case.model.predict(case.history, case.origin, quantiles=LEVELS)
    names = [f"q{round(100 * level)}" for level in LEVELS]
    missing = [name for name in names if name not in table.columns]
    if missing:
        return f"asked for {LEVELS}, {', '.join(missing)} is not there"
    values = table[names].to_numpy(dtype=float)
    if not np.isfinite(table[["mean", *names]].to_numpy(dtype=float)).all():
        return "a value is missing or infinite"
    return _unless((np.diff(values, axis=1) >= -1e-9).all(), "a quantile lies below one of a lower level")


def _leads(case: _Case) -> str:
    """A shorter horizon is a part of the longer."""
    short = case.model.predict(case.history, case.origin, horizon=2)
    return _differ(short, case.forecasts[case.forecasts["lead"] <= 2], ROUNDED)


def _items(case: _Case) -> str:
    """The items that are asked for get a forecast, known or not, and no others."""
    table = case.model.predict(case.history, case.origin, items=["trend", "nobody", "busy"])
    if list(table["item_id"].unique()) != ["busy", "nobody", "trend"]:
        return f"asked for busy, nobody (unseen) and trend, got {', '.join(table['item_id'].unique())}"
    if table.isna().any().any():
        return "a value of the unseen item is missing"
    wanted = case.forecasts[case.forecasts["item_id"] == "busy"]
    return _differ(table[table["item_id"] == "busy"], wanted, ROUNDED)


def _newcomers(case: _Case) -> str:
    """An item that the model has not learnt from gets a forecast once it has a history, and moves no other."""
    busy = case.history[case.history["item_id"] == "busy"]
    table = case.model.predict(pd.concat([case.history, busy.assign(item_id="stranger")]), case.origin)
    own = table[table["item_id"] == "stranger"]
    if len(own) != HORIZON or not np.isfinite(own[["mean", *case.task.quantile_columns]].to_numpy(dtype=float)).all():
        return f"of {HORIZON} leads of the new item, {int(own['mean'].notna().sum())} have a forecast"
    return _differ(table[table["item_id"] != "stranger"], case.forecasts, ROUNDED)


def _again(case: _Case) -> str:
    """The same rows give the same model, also when they come back from Parquet, and it answers the same each time."""
    changed = _differ(case.model.predict(case.history, case.origin), case.forecasts)
    if changed:
        return f"asked for the same again, {changed}"
    file = io.BytesIO()
    case.rows.to_parquet(file)
    again = case.made.fit(pd.read_parquet(file), case.task)
    return _differ(again.predict(case.history, case.origin), case.forecasts)


def _stored(case: _Case) -> str:
    """What `state` gives can be stored without pickle, and `from_state` makes the same model of it."""
    data = model_file.dumps(case.model.state())
    again = case.made.from_state({**model_file.loads(data), "task": case.task})
    return _differ(again.predict(case.history, case.origin), case.forecasts)


def _neighbours(case: _Case) -> str:
    """Other items in the history, and the order of its rows, do not move an item's forecast."""
    alone = case.history[case.history["item_id"].isin(REGULAR[:2])].sample(frac=1, random_state=0)
    wanted = case.forecasts[case.forecasts["item_id"].isin(REGULAR[:2])]
    return _differ(case.model.predict(alone, case.origin), wanted, ROUNDED)


def _future(case: _Case) -> str:
    """No target after the origin is read."""
    later = case.history["timestamp"] > case.origin
    changed = case.history.assign(target=case.history["target"].where(~later, 1e6))
    return _differ(case.model.predict(changed, case.origin), case.forecasts)


def _missing(case: _Case) -> str:
    """A missing value is as good as an absent row, and neither is an obstacle."""
    gap = (case.past["item_id"] == "busy") & (case.past["timestamp"] > case.origin - pd.Timedelta(days=3))
    there = case.past.assign(target=case.past["target"].mask(gap))
    table = case.model.predict(there, case.origin)
    if table.isna().any().any():
        return "a forecast is missing where the latest targets are"
    return _differ(case.model.predict(case.past[~gap], case.origin), table)


def _untouched(case: _Case) -> str:
    """The frames that are given stay as they are."""
    history, rows = example_series(), case.made.rows(example_series(), case.task, case.origin)
    model = case.made.fit(rows, case.task)
    model.predict(history, case.origin)
    changed = _differ(rows, case.made.rows(example_series(), case.task, case.origin))
    if changed:
        return f"fit changes the rows: {changed}"
    changed = _differ(history, example_series())
    return f"predict changes the history: {changed}" if changed else ""


PROMISES: tuple[Callable[[_Case], str], ...] = (
    _rows, _table, _untouched, _says, _quantiles, _again, _leads, _items, _newcomers, _stored, _neighbours, _future,
    _missing,
)  # fmt: skip
"""Each gives an empty text if it is kept, else what is wrong."""


def _differ(found: pd.DataFrame, wanted: pd.DataFrame, rounded: float = 0.0) -> str:
    """Say how two frames differ, by more than a share of a value; empty if they do not."""
    found, wanted = found.reset_index(drop=True), wanted.reset_index(drop=True)
    if list(found.columns) != list(wanted.columns) or len(found) != len(wanted):
        there, expected = (f"{len(frame)} rows of {', '.join(frame.columns)}" for frame in (found, wanted))
        return f"there are {there}, and not {expected}"
    for column in map(str, found.columns):
        pair = (found[[column]], wanted[[column]])
        try:
            pd.testing.assert_frame_equal(*pair, rtol=rounded, atol=rounded / 1000, check_dtype=False)
        except AssertionError as error:
            return _where(column, found, wanted) or " ".join(str(error).split())
    return ""


def _where(column: str, found: pd.DataFrame, wanted: pd.DataFrame) -> str:
    """Name the first row of a column in which two frames differ, and count the others."""
    ours, theirs = found[column], wanted[column]
    rows = np.flatnonzero(~((ours == theirs) | (ours.isna() & theirs.isna())).to_numpy())
    if not len(rows):
        return ""
    row = int(rows[0])
    place = " ".join(f"{name} {wanted[name][row]}" for name in ("item_id", "timestamp") if name in wanted)
    return f"{column} of {place} is {ours[row]}, and not {theirs[row]} ({len(rows)} of {len(found)} rows differ)"


def _unless(kept: object, words: str) -> str:
    return "" if kept else words
