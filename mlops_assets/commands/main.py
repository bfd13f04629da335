"""The command line, a function for each command. Exit code 0: done, 1: failed, 2: wrong usage."""

import difflib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mlops_assets.settings import Settings, SettingsError
from mlops_assets.spec import ForecastSpec, SpecError, load_spec, load_specs

if TYPE_CHECKING:
    from mlops_assets.lifecycle.lifecycle import Lifecycle
    from mlops_assets.rounds.runner import Step

OK, FAILED, USAGE = 0, 1, 2


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong on standard error and end with an exit code."""
    click.echo(f"mlops-assets: {message}", err=True)
    sys.exit(code)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn wrong settings and wrong specs into exit code 2."""
    try:
        yield
    except (SettingsError, SpecError) as error:
        fail(str(error), USAGE)


def find_spec(settings: Settings, name: str) -> ForecastSpec:
    """Return the spec of that name, or end with exit code 2 and the nearest right name."""
    specs = {spec.name: spec for spec in load_specs(settings.forecasts)}
    if name not in specs:
        near = difflib.get_close_matches(name, specs, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        fail(f"no forecast {name!r} in {settings.forecasts}{hint} There are: {', '.join(specs)}", USAGE)
    return specs[name]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlops-assets")
def main() -> None:
    """Batch forecasts that look after themselves."""


@main.command("list")
def list_() -> None:
    """Show the declared forecasts."""
    from rich.table import Table

    with usage_errors():
        specs = load_specs(Settings.read().forecasts)
    table = Table("name", "frequency", "horizon", "partitions", "schedule", "file")
    for spec in specs:
        table.add_row(
            spec.name,
            spec.frequency,
            str(spec.horizon),
            f"{spec.partition_kind} from {spec.partitions.start}",
            spec.schedule or "–",
            _short_path(spec.file),
        )
    _console().print(table)


@main.command()
@click.argument("name")
@click.option("--partition", metavar="KEY", help="A partition, or FIRST...LAST. Default: the latest complete one.")
@click.option("--retrain", is_flag=True, help="Train a new model, even if there is a champion.")
def run(name: str, partition: str | None, retrain: bool) -> None:
    """Run the whole round of the forecast NAME for one partition, or for each of a range.

    Ingests the partition and all history that is not stored yet, trains if there is no champion or the spec has
    changed (on data up to the first of the partitions), forecasts, and scores earlier forecasts.
    """
    with usage_errors():
        settings = Settings.read()
        spec = find_spec(settings, name)
    from mlops_assets.commands.summary import round_summary
    from mlops_assets.errors import UsageError
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.rounds import runner

    try:
        keys = runner.resolve_partitions(spec, partition, settings)
    except UsageError as error:
        fail(str(error), USAGE)
    instance = open_instance(settings)
    try:
        with progress() as listen:
            runner.run_round(spec, keys, settings, instance, retrain, listen)
    except Exception as error:
        fail(str(error) or type(error).__name__)
    for part in round_summary(spec, keys, settings):
        _show(part)


def _named(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the two options that every decision of a person has."""
    command = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept with the decision.")(
        command
    )
    return click.option("--by", required=True, metavar="WHO", help="Who decides.")(command)


@main.command()
@click.argument("name")
@click.argument("version", type=int)
@_named
@click.option("--force", is_flag=True, help="Even if the version does not wait for approval.")
def approve(name: str, version: int, by: str, reason: str, force: bool) -> None:
    """Make VERSION of the forecast NAME the champion; it must wait for approval."""
    _decide(name, lambda life: life.approve(version, by, reason, force))


@main.command()
@click.argument("name")
@click.argument("version", type=int)
@_named
def reject(name: str, version: int, by: str, reason: str) -> None:
    """Refuse VERSION of the forecast NAME, which waits for approval."""
    _decide(name, lambda life: life.reject(version, by, reason))


@main.command()
@click.argument("name")
@click.option("--to", type=int, metavar="VERSION", help="Which version comes back. Default: the champion before.")
@_named
def rollback(name: str, to: int | None, by: str, reason: str) -> None:
    """Bring an earlier champion of the forecast NAME back, in one step.

    The version that leaves is not promoted again by itself on the same data.
    """
    _decide(name, lambda life: life.rollback(by, reason, to))


def _decide(name: str, decision: Callable[["Lifecycle"], Any]) -> None:
    """Carry out a person's decision and say what has changed."""
    with usage_errors():
        settings = Settings.read()
        spec = find_spec(settings, name)
    from mlops_assets.commands.lifecycle import opened, words
    from mlops_assets.lifecycle.decisions import DecisionError

    try:
        with opened(settings, spec) as life:
            click.echo(words(spec, *decision(life)))
    except DecisionError as error:
        fail(str(error), USAGE)
    except Exception as error:
        fail(str(error) or type(error).__name__)


@main.command("history")
@click.argument("name")
@click.option("--at", metavar="MOMENT", help="Who was champion then, and on what evidence: 2013-12-31, UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def history_(name: str, at: str | None, as_json: bool) -> None:
    """Show which version of the forecast NAME was champion when, who decided it, and why."""
    with usage_errors():
        settings = Settings.read()
        spec = find_spec(settings, name)
    from mlops_assets.commands.lifecycle import history, opened, tables

    try:
        with opened(settings, spec) as life:
            found = history(life, at)
    except ValueError as error:
        fail(f"--at {at}: {error}", USAGE)
    except Exception as error:
        fail(str(error) or type(error).__name__)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for part in tables(found):
        _show(part)


_SPEC = click.argument("spec", metavar="SPEC")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


@main.command("evaluate")
@_SPEC
@click.option("--models", metavar="KINDS", help="Compare with these too: extra_trees,hist_gradient_boosting, ...")
@_JSON
def evaluate_(spec: str, models: str | None, as_json: bool) -> None:
    """Backtest a spec on its source beside seasonal naive and other models, without touching any store.

    SPEC is a YAML file or the name of a declared forecast.
    """
    from mlops_assets.analysis import evaluate
    from mlops_assets.commands.rendering import evaluation

    others = [kind.strip() for kind in models.split(",") if kind.strip()] if models else []
    _answer(spec, evaluate.evaluate, evaluation.tables, as_json, others)


@main.command()
@_SPEC
@click.option("--item", metavar="ID", help="Explain the forecast of this item; with --timestamp.")
@click.option("--timestamp", metavar="TIME", help="Which of its forecasts.")
@click.option("--origin", metavar="TIME", help="Made from which moment. Default: the latest.")
@click.option("--top", default=10, show_default=True, help="How many of the days that it is made like.")
@_JSON
def explain(spec: str, item: str | None, timestamp: str | None, origin: str | None, top: int, as_json: bool) -> None:
    """Say what a model leans on, or what one forecast is made like.

    SPEC is a YAML file or the name of a declared forecast. Uses the champion's model; fits one if there is none. Writes
    nothing.
    """
    if (item is None) != (timestamp is None):
        fail("--item and --timestamp go together", USAGE)
    from mlops_assets.analysis import explain as explaining
    from mlops_assets.commands.rendering import explanation

    if item is None or timestamp is None:
        _answer(spec, explaining.explain_model, explanation.model_tables, as_json)
    else:
        _answer(spec, explaining.explain_row, explanation.row_tables, as_json, item, timestamp, origin, top)


@main.command("forecast")
@_SPEC
@click.option("--set", "changes", multiple=True, metavar="NAME=CHANGE", help="price=*0.9, temperature=+5, promo=1, ...")
@click.option("--future", "file", metavar="FILE", help="CSV or Parquet of other known covariates.")
@click.option("--item", "items", multiple=True, metavar="ID", help="Only these items.")
@click.option("--origin", metavar="TIME", help="Made from which moment. Default: the latest.")
@_JSON
def forecast_(
    spec: str, changes: tuple[str, ...], file: str | None, items: tuple[str, ...], origin: str | None, as_json: bool
) -> None:
    """Forecast without storing anything; with changes, beside the forecast as things stand.

    SPEC is a YAML file or the name of a declared forecast. --set changes a known covariate over the whole horizon: +5,
    -5, *0.9, /2, a value, or =-5 for a value below zero.
    """
    from mlops_assets.analysis import what_if
    from mlops_assets.commands.rendering import forecast

    _answer(spec, what_if.what_if, forecast.tables, as_json, changes, file, items, origin)


@main.command("tune")
@_SPEC
@click.option("--minutes", type=click.FloatRange(min=0), required=True, help="Time to spend.")
@click.option("--trials", type=click.IntRange(min=1), help="Most settings to try, the present ones included.")
@click.option("--write", is_flag=True, help="Put what was found into the spec's file.")
@_JSON
def tune_(spec: str, minutes: float, trials: int | None, write: bool, as_json: bool) -> None:
    """Search for better settings of the model on the backtest, and print them as a change of the spec.

    SPEC is a YAML file or the name of a declared forecast. Every trial is a run in MLflow, nested in the study's.
    """
    from mlops_assets.analysis import tune
    from mlops_assets.commands.rendering import tuning

    def ask(found: ForecastSpec, settings: Settings) -> Any:
        def listen(trial: tune.TuningTrial) -> None:
            click.echo(tuning.line(trial, found.gate.metric), err=as_json)

        return tune.tune(found, settings, minutes, trials, write, listen)

    _answer(spec, ask, tuning.tables, as_json)


def _answer(
    text: str, ask: Callable[..., Any], tables: Callable[[Any], Iterator[Any]], as_json: bool, *arguments: Any
) -> None:
    """Ask something of a forecast, named or in a file, and print the answer."""
    from mlops_assets.analysis.opened import QuestionError

    with usage_errors():
        settings = Settings.read()
        spec = load_spec(Path(text)) if text.endswith((".yaml", ".yml")) else find_spec(settings, text)
    try:
        with _remarks():
            result = ask(spec, settings, *arguments)
    except QuestionError as error:
        fail(str(error), USAGE)
    except Exception as error:
        fail(f"{spec.file}: {error}")
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2))
        return
    for part in tables(result):
        _show(part)


@contextmanager
def _remarks() -> Iterator[None]:
    """Say what the model finds unusual in words for people, on standard error."""
    import warnings

    from mlops_assets.forecasting.model.guards import UnusualInput

    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Any, category: Any, *place: Any) -> None:
            if issubclass(category, UnusualInput):
                click.echo(f"! {message}", err=True)
            else:
                usual(message, category, *place)

        warnings.showwarning = show
        yield


