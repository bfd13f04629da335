"""What all commands share: how forecasts are named, how answers are printed, and how a command ends."""

import importlib
import json
import logging
import os
import sys
import tempfile
import traceback
import warnings
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_assets.errors import ExitCode, MlopsAssetsError, UsageError
from mlops_assets.settings import Settings, logs_json

if TYPE_CHECKING:
    from mlops_assets.rounds.runner import Step
    from mlops_assets.spec import BrokenSpec

_LOG = logging.getLogger("mlops_assets.commands")
JSON_FLAG = "--json"
_AS_JSON, _ANSWER = "mlops_assets.as_json", "mlops_assets.answer"
"""What all contexts of a command share: whether it was asked for JSON, and what it has answered."""

as_json_option = click.option(
    JSON_FLAG, "as_json", is_flag=True, help="Print the answer as one line of JSON, the only one on standard output."
)
as_of_option = click.option(
    "--as-of", metavar="MOMENT", help="On what was stored at this moment (in UTC without an offset), not the source."
)
spec_argument = click.argument("spec", metavar="SPEC")
name_argument = click.argument("name")


class OnDemand(UserDict[str, click.Command]):
    """Commands by name, each imported when it is asked for: no command waits for what another one needs.

    Args:
        places: of the commands below `mlops_assets.commands`, as `module:attribute`.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        super().__init__()
        self._places = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.data:
            module, _, attribute = self._places[name].partition(":")
            self.data[name] = getattr(importlib.import_module(f"mlops_assets.commands.{module}"), attribute)
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Commands(click.Group):
    """The group of all commands, and the only place where an error becomes an exit code.

    An expected error (`MlopsAssetsError`) is one message with its advice, and its own exit code. Anything else is a
    bug: exit code 1, a line that says so, and the trace in a log file, or on the terminal with `--debug`.

    Under `--json` standard output is one line: the answer (`show_json`), and the error if there was one. All else that
    is printed, by whomever, goes to standard error.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether JSON is asked for: also a command that cannot be understood answers so."""
        ctx.meta[_AS_JSON] = JSON_FLAG in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        if logs_json():
            from mlops_assets.resources import logs

            logs.begin()
        with _only_the_answer(ctx):
            try:
                return super().invoke(ctx)
            except (click.exceptions.Exit, click.Abort):
                raise
            except click.ClickException as error:
                _note_error(ctx, error.format_message(), (), error.exit_code)
                if logs_json():
                    _tell_error(error.format_message(), (), error.exit_code)
                    sys.exit(error.exit_code)
                raise
            except Exception as error:
                if isinstance(error, BrokenPipeError) and _nobody_reads():
                    raise  # click ends in silence, as every tool before a `head` does
                expected = _expected(error) or _refusal(error)
                if expected is None:
                    said = _tell_bug(ctx.invoked_subcommand or "", error, ctx.params["debug"])
                    _note_error(ctx, said, (), ExitCode.FAILED)
                    sys.exit(ExitCode.FAILED)
                _tell_error(expected.message, expected.advice, expected.exit_code)
                _note_error(ctx, expected.message, expected.advice, expected.exit_code)
                sys.exit(expected.exit_code)


@contextmanager
def _only_the_answer(ctx: click.Context) -> Iterator[None]:
    """Under `--json`, keep standard output for the one line that is printed in the end."""
    if not ctx.meta[_AS_JSON]:
        yield
        return
    stdout = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if _ANSWER in ctx.meta:
            from mlops_assets.forecasting.formatting import finite

            click.echo(json.dumps(finite(ctx.meta[_ANSWER])), file=stdout)


def _note_error(ctx: click.Context, message: str, advice: Sequence[str], code: int) -> None:
    """Put an error into the answer, beside what a command has answered before it."""
    answer = ctx.meta.get(_ANSWER)
    known = answer if isinstance(answer, dict) else {}
    said = [*advice, *known.get("advice", ())]
    ctx.meta[_ANSWER] = {**known, "error": message, "advice": said, "exit_code": int(code)}


def _tell_error(message: str, advice: Sequence[str], code: int) -> None:
    """Say on standard error why a command has failed, and what to do."""
    if logs_json():
        from mlops_assets.resources.logs import FACTS

        _LOG.error(message, extra={FACTS: {"advice": list(advice), "exit_code": int(code)}})
        return
    click.echo(f"mlops-assets: {message}", err=True)
    for command in advice:
        click.echo(f"  try: {command}", err=True)


def _expected(error: BaseException | None) -> MlopsAssetsError | None:
    """Return the expected error that was raised, also where Dagster has wrapped it."""
    while error is not None and not isinstance(error, MlopsAssetsError):
        error = error.__cause__ if type(error).__module__.startswith("dagster.") else None
    return error


def _refusal(error: Exception) -> MlopsAssetsError | None:
    """Return the expected error that stands for what the machine refuses; see `refusals`."""
    from mlops_assets.resources.refusals import refusal

    return refusal(str(error))


def _nobody_reads() -> bool:
    """Whether standard output is a pipe that its reader has left: a further line finds out."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return True
    return False


