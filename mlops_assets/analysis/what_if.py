"""What if the future were different: a forecast with changed known covariates beside the one as things stand."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import OpenForecast, open_forecast
from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.data import contract
from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.formatting import few, plain_rows, stamp
from mlops_assets.reading.questions import QuestionError
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.sources.base import read_all
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import FileSource, ForecastSpec

_CHANGE = re.compile(r"(?P<name>[^=]+)=(?P<how>[=+*/-]?)(?P<number>[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?|-[0-9.]+)", re.I)


@dataclass(frozen=True)
class Change:
    """A change of one known covariate over the whole horizon.

    Attributes:
        name: the covariate.
        how: `+`, `-`, `*`, `/`, or `=` where it is set.
        number: by or to how much.
    """

    name: str
    how: str
    number: float

    @classmethod
    def read(cls, text: str) -> "Change":
        """Read `price=*0.9`, `temperature=+5`, `promo=1`, and `temperature==-5`, which sets a value below zero.

        Raises:
            QuestionError: it is none of these.
        """
        found = _CHANGE.fullmatch(text.strip())
        if found is None:
            raise QuestionError(
                f"--set {text}: not NAME=CHANGE; changes are +5, -5, *0.9, /2, a value such as 1, or =-5 for "
                "one below zero"
            )
        return cls(found["name"].strip(), found["how"] or "=", float(found["number"]))

    def apply(self, values: pd.Series) -> pd.Series:
        """Return the changed values; what is unknown stays so, unless it is set."""
        match self.how:
            case "+":
                return values + self.number
            case "-":
                return values - self.number
            case "*":
                return values * self.number
            case "/":
                return values / self.number
        return pd.Series(self.number, index=values.index)


@dataclass(frozen=True, eq=False)
class ForecastResult:
    """A forecast as things stand and, if anything is changed, as it would be then.

    Attributes:
        forecast: name of the forecast.
        model: which model made it, in words.
        origin: last timestamp known.
        point: which column is the point forecast, the one that is compared.
        changes: what was changed, as it was asked for; empty: nothing.
        warnings: what makes it doubtful, in sentences.
        left_out: items that get no forecast, because nothing has been observed of them lately.
        totals: timestamp and the sum over all items of the point forecast; with changes also `changed`, `difference`.
        rows: item_id, timestamp, lead, mean, the quantiles, source (`model`, or `fallback` where an item has hardly any
            history); with changes also `changed` (the point forecast then), `difference` to it, and `changed_mean`,
            `changed_q10` and so on.
    """

    forecast: str
    model: str
    origin: pd.Timestamp
    point: str
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]
    totals: pd.DataFrame
    rows: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the forecast, a row for each item and timestamp."""
        return self.rows

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, numbers rounded to six decimals."""
        return {
            "forecast": self.forecast,
            "model": self.model,
            "origin": stamp(self.origin),
            "point": self.point,
            "changes": list(self.changes),
            "warnings": list(self.warnings),
            "left_out": list(self.left_out),
            "totals": plain_rows(self.totals),
            "rows": plain_rows(self.rows),
        }


def what_if(
    spec: ForecastSpec,
    settings: Settings,
    changes: Sequence[str] = (),
    file: str | None = None,
    items: Sequence[str] = (),
    origin: str | None = None,
    as_of: str | None = None,
) -> ForecastResult:
    """Forecast as things stand and, if anything is changed, as they would be then. Nothing is stored.

    Args:
        spec: the forecast.
        settings: where the registry is.
        changes: of known covariates, as `Change.read` takes them, one after another.
        file: CSV or Parquet with other known covariates: the spec's time column, some of the covariates and, unless
            the values are for all items, the columns that name the item. What it leaves out or empty stays.
        items: ids to forecast; none is every item alive.
        origin: None is the latest.
        as_of: see `open_forecast`.

    Raises:
        QuestionError: a covariate is not known ahead of time, or has no value to change, or an item is not known.
        DataError, SourceError, TrackingError: as `open_forecast` does.
    """
    wanted = _read_changes(spec, changes)
    if file is not None and not spec.task.known:
        raise QuestionError("--future: the spec names no covariate as known, so that no future value is looked at")
    opened = open_forecast(spec, settings, origin, as_of)
    given = None if file is None else _read_future_file(opened, Path(file), settings)
    return _answer(opened, wanted, (*changes, *([file] if file else [])), given, file or "", items)


def ask_opened(opened: OpenForecast, changes: Sequence[str], items: Sequence[str] = ()) -> ForecastResult:
    """Forecast as things stand and as they would be with some changes, as `what_if` does; the forecast is open already.

    Raises:
        QuestionError: see `what_if`.
    """
    return _answer(opened, _read_changes(opened.spec, changes), tuple(changes), None, "", items)


def _read_changes(spec: ForecastSpec, changes: Sequence[str]) -> list[Change]:
    wanted = [Change.read(text) for text in changes]
    for change in wanted:
        _must_be_known(spec, change.name)
    return wanted


def _answer(
    opened: OpenForecast,
    wanted: Sequence[Change],
    asked: tuple[str, ...],
    given: pd.DataFrame | None,
    file: str,
    items: Sequence[str],
) -> ForecastResult:
    spec = opened.spec
    for item in items:
        opened.must_know(item)
    rows = opened.predict(items=list(items) or None)
    left_out = [] if items else opened.left_out()
    if rows.empty:
        raise QuestionError(f"nothing has been observed lately until {opened.origin} of any item: {few(left_out)}")
    warnings, summed = list(_uncertain(rows)), [spec.task.point_column]
    if wanted or given is not None:
        future = _changed_future(opened, wanted, given, file, items)
        rows = _compared(opened, rows, future, items)
        warnings += _beyond(opened, future)
        summed += ["changed", "difference"]
    return ForecastResult(
        forecast=spec.name,
        model=opened.model,
        origin=opened.origin,
        point=spec.task.point_column,
        changes=asked,
        warnings=tuple(warnings),
        left_out=tuple(left_out),
        totals=rows.groupby("timestamp", as_index=False)[summed].sum(),
        rows=rows.drop(columns="origin"),
    )


def _changed_future(
    opened: OpenForecast, changes: Sequence[Change], given: pd.DataFrame | None, file: str, items: Sequence[str]
) -> pd.DataFrame:
    """Known covariates over the horizon as the file's values and then the changes would have them."""
    future = _grid(opened, items)
    if given is not None:
        future = _overlay(future, given, file)
    for change in changes:
        if change.how != "=" and future[change.name].isna().all():
            raise QuestionError(
                f"--set {change.name}: the source has no value after {opened.origin} that could be changed; set "
                f"one ({change.name}=1), or give a file of them (--future)"
            )
        future[change.name] = change.apply(future[change.name])
    return future


