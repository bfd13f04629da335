"""What is declared and can be used: the specs of a folder whose graphs can be made."""

from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.partitions import first_key, longest_round, periods
from mlops_assets.resources.secrets import scrub
from mlops_assets.settings import Settings
from mlops_assets.spec import BrokenSpec, Declared, ForecastSpec, SpecError, load_specs
from mlops_assets.spec.folder import files_of


def usable(settings: Settings) -> Declared:
    """Return what is declared: as good only those specs whose graphs can be made too.

    Dagster is not asked; `mlops-assets check` does that, and so does whoever loads the definitions.

    Raises:
        SpecError: nothing is declared.
    """
    found = load_specs(settings.forecasts)
    good, broken = [], list(found.broken)
    for spec in found.specs:
        try:
            _prove(spec)
            good.append(spec)
        except SpecError as error:
            broken.append(BrokenSpec(spec.name, spec.file, error))
    return Declared(good, sorted(broken, key=lambda one: one.name))


def declared(settings: Settings) -> Declared:
    """Return what `usable` does; nothing where the last spec has left its folder."""
    left = settings.forecasts.is_dir() and not files_of(settings.forecasts)
    return Declared([], []) if left else usable(settings)


def in_force(spec: ForecastSpec, settings: Settings) -> ForecastSpec:
    """Return a spec with what the environment says of approval, and of automation, where off wins over on."""
    said = {spec.automation, settings.automation} - {None}
    told = {"approval": settings.approval or spec.approval, "automation": all(said) if said else None}
    return spec.model_copy(update=told)


def refused(spec: ForecastSpec, error: Exception) -> SpecError:
    """Return the error that says that the assets of a forecast cannot be made."""
    reason = scrub(" ".join(str(error).split()))
    return SpecError(
        f"{spec.file}: the assets of {spec.name} cannot be made ({reason}); look at frequency, partitions, "
        "horizon, season_lengths and schedule"
    )


def _prove(spec: ForecastSpec) -> None:
    """Raise SpecError if what assets are made of cannot be reckoned."""
    try:
        first_key(spec)
        periods(spec, spec.horizon)
        reach_of(spec)
        longest_round(spec)
    except Exception as error:
        raise refused(spec, error) from error
