"""Names that release 0.1.0 had: jobs, schedules and sensors of their own for each forecast."""

from mlops_assets.spec import BrokenSpec, ForecastSpec


def has_aliases(spec: ForecastSpec) -> bool:
    """Whether a forecast has the old names of release 0.1.0: until its spec or the environment says what runs."""
    return spec.automation is None


def alias(spec: ForecastSpec | BrokenSpec, sensor: str) -> str:
    """Return the name of a sensor that in release 0.1.0 was a forecast's own."""
    return f"{spec.name}_{sensor}"
