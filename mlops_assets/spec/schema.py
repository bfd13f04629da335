"""The JSON Schema of the spec."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mlops_assets.spec.forecast import ForecastSpec


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the spec, for editors that complete and check YAML."""
    schema = ForecastSpec.model_json_schema(schema_generator=_Untitled)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "mlops-assets forecast",
    }


class _Untitled(GenerateJsonSchema):
    """A field's title would be its name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