def _compared(opened: OpenForecast, rows: pd.DataFrame, future: pd.DataFrame, items: Sequence[str]) -> pd.DataFrame:
    """Put the forecast with another future beside the one as things stand."""
    task = opened.spec.task
    point, columns = task.point_column, list(dict.fromkeys(["mean", *task.quantile_columns, task.point_column]))
    other = opened.predict(future=future, items=list(items) or None)[["item_id", "lead", *columns]]
    other = other.rename(columns={name: f"changed_{name}" for name in columns})
    both = rows.merge(other, on=["item_id", "lead"], how="left")
    both["changed"] = both[f"changed_{point}"]
    both["difference"] = both["changed"] - both[point]
    return both


def _must_be_known(spec: ForecastSpec, name: str) -> None:
    if name in spec.task.known:
        return
    if name in spec.covariates.past:
        why = (
            "is a past covariate: no future value of it is looked at. If it is known ahead, name it in covariates.known"
        )
    elif name in spec.covariates.static:
        why = "is static: it says which item it is, not what happens to it"
    else:
        why = "is no covariate of the spec"
    known = ", ".join(spec.task.known) or "none"
    raise QuestionError(f"--set {name}: {name!r} {why}. Known ahead of time: {known}")


def _grid(opened: OpenForecast, items: Sequence[str]) -> pd.DataFrame:
    """Known covariates for every item, or some, and step of the horizon, missing where the source has none."""
    steps = steps_after(opened.origin, opened.spec.horizon, opened.spec.frequency)
    every = pd.MultiIndex.from_product(
        [list(items) or list(opened.history["item_id"].unique()), pd.DatetimeIndex(steps).as_unit("us")],
        names=["item_id", "timestamp"],
    ).to_frame(index=False)
    given = opened.future
    if given is None or given.empty:
        return every.assign(**dict.fromkeys(opened.spec.task.known, float("nan")))
    return every.merge(given, on=["item_id", "timestamp"], how="left")


