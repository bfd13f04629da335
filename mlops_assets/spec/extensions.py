"""What others bring to a forecast: how a spec names it, and the fields that hold nothing else (docs/extending.md)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.evaluation import metrics
from mlops_assets.forecasting.model import extensions
from mlops_assets.spec.parts import MisfitError, Name, Part, as_list, choice

PATH = r"^(?!sklearn\.)[A-Za-z_]\w*([.:][A-Za-z_]\w*)+$"
"""Of `package.module:Object` and `package.module.Object`, for editors."""


def named(group: str, known: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of what is one of some names, or of somebody's own.

    The names of entry points stand in the schema that is made where their packages are installed, see `schema`.
    """
    of_others = {"type": "string", "pattern": PATH, "$comment": group}
    return {"anyOf": [{"enum": [*known]}, of_others]} if known else of_others


def resolved(group: str, name: str, known: Iterable[str] = ()) -> Any:
    """Return what a name of others stands for; ValueError where that cannot be had."""
    return asked(lambda: extensions.resolve(group, name, known))


def asked(question: Callable[[], Any]) -> Any:
    """Return the answer; what is wrong with somebody's package is wrong with the field that names it."""
    try:
        return question()
    except MlopsAssetsError as error:
        raise ValueError(error.message) from None


def _metric(value: str) -> str:
    """Return the name of a metric that models may be compared by, ours or one of others."""
    allowed = metrics.gate_metrics()
    found = metrics.loaded(value)
    if found is None:
        if not extensions.is_path(value) and value not in (own := extensions.names(extensions.METRICS)):
            raise ValueError(choice(value, [*allowed, *own]))
        found = asked(lambda: metrics.load(value))
    if not found.in_gate:
        raise ValueError(choice(value, allowed))
    return found.name


def _own_metrics(value: list[str]) -> list[str]:
    for name in value:
        if name not in metrics.METRICS:
            asked(lambda name=name: metrics.load(name))
    return value


def _several(group: str) -> WithJsonSchema:
    """Return the JSON Schema of one name, or a list of them."""
    return WithJsonSchema({"anyOf": [named(group), {"type": "array", "items": named(group)}]})


def _each(group: str) -> AfterValidator:
    def check(value: list[str]) -> list[str]:
        for name in value:
            resolved(group, name)
        return value

    return AfterValidator(check)


_AS_LIST = BeforeValidator(as_list)
MetricName = Annotated[str, AfterValidator(_metric), WithJsonSchema(named(extensions.METRICS, metrics.gate_metrics()))]
Features = Annotated[list[Name], _each(extensions.FEATURES), _AS_LIST, _several(extensions.FEATURES)]
Rules = Annotated[list[Name], _each(extensions.RULES), _AS_LIST, _several(extensions.RULES)]
Sections = Annotated[list[Name], _each(extensions.SECTIONS), _AS_LIST, _several(extensions.SECTIONS)]
Metrics = Annotated[list[Name], AfterValidator(_own_metrics), _AS_LIST, _several(extensions.METRICS)]


class ReportSettings(Part):
    """What the report tells beside what it always tells."""

    sections: Sections = Field(
        default_factory=list, description="Functions of your own, by path or entry point: a section each."
    )


class Extended(Part):
    """The fields of a forecast for what others bring, where no other part of it is in charge."""

    metrics: Metrics = Field(
        default_factory=list,
        description="Metrics of your own, by path or entry point, that forecasts are scored by beside ours.",
    )
    report: ReportSettings = Field(default_factory=ReportSettings)

    @model_validator(mode="before")
    @classmethod
    def _watched_metrics_are_measured(cls, values: Any) -> Any:
        """Add the metrics that gate or policies go by; what cannot be found is told where it stands."""
        given = as_list(values.get("metrics") or []) if isinstance(values, dict) else None
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            return values
        measured = {}
        for name in (*given, *_watched(values)):
            if isinstance(name, str) and name not in metrics.METRICS and name not in measured:
                try:
                    measured.setdefault(metrics.load(name).name, name)
                except MlopsAssetsError:
                    measured |= {name: name} if name in given else {}
        return {**values, "metrics": [*measured.values()]} if measured else values

    def require_measured(self, choices: Iterable[tuple[str, str]]) -> None:
        """Raise MisfitError if one of the choices (field, metric) is a metric that this forecast does not measure."""
        own = [metrics.load(name).name for name in self.metrics]
        for field, chosen in choices:
            if chosen not in metrics.METRICS and chosen not in own:
                raise MisfitError(field, choice(chosen, [*metrics.gate_metrics(), *own]))


def _watched(values: dict[str, Any]) -> Iterator[Any]:
    """Yield what stands for a metric in a spec that is read, whatever it is."""
    policies = values.get("policies")
    errors = [_at(_at(one, "trigger"), "error") for one in policies] if isinstance(policies, list) else []
    for part in (values.get("gate"), values.get("retraining"), *errors):
        yield _at(part, "metric")


def _at(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else getattr(part, name, None)
