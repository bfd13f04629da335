"""What a spec says of others' code: it is resolved when the spec is read, and a typo is told with the names."""

import pytest

from mlops_assets.spec import json_schema, parse_spec
from mlops_assets_tests.spec.declared import FILE, MINIMAL, changed, plus, problem

pytestmark = pytest.mark.usefixtures("acme")
ERP = "{kind: file, path: a.csv}"


@pytest.mark.parametrize("name", ["shortfall", "acme.metrics:Shortfall", "acme.metrics.Shortfall"])
def test_a_metric_that_the_gate_goes_by_is_measured_and_known_by_its_own_name(name):
    spec = parse_spec(plus(f"gate: {{metric: {name}}}"), FILE)
    assert spec.gate.metric == "shortfall"
    assert spec.task.metrics == (name,)
    again = type(spec).model_validate(spec.model_dump())
    assert (again.gate.metric, again.metrics) == ("shortfall", [name])
    assert spec.fingerprint() == parse_spec(MINIMAL, FILE).fingerprint(), "no model depends on it"


def test_a_policy_may_go_by_one_as_well():
    text = plus("policies: [{name: short, trigger: {error: {metric: shortfall}}}]")
    assert parse_spec(text, FILE).task.metrics == ("shortfall",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "gate: {metric: shortfal}",
            "gate.metric (line 7): found 'shortfal'; did you mean 'shortfall'? Allowed: wql, mase",
        ),
        ("gate: {metric: torn}", "importing acme.torn failed: RuntimeError: the licence of acme has expired"),
        ("metrics: [shortfal]", "no metric 'shortfal'; did you mean shortfall?"),
        ("metrics: acme.alerts:page", "lacks name, average, losses"),
        ("metrics: json:JSONDecoder", "lacks name, average, losses"),
        ("gate: {rules: [no_wild_total]}", "no gate rule 'no_wild_total'; did you mean no_wild_totals?"),
        ("report: {sections: stok}", "no report section 'stok'; did you mean stock?"),
        ("model: {features: [payday]}", "no feature 'payday'; did you mean paydays?"),
        ("model: {kind: acme_drft}", "did you mean 'acme_drift'?"),
        (
            "model: {kind: acme.torn:Drift}",
            "model.kind (line 7): the model kind 'acme.torn:Drift': importing acme.torn",
        ),
        ("model: {kind: 'acme.alerts:page'}", "model.kind (line 7): "),
        ("model: {kind: ensemble, members: [acme.torn:Drift, drift]}", "model.members.0 (line 7): "),
    ],
)
def test_a_typo_is_refused_with_the_names_that_there_are(text, words):
    assert words in problem(plus(text))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{kind: erp, sytem: p1}", "source.sytem (line 2): found 'p1'; unknown field; did you mean 'system'?"),
        ("{kind: erp}", "source.system (line 2): missing: erp needs it"),
        ("{kind: ep}", "allowed: file, sql, http, asset, erp"),
        ("{kind: 'acme.sources:Ep'}", "did you mean Erp?"),
        ("{kind: 'acme.alerts:page', system: p1}", "is no class with a method read"),
        ("{kind: erp, system: '${NOWHERE}'}", "the environment variable NOWHERE is not set"),
    ],
)
def test_a_source_of_others_says_which_fields_it_takes(source, words):
    assert words in problem(changed(ERP, source))


def test_variables_of_a_source_of_others_stay_out_of_the_spec():
    spec = parse_spec(changed(ERP, "{kind: erp, system: p1, token: '${ERP_TOKEN}'}"), FILE, {"ERP_TOKEN": "hush"})
    assert spec.source.fields == {"system": "p1", "token": "${ERP_TOKEN}"}
    assert "hush" not in repr(spec)


def test_the_schema_of_an_installation_has_the_names_of_its_entry_points():
    gate = json_schema()["$defs"]["Gate"]["properties"]["metric"]["anyOf"]
    assert gate[1]["anyOf"][0] == {"enum": ["shortfall", "torn"]}
