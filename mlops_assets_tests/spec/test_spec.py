"""The spec: what it accepts, what it says when something is wrong, and what it never shows."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlops_assets
from mlops_assets.forecasting.decisions.policy import Rules
from mlops_assets.spec import (
    BOOSTING_PARAMETERS,
    COMMON_COUNTRIES,
    FOREST_PARAMETERS,
    ForecastSpec,
    SpecError,
    SqlSource,
    json_schema,
    load_spec,
    load_specs,
    parse_spec,
)
from mlops_assets.spec.yaml_read import read_yaml

EXAMPLES = Path(mlops_assets.__file__).parent / "forecasts"
FILE = Path("forecasts/demo.yaml")
MINIMAL = """\
name: demo
source: {kind: file, path: a.csv}
columns: {item_id: i, timestamp: t, target: y}
frequency: D
partitions: {start: 2013-01-01}
horizon: 3
"""
FILE_SOURCE = "{kind: file, path: a.csv}"
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff"), max_size=9)


def changed(old: str, new: str) -> str:
    assert MINIMAL.count(old) == 1
    return MINIMAL.replace(old, new)


def plus(text: str) -> str:
    return MINIMAL + text + "\n"


def sql(fields: str) -> str:
    return changed(FILE_SOURCE, f"{{kind: sql, {fields}}}")


def problem(text: str, **environ: str) -> str:
    """The message about a spec, without the name of the file, which it must start with."""
    with pytest.raises(SpecError) as error:
        parse_spec(text, FILE, environ)
    message = str(error.value)
    assert message.startswith(f"{FILE}: ")
    return message.removeprefix(f"{FILE}: ")


# What is accepted


def test_a_minimal_spec_has_the_documented_defaults():
    spec = parse_spec(MINIMAL, FILE)
    assert spec.task.season_lengths == (7,)
    assert spec.task.quantiles == (0.1, 0.5, 0.9)
    assert spec.task.point_column == "q50"
    assert spec.partition_kind == "daily"
    assert spec.time_zone == "UTC"
    assert spec.zone.key == "UTC"
    assert spec.columns.item_id == ["i"]
    assert spec.covariate_columns == []
    assert spec.partitions.start == "2013-01-01"
    assert spec.retraining.threshold is None
    assert spec.retraining.rules == Rules(), "the spec's defaults are the policy's"
    assert spec.schedule is None


def test_relative_paths_start_from_the_spec_file():
    assert parse_spec(MINIMAL, FILE).folder == FILE.resolve().parent


def test_every_field_reaches_the_engine():
    text = changed("horizon: 3", "horizon: 5") + (
        "season_lengths: [7, 28]\nquantiles: [0.9, 0.25]\npoint: mean\nnon_negative: true\nholidays: US-NY\n"
        "covariates: {known: price, past: [rain], static: [kind]}\n"
        "model: {parameters: {max_depth: null, n_estimators: 9}, max_training_rows: 500, seed: 7, recency: 90}\n"
    )
    task = parse_spec(text, FILE).task
    assert (task.frequency, task.horizon, task.season_lengths) == ("D", 5, (7, 28))
    assert (task.quantiles, task.point_column, task.non_negative) == ((0.25, 0.9), "mean", True)
    assert (task.known, task.past, task.static, task.holidays) == (("price",), ("rain",), ("kind",), "US-NY")
    assert task.model.parameters == {"max_depth": None, "n_estimators": 9}
    assert (task.model.max_training_rows, task.model.seed, task.model.recency) == (500, 7, 90)


def test_text_that_older_yaml_takes_for_something_else_stays_text():
    spec = parse_spec(
        changed("{item_id: i, timestamp: t, target: y}", "{item_id: no, timestamp: on, target: 6:30}")
        + "holidays: NO\ndescription: 2013-01-01\n",
        FILE,
    )
    assert spec.columns.item_id == ["no"]
    assert (spec.columns.timestamp, spec.columns.target) == ("on", "6:30")
    assert spec.holidays == "NO"
    assert spec.description == "2013-01-01"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=100, deadline=None)
def test_json_is_read_as_what_it_says(values: Any):
    assert read_yaml(json.dumps(values, ensure_ascii=False)).values == values


def test_numbers_of_yaml_1_2_are_numbers():
    text = "[0, -12, 3.5, 1e3, .5, +7, .inf, 010, 0x1f, 1_000, 2013-01-01]"
    values = read_yaml(text).values
    assert values == [0, -12, 3.5, 1000.0, 0.5, 7, float("inf"), "010", "0x1f", "1_000", "2013-01-01"]


def test_specs_of_a_folder_come_sorted_by_name(tmp_path):
    (tmp_path / "1.yaml").write_text(changed("name: demo", "name: zeta"))
    (tmp_path / "2.yml").write_text(changed("name: demo", "name: alpha"))
    assert [spec.name for spec in load_specs(tmp_path)] == ["alpha", "zeta"]


def test_the_shipped_example_is_right():
    spec = load_spec(EXAMPLES / "nyc_departures.yaml", {})
    assert [spec] == load_specs(EXAMPLES)
    assert (spec.partition_kind, spec.horizon, spec.holidays) == ("daily", 14, "US")


# The file as a whole


@pytest.mark.parametrize("text", ["", "# only a comment\n", "- name: demo\n", "demo\n", "---\n"])
def test_a_file_without_fields(text):
    assert problem(text) == "holds no fields; start with name:, source:, columns:"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [\n", "line 2, column 1: while parsing a flow node"),
        ("name: demo\nsource:\n\tkind: file\n", "line 3, column 1: "),
        (MINIMAL + "---\n" + MINIMAL, "line 7, column 1: expected a single document"),
        ("name: !!python/object:os.system x\n", "line 1, column 7: could not determine a constructor"),
        ("name: *nowhere\n", "line 1, column 7: found undefined alias"),
        ("? [a, b]\n: 3\n", "line 1, column 3: while constructing a mapping, found unhashable key"),
        ("name: \x00\n", "unacceptable character #x0000"),
        ("a: &a [*a]\n", "an anchor (&) holds itself"),
    ],
)
def test_broken_yaml_is_placed(text, says):
    assert problem(text).startswith(f"not valid YAML: {says}")


def test_broken_yaml_is_not_quoted():
    assert "hunter2" not in problem("source: {kind: sql, url: 'x://u:hunter2@h\n")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match=r"none\.yaml: cannot be read \(No such file or directory\)"):
        load_spec(tmp_path / "none.yaml")


def test_a_file_that_is_not_utf8(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_bytes(plus("description: Z\xfcrich").encode("latin-1"))
    with pytest.raises(SpecError) as error:
        load_spec(file)
    assert str(error.value) == f"{file}: not UTF-8 text (line 7); save it as UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text(MINIMAL, encoding="utf-8-sig")
    assert load_spec(file).name == "demo"


def test_folders_without_specs(tmp_path):
    with pytest.raises(SpecError, match="no such folder; MLOPS_FORECASTS"):
        load_specs(tmp_path / "none")
    with pytest.raises(SpecError, match="no forecast declared here"):
        load_specs(tmp_path)


def test_two_specs_of_one_name(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(MINIMAL)
    with pytest.raises(SpecError) as error:
        load_specs(tmp_path)
    assert str(error.value) == f"{tmp_path}/b.yaml: name: 'demo' is taken by {tmp_path}/a.yaml"


# One field


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # names of fields
        (
            plus("horizn: 4"),
            "horizn (line 7): unknown field; did you mean 'horizon'? Allowed: name, descript",
        ),
        (
            changed("target: y", "target: y, timestmp: 3"),
            "columns.timestmp (line 3): unknown field; did you mean 'timestamp'? "
            "Allowed: item_id, timestamp, target, timestamp_format",
        ),
        (plus("gate: {3: 4}"), "gate.3 (line 7): found 4; the name of a field is text"),
        (
            sql("url: 'x', table: a, chunks: 4"),
            "source.chunks (line 2): unknown field; did you mean 'chunk_rows'? "
            "Allowed: kind, url, table, query, chunk_rows",
        ),
        (plus("zzz: 1"), "zzz (line 7): unknown field; allowed: name, description"),
        (plus("horizon: 5"), "horizon (line 7): stands twice"),
        (changed("path: a.csv", "path: a.csv, path: b.csv"), "source.path (line 2): stands twice"),
        (changed("horizon: 3\n", ""), "horizon: missing (Steps ahead of the origin.)"),
        (changed(", target: y", ""), "columns.target (line 3): missing (Column of the value to forecast.)"),
        (changed(", path: a.csv", ""), "source.path (line 2): missing (A file, a folder or a glob"),
        # choices
        (
            plus("point: medain"),
            "point (line 7): found 'medain'; did you mean 'median'? Allowed: median, mean",
        ),
        (
            plus("gate: {metric: mas}"),
            "gate.metric (line 7): found 'mas'; did you mean 'mase'? Allowed: wql, ",
        ),
        (plus("model: {kind: lstm}"), "model.kind (line 7): found 'lstm'; allowed: random_forest"),
        (changed("kind: file", "kind: csv"), "source.kind (line 2): found 'csv'; allowed: file, sql"),
        (changed("kind: file, ", ""), "source.kind (line 2): missing; allowed: file, sql"),
        # types
        (changed(FILE_SOURCE, "a.csv"), "source (line 2): found 'a.csv'; fields are needed here: kind"),
        (changed(FILE_SOURCE, ""), "source (line 2): found nothing; fields are needed here: kind"),
        (plus("backtest:"), "backtest (line 7): found nothing; fields are needed here: windows, step"),
        (plus("description: 3"), "description (line 7): found 3; text is needed here: put it in quotes"),
        (
            plus("description: true"),
            "description (line 7): found true; text is needed here: put it in quotes",
        ),
        (plus("description:"), "description (line 7): found nothing; text is needed here"),
        (
            changed("target: y", "target: 1.5"),
            "columns.target (line 3): found 1.5; text is needed here: put it",
        ),
        (
            changed("item_id: i", "item_id: [a, 3]"),
            "columns.item_id.1 (line 3): found 3; text is needed here",
        ),
        (
            changed("start: 2013-01-01", "start: 2013"),
            "partitions.start (line 5): found 2013; text is needed",
        ),
        (
            changed("horizon: 3", "horizon: true"),
            "horizon (line 6): found true; a whole number is needed here",
        ),
        (changed("horizon: 3", "horizon: '3'"), "horizon (line 6): found '3'; a whole number is needed here"),
        (changed("horizon: 3", "horizon: 3.5"), "horizon (line 6): found 3.5; a whole number is needed here"),
        (plus("non_negative: yes"), "non_negative (line 7): found 'yes'; true or false is needed here"),
        (
            plus("season_lengths: 7"),
            "season_lengths (line 7): found 7; a list is needed here, such as [a, b]",
        ),
        (plus("tags: [a]"), "tags (line 7): found ['a']; a mapping is needed here, such as name: value"),
        (plus("tags: {a: 1}"), "tags.a (line 7): found 1; text is needed here: put it in quotes"),
        (
            plus("quarantine: {max_share: 5%}"),
            "quarantine.max_share (line 7): found '5%'; a number is needed",
        ),
        (plus("retraining: {threshold: .inf}"), "retraining.threshold (line 7): found .inf; a finite number"),
        # ranges
        (
            changed("horizon: 3", "horizon: 0"),
            "horizon (line 6): found 0; must be greater than or equal to 1",
        ),
        (
            plus("model: {max_training_rows: 10}"),
            "model.max_training_rows (line 7): found 10; must be greater",
        ),
        (
            plus("quantiles: [0.5, 0.9]\nbacktest: {conformal: 0.05}"),
            "quantiles (line 7): backtest.conformal needs 0.5, and levels below and above it",
        ),
        (
            plus("model: {seed: 4294967296}"),
            "model.seed (line 7): found 4294967296; must be less than or equal",
        ),
        (plus("season_lengths: [7, 28, 365]"), "season_lengths (line 7): found [7, 28, 365]; at most 2 are"),
        (changed("item_id: i", "item_id: []"), "columns.item_id (line 3): found []; at least 1 is needed"),
        (changed("target: y", "target: ''"), "columns.target (line 3): found ''; it is empty"),
        (
            changed("path: a.csv", "path: a, delimiter: ';;'"),
            "source.delimiter (line 2): found ';;'; too long",
        ),
        # words with rules of their own
        (
            changed("name: demo", "name: Demo-1"),
            "name (line 1): found 'Demo-1'; use small letters, digits and _",
        ),
        (
            changed("frequency: D", "frequency: daily"),
            "frequency (line 4): 'daily' is not a pandas offset alias",
        ),
        (changed("frequency: D", "frequency: H"), "frequency (line 4): 'H' is deprecated"),
        (
            changed("frequency: D", "frequency: 7h"),
            "frequency (line 4): '7h': a step within the day must divide",
        ),
        (changed("frequency: D", "frequency:"), "frequency (line 4): found nothing; text is needed here"),
        (
            plus("time_zone: Europe/Berln"),
            "time_zone (line 7): found 'Europe/Berln'; not an IANA time zone such as Europe/Berlin; "
            "did you mean 'Europe/Berlin'?",
        ),
        (plus("time_zone: Europe"), "time_zone (line 7): found 'Europe'; not an IANA time zone"),
        (
            plus("holidays: us"),
            "holidays (line 7): found 'us'; no country such as US, and no subdivision such as US-NY; "
            "did you mean 'US'?",
        ),
        (plus("holidays: DE-BX"), "holidays (line 7): found 'DE-BX'; no country such as US"),
        (plus("holidays: US-"), "holidays (line 7): found 'US-'; no country such as US"),
        (
            plus("schedule: hourly"),
            "schedule (line 7): found 'hourly'; not a cron line of five fields such as",
        ),
        (plus("schedule: 0 0 6 * * *"), "schedule (line 7): found '0 0 6 * * *'; not a cron line of five"),
        (
            plus("owners: [team:a, bob]"),
            "owners.1 (line 7): 'bob' is neither an e-mail address nor team:NAME",
        ),
        (
            plus("tags: {a: hello world}"),
            "tags.a (line 7): found 'hello world'; Invalid tag value: hello world",
        ),
        (
            changed("start: 2013-01-01", "start: 01.01.2013"),
            "partitions.start (line 5): found '01.01.2013'; not a date such as 2013-01-01",
        ),
        (
            changed("start: 2013-01-01", "start: 2013-02-30"),
            "partitions.start (line 5): found '2013-02-30'; not a date: day is out of range for month",
        ),
        (
            changed("target: y", "target: y, timestamp_format: dd.mm.yyyy"),
            "columns.timestamp_format (line 3): found 'dd.mm.yyyy'; not a strptime format of a date",
        ),
        # quantiles
        (plus("quantiles: [0.5, 1.0]"), "quantiles.1 (line 7): found 1.0; must be less than 1"),
        (plus("quantiles: [0.5, 0.0]"), "quantiles.1 (line 7): found 0.0; must be greater than 0"),
        (plus("quantiles: [.nan, 0.5]"), "quantiles.0 (line 7): found .nan; a finite number is needed here"),
        (plus("quantiles: ['0.5']"), "quantiles.0 (line 7): found '0.5'; a number is needed here"),
        (plus("quantiles: [0.5, 0.5]"), "quantiles (line 7): found [0.5, 0.5]; a quantile stands twice"),
        (
            plus("quantiles: [0.5, 0.50000000001]"),
            "quantiles (line 7): found [0.5, 0.50000000001]; a quantile",
        ),
        # fields that do not go together
        (plus("quantiles: [0.1, 0.9]"), "quantiles (line 7): point: median needs 0.5 among the quantiles"),
        (
            changed("start:", "kind: hourly, start:"),
            "partitions.kind (line 5): found 'hourly'; finer than the frequency D; "
            "allowed: daily, weekly, monthly, quarterly, yearly",
        ),
        (
            changed("start: 2013-01-01", "start: 2013-01-01, end: 2013-01-01"),
            "partitions.end (line 5): found '2013-01-01'; not after the start, 2013-01-01",
        ),
        (
            plus("season_lengths: [30, 7]"),
            "season_lengths (line 7): found [30, 7]; give different lengths, sh",
        ),
        (
            plus("retraining: {breaches: 6}"),
            "retraining.breaches (line 7): found 6; more than the window of 5",
        ),
        (
            plus("retraining: {coverage: [0.95, 0.6]}"),
            "retraining.coverage (line 7): give the lowest share first, then the highest",
        ),
        (
            plus("retraining: {ladder: [grow, regrow]}"),
            "retraining.ladder.1 (line 7): found 'regrow'; did you mean 'grow'? Allowed: grow, refit",
        ),
        (
            changed("target: y", "target: t"),
            "columns (line 3): 't' cannot stand for two of item_id, timestamp",
        ),
        (changed("target: y", "target: _row"), "columns (line 3): _row is a name that we use ourselves"),
        (
            plus("covariates: {past: [y]}"),
            "covariates.past (line 7): 'y' is the target itself, which would leak",
        ),
        (plus("covariates: {known: [t]}"), "covariates.known (line 7): 't' is the timestamp itself"),
        (
            plus("covariates: {static: [item_id]}"),
            "covariates.static (line 7): 'item_id' is a name that we use",
        ),
        (
            plus("covariates: {known: [a], past: [a]}"),
            "covariates (line 7): 'a' stands twice; a covariate is of",
        ),
        (sql("url: 'sqlite://'"), "source (line 2): give either table or query"),
        (sql("url: 'sqlite://', table: a, query: b"), "source (line 2): give either table or query"),
        # the forest's parameters
        (
            plus("model: {parameters: {n_estimatrs: 3}}"),
            "model.parameters.n_estimatrs (line 7): found 3; unknown parameter; did you mean 'n_estimators'?",
        ),
        (
            plus("model: {parameters: {random_state: 3}}"),
            "model.parameters.random_state (line 7): found 3; the field for it is model.seed",
        ),
    ],
)
def test_a_wrong_field(text, message):
    assert problem(text).startswith(message)


def test_all_wrong_fields_are_named_at_once():
    head, *lines = problem(changed("horizon: 3", "horizon: -3") + "pont: mean\nowners: bob\n").splitlines()
    assert head == "3 problems"
    assert sorted(line.split(" (")[0] for line in lines) == ["  - horizon", "  - owners.0", "  - pont"]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_field_is_accepted_or_told_by_its_name(data: st.DataObject):
    field = data.draw(st.sampled_from(sorted(ForecastSpec.model_fields)))
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
    value = data.draw(plain | st.lists(plain, max_size=2) | st.dictionaries(TEXT, plain, max_size=2))
    values = {**read_yaml(MINIMAL).values, field: value}
    try:
        parse_spec(json.dumps(values), FILE, {})
    except SpecError as error:
        message = str(error)
    else:
        message = field
    assert field in message


def test_a_character_in_two_halves_is_one_and_half_a_character_is_told():
    assert parse_spec(MINIMAL + 'description: "a \\ud83d\\ude80"', FILE, {}).description == "a 🚀"
    with pytest.raises(SpecError, match=r"not valid YAML: line \d+, column 14: half of a character"):
        parse_spec(MINIMAL + 'description: "\\ud83d"', FILE, {})


def test_the_forest_takes_every_parameter_that_the_spec_allows_and_no_other():
    from sklearn.ensemble import RandomForestRegressor

    assert set(FOREST_PARAMETERS) | {"random_state"} == set(inspect.signature(RandomForestRegressor).parameters)


def test_boosting_takes_every_parameter_that_the_spec_allows_and_no_other():
    from sklearn.ensemble import HistGradientBoostingRegressor

    taken = set(inspect.signature(HistGradientBoostingRegressor).parameters)
    assert set(BOOSTING_PARAMETERS) | {"random_state"} == taken


@pytest.mark.parametrize("kind", ["extra_trees", "hist_gradient_boosting", "sklearn.linear_model.Ridge"])
def test_any_regressor_that_can_be_stored_may_be_named(kind):
    assert parse_spec(plus(f"model: {{kind: {kind}}}"), FILE).task.model.kind == kind


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("{kind: extra_tree}", "did you mean 'extra_trees'?"),
        ("{kind: sklearn.linear_model.Rigde}", "did you mean 'sklearn.linear_model.Ridge'?"),
        ("{kind: sklearn.neighbors.KNeighborsRegressor}", "that a model file can hold"),
        ("{kind: lightgbm.LGBMRegressor}", "that a model file can hold"),
        ("{kind: extra_trees, parameters: {max_iter: 3}}", "model.parameters.max_iter (line 7): found 3; unknown"),
        ("{kind: hist_gradient_boosting, parameters: {n_estimators: 3}}", "unknown parameter; allowed: loss"),
        ("{kind: sklearn.linear_model.Ridge, parameters: {alfa: 3}}", "did you mean 'alpha'?"),
    ],
)
def test_a_regressor_that_is_not_known_or_not_so_is_refused(model, words):
    assert words in problem(plus(f"model: {model}"))


def test_the_holidays_package_knows_the_common_countries():
    import holidays

    assert set(holidays.list_supported_countries()) >= COMMON_COUNTRIES


# Secrets


def test_a_variable_is_replaced_and_its_value_is_never_shown():
    text = sql("url: 'postgresql://ada:${PASSWORD}@host/db', table: '${SCHEMA}.daily'")
    spec = parse_spec(text, FILE, {"PASSWORD": "hunter2", "SCHEMA": "sales"})
    assert isinstance(spec.source, SqlSource)
    assert spec.source.url.get_secret_value() == "postgresql://ada:hunter2@host/db"
    assert spec.source.table == "sales.daily"
    shown = [repr(spec), str(spec), str(spec.model_dump()), spec.model_dump_json(), spec.fingerprint()]
    assert not any("hunter2" in text for text in [*shown, repr(spec.source), str(spec.source.model_dump())])


@pytest.mark.parametrize(
    "source",
    [
        "url: '${SECRET}', table: a, query: b",
        "url: '${SECRET}', table: a, oops: 1",
        "url: '${SECRET}', table: a, chunk_rows: -1",
        "url: ['${SECRET}'], table: a",
        "url: 'x', table: a, chunk_rows: '${SECRET}'",
        "url: 'x', query: 'SELECT ${SECRET}'",
        "url: 'x', table: '${SECRET}', query: b",
        "url: 'x', table: a, '${SECRET}': 1",
        "kind: '${SECRET}', url: '${SECRET}'",
    ],
)
def test_a_message_never_holds_the_value_of_a_variable(source):
    assert "hunter2" not in problem(sql(source), SECRET="hunter2")


def test_an_address_written_into_the_file_is_not_shown_either():
    assert "hunter2" not in problem(sql("url: ['x://u:hunter2@h'], table: a"))


@pytest.mark.parametrize("environ", [{}, {"DB": ""}])
def test_a_variable_that_is_not_set(environ):
    message = "source.url (line 2): the environment variable DB is not set"
    assert problem(sql("url: '${DB}', table: a"), **environ) == message


def test_variables_are_replaced_in_addresses_only():
    message = "source.query (line 2): ${...} is replaced in url, path, table, headers only"
    assert problem(sql("url: 'x', query: '${SQL}'"), SQL="SELECT 1") == message
    assert problem(sql("url: '${DB:-x}', table: a")) == "source.url (line 2): write a variable as ${NAME}"


# The schema for editors


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
