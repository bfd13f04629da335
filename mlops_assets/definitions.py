"""The code location: every declared forecast's assets, jobs, schedules and sensors over one environment."""

import warnings

import dagster as dg

from mlops_assets.assets import build_assets
from mlops_assets.automation import build_automation
from mlops_assets.environments import Environment, build_environment
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, load_specs

# Single-run backfills and offset partition mappings are marked beta by Dagster; whoever runs a forecast need not know.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


def build(settings: Settings) -> dg.Definitions:
    """Return the definitions of all forecasts for the environment that the settings name.

    Raises:
        SpecError: a spec cannot be used.
    """
    specs = [spec.approved_by(settings.approval) for spec in load_specs(settings.forecasts)]
    return assemble(specs, build_environment(settings))


def assemble(specs: list[ForecastSpec], environment: Environment) -> dg.Definitions:
    """Return the definitions of some forecasts over an environment."""
    own = dg.Definitions(
        assets=[asset for spec in specs for asset in build_assets(spec)],
        resources=environment.resources,
        executor=environment.executor,
    )
    return dg.Definitions.merge(own, *(build_automation(spec) for spec in specs))


@dg.definitions
def definitions() -> dg.Definitions:
    """What Dagster loads."""
    return build(Settings.read())
