"""The code location: every declared forecast's assets, jobs, schedules and sensors over one environment."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from multiprocessing import parent_process
from typing import Any

import dagster as dg

from mlops_assets.assets import all_checks, build_assets, build_placeholder
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.catalog.declared import in_force, refused, usable
from mlops_assets.environments import stores_of
from mlops_assets.io_managers.claims import Claiming
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.scale.engine import Engine
from mlops_assets.settings import Settings
from mlops_assets.sources.asset_rows import reach
from mlops_assets.spec import BrokenSpec, Declared, ForecastSpec, SpecError

_LOG = logging.getLogger("dagster.mlops_assets")
"""Dagster's tools show what is logged below theirs."""

# Single-run backfills and offset partition mappings are marked beta by Dagster; whoever runs a forecast need not know.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


@dataclass(frozen=True)
class Environment:
    """What forecasts run in: stores and the like by name (`environments.Stores`), and how steps run."""

    resources: dict[str, Any]
    executor: dg.ExecutorDefinition

    @cached_property
    def faced(self) -> dict[str, Any]:
        """The resources as Dagster takes them, the same objects each time."""
        return faced(self.resources)


def build_environment(settings: Settings) -> Environment:
    """Return the environment that the settings name."""
    stores = stores_of(settings)
    reach(lambda: stores.tables)
    return Environment({one.name: getattr(stores, one.name) for one in fields(stores)}, executor_of(settings))


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """Return how steps run: in the run's process, which a small round is done in before others have started, or not."""
    if settings.executor == "in_process":
        return dg.in_process_executor
    started = {"forkserver": {"preload_modules": ["mlops_assets.definitions", "mlops_assets.automation.whole"]}}
    return dg.multiprocess_executor.configured({"start_method": started, "max_concurrent": settings.max_concurrent})


def faced(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return resources as Dagster takes them: stores begin with a run, and what it has opened is closed after it."""
    return {name: _face(one) for name, one in resources.items()}


def _face(resource: Any) -> Any:
    if isinstance(resource, Engine):
        return dg.ResourceDefinition(lambda _: _closing(resource), description=Engine.__doc__)
    return io_manager(resource) if isinstance(resource, Claiming) else resource


def _closing(engine: Engine) -> Iterator[Engine]:
    own = engine.model_copy()
    try:
        yield own
    finally:
        own.close()


def build(settings: Settings) -> dg.Definitions:
    """Return the definitions of all forecasts for the environment that the settings name.

    One whose spec cannot be used is there with an asset `<name>/spec` that fails, and the sensor `alerts` tells people.
    A warning is logged, too: whoever checks definitions (`dg check defs`) sees no asset.

    Raises:
        SpecError: nothing is declared.
    """
    made, declared = _load(settings)
    for broken in declared.broken:
        _LOG.warning(f"the forecast {broken.name} cannot be used, the others can: {broken.message}")
    return made


def loadable(settings: Settings) -> Declared:
    """Return what is declared: as good only those specs that Dagster can load too.

    Raises:
        SpecError: nothing is declared.
    """
    return _load(settings)[1]


def assemble(specs: Iterable[ForecastSpec], environment: Environment, automated: bool = True) -> dg.Definitions:
    """Return the definitions of some forecasts over an environment.

    Args:
        specs: of the forecasts.
        environment: that they run in.
        automated: with schedules and sensors, which whoever executes jobs himself does not need.

    Raises:
        SpecError: the assets of one cannot be made.
    """
    specs = list(specs)
    try:
        return _loaded(specs, [], environment, automated)
    except Exception:
        for spec in specs:
            _prove(spec, environment)
        raise


def _load(settings: Settings) -> tuple[dg.Definitions, Declared]:
    """Return the definitions, and what is declared; which spec cannot be used is looked for only where one cannot."""
    declared, environment = usable(settings), build_environment(settings)
    specs = [in_force(spec, settings) for spec in declared.specs]
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
    specs = [in_force(spec, settings) for spec in good]
    return _loaded(specs, broken, environment), Declared(good, broken)


def _loaded(
    specs: Iterable[ForecastSpec], broken: Iterable[BrokenSpec], environment: Environment, automated: bool = True
) -> dg.Definitions:
    """Return the definitions of forecasts and of what stands for broken ones, loaded as Dagster does it, once."""
    specs, broken = list(specs), list(broken)
    own = dg.Definitions(resources=environment.faced, executor=environment.executor)
    assets = [assets_of(spec, environment) for spec in specs]
    if automated:
        automation = automation_of(specs, broken)
    else:
        automation = dg.Definitions(jobs=[job for spec in specs for job in build_jobs(spec)])
    made = dg.Definitions.merge(own, automation, *assets, *map(_placeholder, broken))
    made.get_repository_def()
    return made


def _prove(spec: ForecastSpec, environment: Environment) -> None:
    """Raise SpecError if Dagster cannot load a forecast."""
    try:
        _loaded([spec], [], environment)
    except Exception as error:
        raise refused(spec, error) from error


def assets_of(spec: ForecastSpec, environment: Environment) -> dg.Definitions:
    """Return the assets of a forecast and their checks, over an environment."""
    return dg.Definitions(
        assets=build_assets(spec),
        asset_checks=all_checks(spec),
        resources=environment.faced,
        executor=environment.executor,
    )


def automation_of(specs: Sequence[ForecastSpec], broken: Sequence[BrokenSpec] = ()) -> dg.Definitions:
    """Return jobs, schedules and sensors of forecasts, those among them that serve all.

    They belong together: Dagster takes a sensor's job for another one of the same name where its definitions lack it.
    """
    from mlops_assets.automation.whole import build_automation  # which who runs jobs himself does not need

    return build_automation(specs, broken)


def _placeholder(broken: BrokenSpec) -> dg.Definitions:
    """Return what stands for a forecast that cannot be used."""
    return dg.Definitions(assets=[build_placeholder(broken)])


@dg.definitions
def definitions() -> dg.Definitions:
    """What Dagster loads."""
    if (server := parent_process()) is not None:  # this is the process of a run, or of one of its steps
        from mlops_assets.resources.run_launcher import end_with

        end_with(server)
    return build(Settings.read())