@main.command("status")
@click.argument("name", required=False)
@_JSON
def status_(name: str | None, as_json: bool) -> None:
    """Show how the forecast NAME, or every forecast, is: what is stored, who is champion, how good, what is wrong.

    Looks only, and changes nothing.
    """
    with usage_errors():
        settings = Settings.read()
        specs = [find_spec(settings, name)] if name else load_specs(settings.forecasts)
    from mlops_assets.analysis import status
    from mlops_assets.commands.rendering import status as rendering

    try:
        found = status.status(specs, settings)
    except Exception as error:
        fail(str(error) or type(error).__name__)
    if as_json:
        shown = [status.to_json(one) for one in found]
        click.echo(json.dumps(shown[0] if name else shown, indent=2))
    elif name:
        for part in rendering.parts(found[0]):
            _show(part)
    else:
        _show(rendering.table(found))


@main.command("report")
@click.argument("name")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it. Default: NAME.html in this folder.",
)
def report_(name: str, output: Path | None) -> None:
    """Write the report of the forecast NAME as one HTML page that needs nothing else.

    The same page is made in each round, by the asset report, and kept with the champion's run in MLflow.
    """
    with usage_errors():
        settings = Settings.read()
        spec = find_spec(settings, name)
    from mlops_assets.analysis import status

    file = output or Path(f"{name}.html")
    try:
        file.write_text(status.page_of(spec, settings), encoding="utf-8")
    except Exception as error:
        fail(str(error) or type(error).__name__)
    click.echo(f"{name}: {_short_path(str(file))} ({file.stat().st_size / 1e6:.1f} MB)")


