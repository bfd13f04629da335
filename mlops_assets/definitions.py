"""The code location: every declared forecast's assets, jobs, schedules and sensors over one environment."""

import warnings
from collections.abc import Iterable

import dagster as dg

from mlops_assets.assets import build_assets, build_placeholder
from mlops_assets.automation import build_automation, build_broken_sensor
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
    environment = build_environment(settings)
    parts, declared = _make(load_specs(settings.forecasts), settings, environment)
    return _merge(environment, [*parts, *map(_placeholder, declared.broken)])


def usable(settings: Settings) -> Declared:
    """Return what is declared: as good only those specs whose assets can be made too.

    Raises:
        SpecError: nothing is declared.
    """
    return _make(load_specs(settings.forecasts), settings, build_environment(settings))[1]


def assemble(specs: Iterable[ForecastSpec], environment: Environment) -> dg.Definitions:
    """Return the definitions of some forecasts over an environment.

    Raises:
        SpecError: the assets of one cannot be made.
    """
    return _merge(environment, [_part(spec, environment) for spec in specs])


def _make(declared: Declared, settings: Settings, environment: Environment) -> tuple[list[dg.Definitions], Declared]:
    parts, good, broken = [], [], list(declared.broken)
    for spec in declared.specs:
        try:
            parts.append(_part(spec.approved_by(settings.approval), environment))
            good.append(spec)
        except SpecError as error:
            broken.append(BrokenSpec(spec.name, spec.file, error))
    return parts, Declared(good, sorted(broken, key=lambda spec: spec.name))


def _part(spec: ForecastSpec, environment: Environment) -> dg.Definitions:
    """Return what one forecast brings; SpecError if Dagster cannot load it."""
    try:
        made = dg.Definitions.merge(dg.Definitions(assets=build_assets(spec)), build_automation(spec))
        _merge(environment, [made]).get_repository_def()
    except Exception as error:
        reason = scrub(" ".join(str(error).split()))
        raise SpecError(
            f"{spec.file}: the assets of {spec.name} cannot be made ({reason}); look at frequency, partitions, "
            "horizon, season_lengths and schedule"
        ) from error
    return made


def _placeholder(broken: BrokenSpec) -> dg.Definitions:
    """Return what stands for a forecast that cannot be used."""
    return dg.Definitions(assets=[build_placeholder(broken)], sensors=[build_broken_sensor(broken)])


def _merge(environment: Environment, parts: Iterable[dg.Definitions]) -> dg.Definitions:
    own = dg.Definitions(resources=environment.resources, executor=environment.executor)
    return dg.Definitions.merge(own, *parts)


@dg.definitions
def definitions() -> dg.Definitions:
    """What Dagster loads."""
    return build(Settings.read())
