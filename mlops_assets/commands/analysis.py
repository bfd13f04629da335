"""Questions to a forecast, which store nothing: evaluate, explain, forecast, tune."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, find_or_load_spec

if TYPE_CHECKING:
    from mlops_assets.analysis.at_once import TableForecast

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@base.spec_argument
@click.option("--models", metavar="KINDS", help="Compare with these too: extra_trees,hist_gradient_boosting, ...")
@base.as_of_option
@base.as_json_option
def evaluate(spec: str, models: str | None, as_of: str | None, as_json: bool) -> None:
    """Backtest a spec on its source beside seasonal naive and other models, without touching any store.

    SPEC is a YAML file or the name of a declared forecast.
    """
    from mlops_assets.analysis import evaluate as evaluating
    from mlops_assets.commands.rendering import evaluation

    others = [kind.strip() for kind in models.split(",") if kind.strip()] if models else []
    _answer(spec, evaluating.evaluate, evaluation.tables, as_json, others, as_of)


@click.command()
@base.spec_argument
@click.option("--item", metavar="ID", help="Explain the forecast of this item; with --timestamp.")
@click.option("--timestamp", metavar="TIME", help="Which of its forecasts.")
@click.option("--origin", metavar="TIME", help="Made from which moment. Default: the latest.")
@click.option("--top", default=10, show_default=True, help="How many of the days that it is made like.")
@base.as_of_option
@base.as_json_option
def explain(
    spec: str,
    item: str | None,
    timestamp: str | None,
    origin: str | None,
    top: int,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Say what a model leans on, or what one forecast is made like.

    SPEC is a YAML file or the name of a declared forecast. Uses the champion's model; fits one if there is none. Writes
    nothing.
    """
    if (item is None) != (timestamp is None):
        raise UsageError("--item and --timestamp go together")
    if item is None and as_of is not None:
        raise UsageError("--as-of goes with --item and --timestamp: a model leans on what it has learnt")
    from mlops_assets.analysis import explain as explaining
    from mlops_assets.commands.rendering import explanation

    if item is None or timestamp is None:
        _answer(spec, explaining.explain_model, explanation.model_tables, as_json)
    else:
        _answer(spec, explaining.explain_row, explanation.row_tables, as_json, item, timestamp, origin, top, as_of)


@click.command()
@base.spec_argument
@click.option("--set", "changes", multiple=True, metavar="NAME=CHANGE", help="price=*0.9, temperature=+5, promo=1, ...")
@click.option("--future", "file", metavar="FILE", help="CSV or Parquet of other known covariates.")
@click.option("--item", "items", multiple=True, metavar="ID", help="Only these items.")
@click.option("--origin", metavar="TIME", help="Made from which moment. Default: the latest.")
@base.as_of_option
@click.option("--horizon", type=click.IntRange(1, 1000), help="Of a table: steps to forecast.")
@click.option("--table", "table", metavar="NAME", help="Of a database with several tables: which.")
@click.option("--save", type=_FILE, metavar="FILE", help="Of a table: keep the spec that was drafted for it.")
@click.option("--picture", type=_FILE, metavar="FILE", help="Of a table: where to draw it. Default: NAME_forecast.png.")
@click.option("--csv", "rows", type=_FILE, metavar="FILE", help="Write all rows there.")
@base.as_json_option
def forecast(
    spec: str,
    changes: tuple[str, ...],
    file: str | None,
    items: tuple[str, ...],
    origin: str | None,
    as_of: str | None,
    horizon: int | None,
    table: str | None,
    save: Path | None,
    picture: Path | None,
    rows: Path | None,
    as_json: bool,
) -> None:
    """Forecast without storing anything; with changes, beside the forecast as things stand.

    SPEC is a YAML file, the name of a declared forecast, or a table that no spec describes: a file (sales.csv,
    .parquet, .xlsx, ...), a folder, a glob, an address of object storage or of a database. --set changes a known
    covariate over the whole horizon: +5, -5, *0.9, /2, a value, or =-5 for a value below zero.
    """
    from mlops_assets.analysis import at_once, what_if
    from mlops_assets.commands.rendering import forecast as rendering

    of_spec = {"--set": changes, "--future": file, "--origin": origin, "--as-of": as_of}
    of_table = {"--horizon": horizon, "--table": table, "--save": save, "--picture": picture}
    if at_once.is_table(spec, Settings.read(), of_spec, of_table):
        result = _of_table(spec, items, horizon, table, save, picture)
        if as_json:
            base.show_json(result.to_json())
        else:
            base.show(rendering.of_table(result))
    else:
        result = _answer(spec, what_if.what_if, rendering.tables, as_json, changes, file, items, origin, as_of)
    if rows is not None:
        with base.writing(rows):
            result.to_frame().to_csv(rows, index=False)


def _of_table(
    place: str,
    items: tuple[str, ...],
    horizon: int | None,
    table: str | None,
    save: Path | None,
    picture: Path | None,
) -> "TableForecast":
    from mlops_assets.analysis.at_once import forecast_table
    from mlops_assets.spec.folder import name_of

    with base.remarks(), base.about(place), base.writing(save or Path(place)):
        result = forecast_table(place, Settings.read(), horizon=horizon, table=table, save=save, items=items)
    drawn = picture or Path(f"{name_of(table or place)}_forecast.png")
    with base.writing(drawn):
        result.draw(drawn)
    click.echo(f"picture: {base.short_path(drawn)}", err=True)
    return result


@click.command()
@base.spec_argument
@click.option("--minutes", type=click.FloatRange(min=0), required=True, help="Time to spend.")
@click.option("--trials", type=click.IntRange(min=1), help="Most settings to try, the present ones included.")
@click.option("--write", is_flag=True, help="Put what was found into the spec's file.")
@base.as_json_option
def tune(spec: str, minutes: float, trials: int | None, write: bool, as_json: bool) -> None:
    """Search for better settings of the model on the backtest, and print them as a change of the spec.

    SPEC is a YAML file or the name of a declared forecast. Every trial is a run in MLflow, nested in the study's.
    """
    from mlops_assets.analysis import tune as tuning
    from mlops_assets.commands.rendering import tuning as rendering

    def ask(found: ForecastSpec, settings: Settings) -> Any:
        def listen(trial: tuning.TuningTrial) -> None:
            click.echo(rendering.line(trial, found.gate.metric))

        return tuning.tune(found, settings, minutes, trials, write, listen)

    _answer(spec, ask, rendering.tables, as_json)


def _answer(
    text: str, ask: Callable[..., Any], tables: Callable[[Any], Iterator[Any]], as_json: bool, *arguments: Any
) -> Any:
    """Ask something of a forecast, named or in a file, print the answer and return it."""
    settings = Settings.read()
    spec = find_or_load_spec(settings.forecasts, text)
    with base.remarks(), base.about(spec.file):
        result = ask(spec, settings, *arguments)
    if as_json:
        base.show_json(result.to_json())
    else:
        base.show(tables(result))
    return result
