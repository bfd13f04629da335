"""The external service of a spec: one block, of the service that is named, and no secret in the file."""

from datetime import timedelta

import pytest

from mlops_assets.spec import json_schema, parse_spec
from mlops_assets.spec.yaml_read import read_yaml
from mlops_assets_tests.spec.declared import FILE, MINIMAL, plus, problem

REST = """\
external:
  service: rest
  rest:
    headers: {Authorization: 'Bearer ${TOKEN}'}
    submit: {url: 'https://api.example.com/v1/jobs', body: {name: '{name}', data: '{rows}'}, id: job.id}
    describe: {url: 'https://api.example.com/v1/jobs/{id}', by_name: 'https://api.example.com/v1/named/{name}'}
"""
DATABRICKS = (
    "external: {service: databricks, exchange: shared, databricks: {host: 'https://a.b', token: '${T}', job_id: 1}}"
)
AMAZON = """\
external: {{service: amazon_forecast, exchange: '{place}', amazon_forecast: {{region: eu-west-1, role_arn: a}}}}
"""


def test_a_service_is_declared_and_is_no_part_of_the_model():
    spec = parse_spec(plus(REST), FILE, {"TOKEN": "canary-canary"})
    assert spec.external is not None
    assert (spec.external.role, spec.external.every, spec.external.patience) == ("shadow", "week", timedelta(hours=10))
    assert spec.fingerprint() == parse_spec(MINIMAL, FILE, {}).fingerprint()
    assert "canary-canary" not in f"{spec!r} {spec.model_dump()}"


@pytest.mark.parametrize("text", [REST, DATABRICKS])
def test_it_obeys_the_schema(text):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(json_schema()).validate(read_yaml(plus(text)).values)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("external: {service: rest}", "external.rest (line 7): say how it is reached: headers, submit, describe"),
        ("external: {service: restt}", "external.service (line 7): found 'restt'; did you mean 'rest'?"),
        (REST + "    hots: []", "external.rest.hots (line 13): unknown field; did you mean 'hosts'?"),
        (REST + "  databricks: {host: 'https://a', token: '${TOKEN}', job_id: 1}", "belongs to service: databricks"),
        (REST.replace("{rows}", "{data_url}"), "external.exchange (line 7): say where data are handed over"),
        (REST.replace("Bearer ${TOKEN}", "Bearer abc"), "no secret in the file: write ${NAME}"),
        (REST.replace("${TOKEN}", "${OTHER}"), "the environment variable OTHER is not set"),
        (REST.replace("https://api", "ftp://api", 1), "not an address such as https://api.example.com/v1/jobs/{id}"),
        (REST.replace("https://api", "https://u:p@api", 1), "no user or password in an address"),
        (
            REST + "  deadline: soon",
            "external.deadline (line 13): found 'soon'; a whole number and m, h or d",
        ),
        (REST.replace(", by_name", ", reason"), "external.rest.describe.by_name (line 12): how is a job found"),
        (DATABRICKS.replace("exchange: shared,", ""), "external.exchange (line 7): say where data are handed over"),
        (AMAZON.format(place="shared"), "external.exchange (line 7): found 'shared'; amazon_forecast reads and"),
        (AMAZON.format(place="s3://a/b") + "quantiles: [0.025, 0.5]", "has quantiles of whole percents only"),
        (DATABRICKS.replace("${T}", "dapi123"), "no secret in the file: write ${NAME} and set that variable"),
        (
            REST.replace("jobs/{id}'", "jobs/{id}', running: [Done]"),
            "external.rest.describe.succeeded (line 12): 'done' has another meaning already",
        ),
    ],
)
def test_what_is_wrong_is_said(text, told):
    assert told in problem(plus(text), TOKEN="secret-secret", T="secret-secret")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "frequency: D",
            "frequency: B",
            "external.service (line 7): found 'amazon_forecast'; amazon_forecast has no frequency B",
        ),
        ("horizon: 3", "horizon: 501", "amazon_forecast has at most 500 steps ahead"),
    ],
)
def test_what_the_service_cannot_do_is_said_when_the_spec_is_read(old, new, told):
    assert told in problem(plus(AMAZON.format(place="s3://a/b")).replace(old, new))
