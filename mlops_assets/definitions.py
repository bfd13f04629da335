"""The code location: every declared forecast's assets, jobs, schedules and sensors over one environment."""

import warnings
from collections.abc import Iterable

import dagster as dg

from mlops_assets.assets import build_assets, build_placeholder
from mlops_assets.automation import (
    build_arrivals_sensor,
    build_automation,
    build_broken_sensor,
    build_polling_sensor,
)
from mlops_assets.environments import Environment, build_environment
from mlops_assets.resources.secrets import scrub
from mlops_assets.settings import Settings
from mlops_assets.spec import BrokenSpec, Declared, ForecastSpec, SpecError, load_specs

# Single-run backfills and offset partition mappings are marked beta by Dagster; whoever runs a forecast need not know.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


def build(settings: Settings) -> dg.Definitions:
    """Return the definitions of all forecasts for the environment that the settings name.

    One whose spec cannot be used is there with an asset `<name>/spec` that fails, and a sensor that tells people.

    Raises:
        SpecError: nothing is declared.
    """
    return _load(settings)[0]


def usable(settings: Settings) -> Declared:
    """Return what is declared: as good only those specs whose assets can be made too.

    Raises:
        SpecError: nothing is declared.
    """
    return _load(settings)[1]


def declared(settings: Settings) -> Declared:
    """Return what `usable` does; nothing where the last spec has left its folder."""
    left = settings.forecasts.is_dir() and not any(settings.forecasts.glob("*.y*ml"))
    return Declared([], []) if left else usable(settings)


def assemble(specs: Iterable[ForecastSpec], environment: Environment) -> dg.Definitions:
    """Return the definitions of some forecasts over an environment.

    Raises:
        SpecError: the assets of one cannot be made.
    """
    specs = list(specs)
    try:
        return _loaded(specs, [], environment)
    except Exception:
        for spec in specs:
            _prove(spec, environment)
        raise


def _load(settings: Settings) -> tuple[dg.Definitions, Declared]:
    """Return the definitions, and what is declared; which spec cannot be used is looked for only where one cannot."""
    declared, environment = load_specs(settings.forecasts), build_environment(settings)
    specs = [spec.approved_by(settings.approval) for spec in declared.specs]
    try:
        return _loaded(specs, declared.broken, environment), declared
    except Exception:
        good, broken = [], list(declared.broken)
    for spec in declared.specs:
        try:
            _prove(spec, environment)
            good.append(spec)
        except SpecError as error:
            broken.append(BrokenSpec(spec.name, spec.file, error))
    broken.sort(key=lambda spec: spec.name)
    specs = [spec.approved_by(settings.approval) for spec in good]
    return _loaded(specs, broken, environment), Declared(good, broken)


def _loaded(specs: Iterable[ForecastSpec], broken: Iterable[BrokenSpec], environment: Environment) -> dg.Definitions:
    """Return the definitions of forecasts and of what stands for broken ones, loaded as Dagster does it, once."""
    specs = list(specs)
    parts = [_part(spec) for spec in specs]
    jobs = [job for part in parts for job in part.jobs or ()]  # Dagster takes two that are alike for two of one name
    own = dg.Definitions(
        resources=environment.resources,
        executor=environment.executor,
        sensors=[*build_arrivals_sensor(specs, jobs), *build_polling_sensor(specs, jobs)],
    )
    made = dg.Definitions.merge(own, *parts, *map(_placeholder, broken))
    made.get_repository_def()
    return made


def _prove(spec: ForecastSpec, environment: Environment) -> None:
    """Raise SpecError if Dagster cannot load a forecast."""
    try:
        _loaded([spec], [], environment)
    except Exception as error:
        reason = scrub(" ".join(str(error).split()))
        raise SpecError(
            f"{spec.file}: the assets of {spec.name} cannot be made ({reason}); look at frequency, partitions, "
            "horizon, season_lengths and schedule"
        ) from error


def _part(spec: ForecastSpec) -> dg.Definitions:
    """Return what one forecast brings."""
    return dg.Definitions.merge(dg.Definitions(assets=build_assets(spec)), build_automation(spec))


def _placeholder(broken: BrokenSpec) -> dg.Definitions:
    """Return what stands for a forecast that cannot be used."""
    return dg.Definitions(assets=[build_placeholder(broken)], sensors=[build_broken_sensor(broken)])


@dg.definitions
def definitions() -> dg.Definitions:
    """What Dagster loads."""
    return build(Settings.read())
