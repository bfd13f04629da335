"""What is said of a wrong field: where it is, what was found, what is allowed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.spec import (
    ForecastSpec,
    SpecError,
    parse_spec,
)
from mlops_assets.spec.yaml_read import read_yaml
from mlops_assets_tests.spec.declared import FILE, FILE_SOURCE, MINIMAL, TEXT, changed, plus, problem, sql


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
        (
            plus("model: {n_estimators: 10}"),
            "model.n_estimators (line 7): a parameter of the regressor; it stands below parameters: "
            "model.parameters.n_estimators",
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
        (plus("external: later"), "external (line 7)"),
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
        (changed("target: y", "target: ''"), "columns.target (line 3): found ''; it is empty"),
        (
            changed("path: a.csv", "path: a, delimiter: ';;'"),
            "source.delimiter (line 2): found ';;'; too long",
        ),
        # numbers or names of columns
        (plus("maximum: .inf"), "maximum (line 7): found .inf; a finite number is needed here"),
        (plus("maximum: [3]"), "maximum (line 7): found [3]; a number is needed here"),
        (plus("costs: {under: .nan, over: 1}"), "costs.under (line 7): found .nan; a finite number is needed here"),
        (plus("minimum: ''"), "minimum (line 7): found ''; it is empty"),
        (plus("maximum: -1\nnon_negative: true"), "maximum (line 7): found -1; non_negative: true says that nothing"),
        (
            plus("minimum: 0.2\nmaximum: 0.8\nwhole: true"),
            "maximum (line 8): found 0.8; whole: true, and no whole number",
        ),
        (
            plus("model: {kind: ensemble, members: [theta, ets, theta]}"),
            "model.members.2 (line 7): found 'theta'; stands there twice",
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
        (plus("schedule: R * * * *"), "schedule (line 7): found 'R * * * *'; not a cron line of five"),
        (plus("schedule: 0 6 * * 1,R(1-5)"), "schedule (line 7): found '0 6 * * 1,R(1-5)'; not a cron line of five"),
        (plus("schedule: 0 0 6 * * *"), "schedule (line 7): found '0 0 6 * * *'; not a cron line of five"),
        (
            plus("owners: [team:a, bob]"),
            "owners.1 (line 7): 'bob' is neither an e-mail address nor team:NAME",
        ),
        (
            plus("tags: {a: hello world}"),
            "tags.a (line 7): found 'hello world'; a tag is of at most 63 letters, digits",
        ),
        (
            changed("start: 2013-01-01", "start: 01.01.2013"),
            "partitions.start (line 5): found '01.01.2013'; not a date such as 2013-01-01",
        ),
        (
            changed("start: 2013-01-01", "start: 0213-01-01"),
            "partitions.start (line 5): found '0213-01-01'; not a date between the years 1700 and 2200",
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
            changed("frequency: D", "frequency: MS").replace("target: y", "target: y, stamp: end"),
            "columns.stamp (line 3): found 'end'; MS names a period by its first day; if yours have the last, it is "
            "frequency: ME",
        ),
        (
            changed("frequency: D", "frequency: BME").replace("target: y", "target: y, stamp: start"),
            "columns.stamp (line 3): found 'start'; BME names a period by its last day; if yours have the first, it is "
            "frequency: BMS",
        ),
        (
            changed("frequency: D", "frequency: h\ntime_zone: Australia/Lord_Howe").replace(
                "start:", "kind: hourly, start:"
            ),
            "partitions.kind (line 6): found 'hourly'; since 2013-01-01 the clocks of Australia/Lord_Howe are "
            "moved by parts of an hour, so that hours do not follow one another; take daily partitions",
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
            "retraining.ladder.1 (line 7): found 'regrow'; did you mean 'grow'? Allowed: reweigh, grow, refit",
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
