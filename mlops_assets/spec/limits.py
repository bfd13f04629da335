"""What an error costs, and between which limits forecasts lie: numbers, or static covariates that have them by item."""

from collections.abc import Iterable
from math import ceil, floor
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from mlops_assets.spec.parts import MisfitError, Name, Part

if TYPE_CHECKING:
    from mlops_assets.spec.forecast import ForecastSpec


class Costs(Part):
    """What one unit of an error costs."""

    under: float | Name = Field(
        description="Of a unit that the forecast is too low: a number, or the name of a static covariate."
    )
    over: float | Name = Field(description="Of a unit that it is too high.")

    @field_validator("under", "over")
    @classmethod
    def _costly(cls, value: float | str) -> float | str:
        if isinstance(value, float) and value <= 0:
            raise ValueError("a cost is above zero")
        return value


def check_limits(spec: "ForecastSpec") -> None:
    """Raise MisfitError if a name is no static covariate, or the limits leave no room."""
    minimum, maximum, static = spec.minimum, spec.maximum, spec.covariates.static
    named = {"minimum": minimum, "maximum": maximum}
    if spec.costs is not None:
        named |= {"costs.under": spec.costs.under, "costs.over": spec.costs.over}
    for field, value in named.items():
        if isinstance(value, str) and value not in static:
            raise MisfitError(field, f"{value!r} is no static covariate; there are: {', '.join(static) or 'none'}")
    if not isinstance(maximum, float):
        return
    if spec.non_negative and maximum < 0:
        raise MisfitError("maximum", "non_negative: true says that nothing lies below zero")
    if not isinstance(minimum, float):
        return
    if minimum > maximum:
        raise MisfitError("maximum", f"below the minimum of {minimum:g}")
    if spec.whole and ceil(minimum) > floor(maximum):
        raise MisfitError("maximum", f"whole: true, and no whole number lies between it and the minimum of {minimum:g}")


def require_no_costs(choices: Iterable[tuple[str, str]]) -> None:
    """Raise MisfitError if one of the choices (field, what was chosen) goes by costs: there are none."""
    for field, chosen in choices:
        if chosen in ("cost", "costs"):
            raise MisfitError(field, f"{chosen} needs costs: {{under: 3, over: 1}}, say")