@main.command("replay-policy")
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Try retraining.threshold=0.2, say.")
@click.option("--what-if", is_flag=True, help="Really train, judge and forecast on the stored observations.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the latest N partitions.")
@click.option("--every", type=click.IntRange(1), metavar="N", help="Of the policy always. Default: each horizon.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a PNG.")
@_JSON
def replay_policy(
    name: str,
    changes: tuple[str, ...],
    what_if: bool,
    last: int | None,
    every: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Show when the retraining policy of the forecast NAME would have retrained, against never and always.

    Runs over the stored accuracy; with --what-if over the stored observations, with a model for every retraining.
    """
    with usage_errors():
        settings = Settings.read()
        spec = find_spec(settings, name)
    from mlops_assets.analysis.replay import ReplayError, replay
    from mlops_assets.commands.rendering.replay import table
    from mlops_assets.environments import open_stores

    try:
        with open_stores(settings) as stores:
            made = replay(spec, stores, changes, what_if, last, every)
        if picture is not None:
            picture.write_bytes(made.picture())
    except ReplayError as error:
        fail(str(error), USAGE)
    except Exception as error:
        fail(str(error) or type(error).__name__)
    if as_json:
        click.echo(json.dumps(made.to_json(), indent=2))
    else:
        _show(table(made))


@main.command()
def check() -> None:
    """Check environment, settings, specs and connections."""
    from mlops_assets.analysis.check import checks

    good = True
    for name, words, passed in checks():
        good &= passed
        click.echo(f"{click.style('✓', fg='green') if passed else click.style('✗', fg='red')} {name}: {words}")
    sys.exit(OK if good else FAILED)


@main.command("certify")
@click.option("--on", metavar="PLACES", help="files, sql, object_storage, memory, or URLs; comma-separated.")
@click.option("--forecast", "name", metavar="NAME", help="Which forecast to run. Default: the first declared.")
def certify_(on: str | None, name: str | None) -> None:
    """Prove that every place keeps the same tables and models.

    Runs a small round of a forecast on each place, under names of its own that are removed afterwards, and compares
    all that is read back with the first place's. Default: files, sql and memory, and object storage if it is set.
    """
    with usage_errors():
        settings = Settings.read()
        spec = find_spec(settings, name) if name else load_specs(settings.forecasts)[0]
    from mlops_assets.errors import UsageError
    from mlops_assets.rounds.certification import certify, report

    words = [word.strip() for word in on.split(",") if word.strip()] if on else None
    try:
        with progress() as listen:
            findings = certify(spec, settings, words, listen)
    except UsageError as error:
        fail(str(error), USAGE)
    except Exception as error:
        fail(str(error) or type(error).__name__)
    _show(report(spec, findings))
    sys.exit(FAILED if any(finding.difference for finding in findings) else OK)


@contextmanager
def progress() -> Iterator[Callable[["Step"], None]]:
    """Show the steps of a run: a moving line on a terminal, plain lines elsewhere."""
    console = _console()
    if not console.is_terminal:
        yield lambda step: click.echo(_line(step)) if step.state != "started" else None
        return
    with console.status("starting") as status:

        def listen(step: "Step") -> None:
            if step.state == "started":
                status.update(f"{step.asset} …")
            else:
                console.print(_line(step), highlight=False)

        yield listen


def _line(step: "Step") -> str:
    sign = {"done": "✓", "failed": "✗"}.get(step.state, "!")
    seconds = f" {step.seconds:6.1f} s" if step.seconds is not None else ""
    return f"{sign} {step.asset:<20}{seconds}{'  ' + step.words if step.words else ''}"


def _show(part: Any) -> None:
    _console().print(part, soft_wrap=isinstance(part, str), highlight=False)


def _console() -> Any:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 110)
    return console


def _short_path(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
