"""A forecast as a component of Dagster: its spec stands in a `defs.yaml`, and `dg` knows its fields."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import BaseModel, ConfigDict

from mlops_assets.api.scaffold import ForecastScaffolder
from mlops_assets.catalog.declared import in_force
from mlops_assets.definitions import assets_of, automation_of, build_environment
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, json_schema, spec_of
from mlops_assets.spec.folder import name_taken
from mlops_assets.spec.yaml_read import Document, Position

if TYPE_CHECKING:
    from dagster_shared.yaml_utils.source_position import SourcePositionTree


class Fields(BaseModel):
    """What Dagster's tools are told of a spec's fields; it is our own reader that holds values against them."""

    model_config = ConfigDict(extra="allow")

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the JSON Schema of the spec."""
        return json_schema()


@dg.scaffold_with(ForecastScaffolder)
class Forecast(dg.Component):
    """A forecast that looks after itself: from a table of time series to scored, governed forecasts.

    The attributes are the fields of a spec. Several forecasts share the resources of the environment, and the sensors
    that serve all of them.
    """

    def __init__(self, spec: ForecastSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What `dg` checks attributes with."""
        return Fields

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "Forecast":
        """Read the spec, Dagster's templates (`{{ env.NAME }}`) filled in.

        Raises:
            SpecError: it breaks the rules; the message names the file, and each wrong field with its line.
        """
        tree = context.resolution_context.source_position_tree
        if tree is None:
            raise dg.DagsterInvalidDefinitionError("a forecast is read from its defs.yaml; in Python: Forecast(spec)")
        values = context.resolution_context.resolve_value((attributes and attributes.model_extra) or {})
        fields = tree.children.get("attributes", tree)
        document = Document(values, dict(_positions(fields, values)), [])
        return cls(spec_of(document, Path(tree.position.filename)))

    @property
    def in_force(self) -> ForecastSpec:
        """The spec, with what the environment says of approval and automation."""
        return in_force(self.spec, Settings.read())

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return its assets over the environment; the first forecast brings jobs, schedules and sensors of all.

        Raises:
            SpecError: another one has its name.
        """
        assets = assets_of(self.in_force, _environment(Settings.read()))
        first, *others = context.component_tree.get_all_components(Forecast) or [self]
        same = [one.spec for one in (first, *others) if one.spec.name == self.spec.name]
        if len(same) > 1:
            raise name_taken(self.spec.name, same)
        if first is not self:
            return assets
        return dg.Definitions.merge(assets, automation_of([one.in_force for one in (first, *others)]))


_environment = cache(build_environment)
"""Dagster merges resources of one name only where they are the same objects."""


def _positions(
    tree: "SourcePositionTree", values: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Position]]:
    """Yield the position of every value, by the path from the top."""
    for key, child in tree.children.items():
        if isinstance(values, dict) and key not in values:  # what an anchor is merged by (<<)
            continue
        found = values[key]
        text = None if isinstance(found, dict | list) else "nothing" if found is None else repr(found)
        yield (*path, str(key)), Position(child.position.start.line, text)
        yield from _positions(child, found, (*path, str(key)))