def _tell_bug(command: str, error: Exception, debug: bool) -> str:
    """Print that something is a bug, and where its trace is; return the line."""
    from mlops_assets.resources.secrets import scrub

    try:
        settings = Settings.read()
    except Exception:  # what keeps the settings from being read may be the bug itself
        settings = None
    trace = scrub("".join(traceback.format_exception(error)))
    what = scrub(f"{type(error).__name__}: {error}".splitlines()[0])
    if logs_json():
        said = f"a bug in {command}: {what}"
        _LOG.error(said, exc_info=error)
        return said
    if debug or (settings and settings.debug):
        click.echo(trace, err=True)
        where = "the trace is above"
    else:
        where = f"the trace is in {short_path(_write_trace(settings, command, trace))}; --debug shows it here"
    said = f"a bug in {command}: {what} ({where})"
    _tell_error(said, (), ExitCode.FAILED)
    return said


def _write_trace(settings: Settings | None, command: str, trace: str) -> Path:
    """Write a trace into a new file below the data folder, or of the system's temporary folder if that cannot be."""
    name = f"{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%S}-{command}-{os.getpid()}.log"
    try:
        if settings is None:
            raise OSError
        folder = settings.data_folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(trace, encoding="utf-8")
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="mlops-assets-"))
        (folder / name).write_text(trace, encoding="utf-8")
    return folder / name


@contextmanager
def about(what: str) -> Iterator[None]:
    """Name what a failure is about, such as a spec's file; wrong usage names itself."""
    try:
        yield
    except UsageError:
        raise
    except MlopsAssetsError as error:
        raise error.about(what) from error


@contextmanager
def remarks() -> Iterator[None]:
    """Say what a model finds unusual in words for people, on standard error."""
    from mlops_assets.forecasting.model.guards import UnusualInput

    if logs_json():
        yield  # warnings are logged
        return
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show_warning(message: Any, category: Any, *place: Any) -> None:
            if issubclass(category, UnusualInput):
                click.echo(f"! {message}", err=True)
            else:
                usual(message, category, *place)

        warnings.showwarning = show_warning
        yield


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn what keeps a file from being written into a UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None


def require_folder(file: Path) -> None:
    """Refuse a file whose folder is not there, or takes no files, before its making takes minutes.

    Raises:
        UsageError: so it is.
    """
    folder = file.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{file} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{file} cannot be written: nothing may be written into {folder}")


def show_json(value: Any) -> None:
    """Answer with JSON values: they are printed when the command ends."""
    click.get_current_context().meta[_ANSWER] = value


def show(parts: Iterable[Any]) -> None:
    """Print texts and tables of rich, one below the other."""
    for part in parts:
        console().print(part, soft_wrap=isinstance(part, str), highlight=False)


def console() -> Any:
    """Return rich's console; wide enough for tables where the output is no terminal."""
    from rich.console import Console

    made = Console(emoji=False)  # names of items may look like one
    if not made.is_terminal:
        made.width = max(made.width, 110)
    return made


def progress(beginning: str = "") -> AbstractContextManager[Callable[["Step"], None]]:
    """Show the steps of a run; see `rendering.progress`.

    Args:
        beginning: what is said until the first step begins; nothing where a command may find nothing to do.
    """
    from mlops_assets.commands.rendering.progress import shown

    return shown(console(), beginning)


def tell_broken(broken: "Iterable[BrokenSpec]", err: bool = False) -> None:
    """Say which forecasts cannot be used, and why."""
    from mlops_assets.resources.secrets import scrub

    for spec in broken:
        said = f"{spec.name}: {scrub(spec.message)}"
        if err and logs_json():
            _LOG.error(said)
        else:
            click.secho(f"✗ {said}", fg="red", err=err)


def short_path(path: str | Path) -> str:
    """Return a path relative to the working directory where it lies below."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
