"""From a table to a forecast, without a spec: one is drafted, a model is fitted and backtested, nothing is stored."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.analysis.evaluate import Evaluation, evaluate
from mlops_assets.analysis.what_if import ForecastResult, what_if
from mlops_assets.drafts.draft import Draft, draft, write
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.evaluation.backtest import NAIVE
from mlops_assets.forecasting.formatting import counted, plain
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.spec import folder

_MOST_ITEMS = 6


@dataclass(frozen=True, eq=False)
class TableForecast(ForecastResult):
    """The forecast of a table.

    Attributes:
        draft: the spec that was drafted for it, and what was found.
        evaluation: the backtest of the same model.
        history: item_id, timestamp, target: what the table says.
    """

    draft: Draft
    evaluation: Evaluation
    history: pd.DataFrame

    @property
    def verdict(self) -> str:
        """How good the model was on the backtest, beside seasonal naive, in a sentence."""
        scores = self.evaluation.models.set_index("model")["wape"]
        ours, naive = scores.iloc[0], scores.get(NAIVE)
        windows = counted(len(self.evaluation.windows), "backtest window")
        if naive is None or not naive > 0 or pd.isna(ours):
            return f"nothing could be compared in {windows}"
        share = 1 - ours / naive
        return (
            f"{abs(share):.0%} {'less' if share >= 0 else 'more'} error than repeating the season before (seasonal "
            f"naive): WAPE {ours:.3f} against {naive:.3f}, in {windows} of {counted(self.draft.spec.horizon, 'step')}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return {
            **super().to_json(),
            "spec": self.draft.text,
            "backtest": {key: plain(value) for key, value in self.evaluation.models.iloc[0].items()},
            "seasonal_naive_wape": plain(self.evaluation.models.set_index("model")["wape"].get(NAIVE)),
            "verdict": self.verdict,
        }

    def draw(self, file: Path) -> None:
        """Draw the largest items' history and forecast as a picture (PNG or SVG, by the file's ending)."""
        from mlops_assets.forecasting import charts

        figure = charts.fan(self.history, self.rows, point=self.point, max_items=_MOST_ITEMS)
        figure.savefig(file)


def is_table(text: str, settings: Settings, of_spec: Mapping[str, Any], of_table: Mapping[str, Any]) -> bool:
    """Whether a table is to be forecast, and not a declared forecast or a YAML file.

    Args:
        text: a name, a YAML file or a table.
        settings: where forecasts are declared.
        of_spec: what was asked that only a spec can answer, by how it is called; None or empty: it was not.
        of_table: the same of a table.

    Raises:
        UsageError: something was asked that does not go with it.
    """
    table = folder.is_table(text, settings.forecasts)
    for name, value in (of_spec if table else of_table).items():
        if value is not None and value != ():
            raise UsageError(f"{name} belongs to a {'spec' if table else 'table'}, and {text} is none")
    return table


def forecast_table(
    place: str,
    settings: Settings,
    *,
    horizon: int | None = None,
    table: str | None = None,
    save: Path | None = None,
    items: tuple[str, ...] = (),
) -> TableForecast:
    """Forecast a table that no spec describes.

    Args:
        place: a file, a folder, a glob, an address in object storage or of a database.
        settings: when it is now.
        horizon: steps to forecast. Default: by the frequency and the length of the history.
        table: of a database with several: which.
        save: keep the drafted spec as this YAML file. Default: it is not kept.
        items: only these ids. Default: all that are alive.

    Raises:
        UsageError, SourceError: see `drafts.draft.draft`.
        DataError: the history is too short.
        OSError: the spec cannot be written.
        QuestionError: an item is not there.
    """
    file = save or Path.cwd() / f"{folder.name_of(place)}.yaml"
    found = draft(place, file, folder.name_of(file.name), Clock.of(settings).now(), horizon, table)
    # Nothing that is declared or stored under the same name has a part in it: a champion there is of other data.
    with tempfile.TemporaryDirectory() as empty:
        alone = Settings.read({"MLOPS_DATA": empty}).model_copy(update={"now": settings.now})
        judged = evaluate(found.spec, alone)
        made = what_if(found.spec, alone, items=items)
    if save is not None:
        write(found, save)
    history = found.checked.accepted[["item_id", "timestamp", "target"]]
    until = history[history["timestamp"] <= made.origin]
    return TableForecast(**vars(made), draft=found, evaluation=judged, history=until)