def _read_future_file(opened: OpenForecast, file: Path, settings: Settings) -> pd.DataFrame:
    spec = opened.spec
    path = file.resolve()
    present = _columns(path)
    own = [name for name in spec.columns.item_id if name in present]
    given = [name for name in spec.task.known if name in present]
    if spec.columns.timestamp not in present or not given or (own and own != spec.columns.item_id):
        raise QuestionError(
            f"{file} has the columns {', '.join(present)}; needed are {spec.columns.timestamp}, some of "
            f"{', '.join(spec.task.known)} and, unless for all items, {', '.join(spec.columns.item_id)}"
        )
    every = spec.columns.timestamp
    rules = replace(
        Graph(spec).contract, item_id=tuple(own) or (every,), known=tuple(given), past=(), static=(), target="no target"
    )
    reader = open_source(spec.model_copy(update={"source": FileSource(kind="file", path=str(path))}))
    columns = list(dict.fromkeys([*rules.item_id, rules.timestamp, *given]))
    steps = steps_after(opened.origin, spec.horizon, spec.frequency)
    window = contract.Window(steps[0], steps[-1] + pd.Timedelta(microseconds=1))
    raw = read_all(reader, columns, rules.timestamp, window).assign(**{rules.target: None})
    checked = contract.check(raw, rules, window, Clock.of(settings).now(), exact=reader.exact)
    if checked.quarantined.shape[0]:
        worst = ", ".join(f"{reason} ({count})" for reason, count in checked.reasons.items())
        raise QuestionError(f"{file}: {len(checked.quarantined)} rows cannot be used: {worst}")
    accepted = checked.accepted[["item_id", "timestamp", *given]]
    return accepted if own else accepted.drop(columns="item_id")


def _columns(path: Path) -> list[str]:
    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet

            return list(parquet.read_schema(path).names)
        return list(pd.read_csv(path, nrows=0).columns)
    except (OSError, ValueError) as error:
        raise QuestionError(f"--future {path}: cannot be read: {error}") from None


def _overlay(future: pd.DataFrame, given: pd.DataFrame, file: str) -> pd.DataFrame:
    """Put the values of a file in the place of others."""
    keys = [name for name in ("item_id", "timestamp") if name in given.columns]
    joined = future[["item_id", "timestamp"]].merge(given, on=keys, how="left")
    values = [name for name in given.columns if name not in keys]
    if joined[values].isna().all(axis=None):
        raise QuestionError(
            f"{file} has no value for the items over the horizon, {stamp(future['timestamp'].min())} to "
            f"{stamp(future['timestamp'].max())}"
        )
    return future.assign(**{name: joined[name].fillna(future[name]) for name in values})


def _uncertain(forecast: pd.DataFrame) -> Iterator[str]:
    """Say which items the model cannot forecast."""
    items = sorted(forecast.loc[forecast["source"] == "fallback", "item_id"].unique())
    if items:
        yield f"{len(items)} items have hardly any history and get seasonal naive (source `fallback`): {few(items)}"


def _beyond(opened: OpenForecast, future: pd.DataFrame) -> Iterator[str]:
    """Say why the changed values tell little: the model looks at none, or has never seen such."""
    if not getattr(opened.forecaster, "COVARIATES", True):
        kind = opened.forecaster.task.model.kind
        yield f"{kind} looks at no covariates: its forecasts are the same whatever they are"
        return
    for name in opened.spec.task.known:
        low, high = opened.history[name].min(), opened.history[name].max()
        outside = (future[name] < low) | (future[name] > high)
        if outside.any():
            yield (
                f"{name}: {int(outside.sum())} of {len(future)} values lie outside {low:g} to {high:g}, all that "
                "the model has seen; do not trust it there: a model of trees answers as at the edge"
            )
