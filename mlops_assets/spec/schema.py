"""The JSON Schema of the spec."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mlops_assets.forecasting.model import extensions
from mlops_assets.spec.forecast import ForecastSpec


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the spec, for editors that complete and check YAML.

    What installed packages bring by entry points is in it, by name.
    """
    schema = _with_names(ForecastSpec.model_json_schema(schema_generator=_Untitled))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "mlops-assets forecast",
    }


def _with_names(schema: Any) -> Any:
    """Return a schema with the names of entry points beside the pattern of paths of their group."""
    if isinstance(schema, list):
        return [_with_names(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    names = extensions.names(schema["$comment"]) if schema.get("$comment") in extensions.KINDS else []
    if names:
        return {"anyOf": [{"enum": names}, schema]}
    return {name: _with_names(part) for name, part in schema.items()}


class _Untitled(GenerateJsonSchema):
    """A field's title would be its name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
