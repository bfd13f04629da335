"""The JSON Schema for editors: current, complete, and of one mind with the reader."""

import json

import pytest

from mlops_assets.spec import (
    ForecastSpec,
    json_schema,
)
from mlops_assets.spec.yaml_read import read_yaml
from mlops_assets_tests.spec.declared import EXAMPLES, MINIMAL, changed, plus, sql


def test_the_schema_in_the_repository_is_current():
    stored = (EXAMPLES / "forecast.schema.json").read_text(encoding="utf-8")
    assert stored == json.dumps(json_schema(), indent=2) + "\n", (
        "renew it: python -m mlops_assets.spec > mlops_assets/forecasts/forecast.schema.json"
    )


def test_every_field_is_in_the_schema_with_a_description():
    schema = json_schema()
    assert schema["properties"].keys() == ForecastSpec.model_fields.keys()
    assert schema["additionalProperties"] is False
    parts = [schema, *schema["$defs"].values()]
    bare = [
        name
        for part in parts
        for name, field in part["properties"].items()
        if name != "kind" and not ({"description", "$ref", "oneOf"} & field.keys())
    ]
    assert bare == []


@pytest.mark.parametrize(
    "text",
    [
        (EXAMPLES / "nyc_departures.yaml").read_text(encoding="utf-8"),
        MINIMAL,
        plus("covariates: {known: price}"),
        plus("model: {kind: hist_gradient_boosting, parameters: {max_iter: 3}}"),
        sql("url: '${DB}', table: a"),
    ],
)
def test_right_specs_obey_the_schema(text):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(json_schema()).validate(read_yaml(text).values)


@pytest.mark.parametrize(
    "text",
    [
        plus("horizn: 4"),
        plus("point: medain"),
        changed("horizon: 3", "horizon: 0"),
        changed("kind: file", "kind: csv"),
        plus("model: {parameters: {n_estimatrs: 3}}"),
        plus("model: {kind: hist_gradient_boosting, parameters: {n_estimators: 3}}"),
        plus("quantiles: [1.5]"),
    ],
)
def test_wrong_specs_break_the_schema(text):
    jsonschema = pytest.importorskip("jsonschema")
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(read_yaml(text).values)
