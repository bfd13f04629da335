"""Which forecast is meant, and where things are kept: what all public functions begin with."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dagster as dg

    from mlops_assets.settings import Settings
    from mlops_assets.spec import ForecastSpec

    Forecast = ForecastSpec | str | PathLike[str]


def load_spec(forecast: Forecast, settings: Settings | None = None) -> ForecastSpec:
    """Return the spec of a forecast.

    Args:
        forecast: the name of a declared forecast, or the path of a YAML file (`.yaml`, `.yml`); a spec is returned.
        settings: which folder forecasts are declared in. Default: the environment's.

    Raises:
        UnknownNameError: no forecast of that name is declared.
        SpecError: the file cannot be read or breaks the rules; the message has one line for each wrong field.
    """
    from mlops_assets.spec import ForecastSpec, find_or_load_spec
    from mlops_assets.spec import load_spec as load_file

    if isinstance(forecast, ForecastSpec):
        return forecast
    if isinstance(forecast, PathLike):
        return load_file(Path(forecast))
    return find_or_load_spec(or_default(settings).forecasts, forecast)


def partitions_of(forecast: Forecast, settings: Settings | None = None) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a forecast's assets, for assets of your own before or after them.

    Args:
        forecast: which.
        settings: which folder forecasts are declared in. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
    """
    from mlops_assets.catalog.asset_graph import AssetGraph

    return AssetGraph(load_spec(forecast, settings)).partitions_def


def build_definitions(
    *forecasts: Forecast, settings: Settings | None = None, extra: dg.Definitions | Iterable[Any] = ()
) -> dg.Definitions:
    """Return Dagster definitions: assets, jobs, schedules, sensors and resources.

    Args:
        forecasts: which. None given: all that the settings declare.
        settings: the environment that they run in. Default: the environment's.
        extra: definitions of your own beside them: assets, asset checks, jobs, schedules and sensors in any order, or
            a `Definitions`. Assets with `io_manager_key="tables"` are kept where ours are.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        DagsterInvalidDefinitionError: two things have one name.
    """
    import dagster as dg

    from mlops_assets.catalog.declared import in_force
    from mlops_assets.definitions import assemble, build, build_environment

    settings = or_default(settings)
    specs = [in_force(load_spec(forecast, settings), settings) for forecast in forecasts]
    made = assemble(specs, build_environment(settings)) if specs else build(settings)
    own = extra if isinstance(extra, dg.Definitions) else _definitions_of(extra)
    return dg.Definitions.merge(made, own)


def _definitions_of(extra: Iterable[Any]) -> dg.Definitions:
    """Return definitions of assets, jobs, schedules and sensors, whichever is which."""
    import dagster as dg

    kinds = {
        "asset_checks": dg.AssetChecksDefinition,
        "assets": (dg.AssetsDefinition, dg.SourceAsset, dg.AssetSpec),
        "schedules": dg.ScheduleDefinition,
        "sensors": dg.SensorDefinition,
    }
    found: dict[str, Any] = {}
    for one in extra:
        kind = next((name for name, types in kinds.items() if isinstance(one, types)), "jobs")
        found.setdefault(kind, []).append(one)
    return dg.Definitions(**found)


def or_default(settings: Settings | None) -> Settings:
    """Return settings, or those of the environment."""
    from mlops_assets.settings import Settings

    return Settings.read() if settings is None else settings
