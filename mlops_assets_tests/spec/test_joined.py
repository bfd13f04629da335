"""Calendars in a spec: what goes together, and what is said of what does not."""

import pytest

from mlops_assets.spec import parse_spec
from mlops_assets_tests.spec.declared import FILE, MINIMAL, plus, problem

ONE = "calendars: [{{name: school, path: a.csv{}}}]"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (", date: d, start: s", "calendars.0.date (line 7): found 'd'; give either date, or start and end"),
        (", end: e", "calendars.0.start (line 7): end needs start"),
        (", until: 2024-02-30", "calendars.0.until (line 7): found '2024-02-30'; not a date: day"),
        (", kinds: fair", "calendars.0.kind (line 7): kinds needs the column that has them"),
        (", by: region", "calendars.0.by (line 7): 'region' is neither a column of the item id nor a static covariate"),
        (", colour: red", "calendars.0.colour (line 7): unknown field; allowed: "),
        ("}, {name: school, path: b.csv", "calendars.1.name (line 7): there is a covariate 'school'"),
    ],
)
def test_what_does_not_go_together_is_said(fields, words):
    assert words in problem(plus(ONE.format(fields)))


def test_icalendar_has_no_columns():
    text = plus("calendars: [{name: school, path: a.ics, date: d}]")
    assert "calendars.0.path (line 7): found 'a.ics'; iCalendar has no such columns" in problem(text)
    text = plus("calendars: [{name: school, path: {x: a.ics}}]")
    assert "calendars.0.by (line 7): path has a file for each value of one column" in problem(text)


def test_a_calendar_makes_known_covariates_and_another_fingerprint():
    plain, one = parse_spec(MINIMAL, FILE), parse_spec(plus(ONE.format(", until: 2030-01-01")), FILE)
    assert one.task.known == ("school", "school_day", "school_days_to", "school_days_since")
    assert plain.fingerprint() != one.fingerprint()
    assert one.fingerprint() == parse_spec(plus(ONE.format("").replace("a.csv", "b.csv")), FILE).fingerprint()


def test_a_path_may_hold_a_variable():
    spec = parse_spec(plus("calendars: [{name: school, path: '${EVENTS}/a.csv'}]"), FILE, {"EVENTS": "/data"})
    assert spec.calendars[0].path == "/data/a.csv"
    assert "EVENTS is not set" in problem(plus("calendars: [{name: school, path: '${EVENTS}/a.csv'}]"))


SOURCE = "covariates: {{sources: [{{name: weather, source: {}}}]}}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("{kind: file, path: a.csv}", "covariates.sources.0.known (line 7): name the columns that are wanted"),
        ("{kind: file}, known: t2", "covariates.sources.0.source.path (line 7): missing (A file, a folder or a glob"),
        (
            "{kind: ftp, path: a}, known: t2",
            "covariates.sources.0.source.kind (line 7): found 'ftp'; allowed: file,",
        ),
        ("{kind: http, url: 'ftp://x'}, known: t2", "covariates.sources.0.source.url (line 7): not an address such as"),
        ("{kind: file, path: a.csv}, known: y", "covariates.known (line 7): 'y' is the target itself"),
        ("{kind: file, path: a.csv}, known: [a, a]", "'a' stands twice; a covariate is of one kind only"),
        ("{kind: file, path: a.csv}, past: a, future: {kind: file, path: b}", "only known covariates are looked up"),
        (
            "{kind: file, path: a.csv}, past: a, by: city",
            "covariates.sources.0.by (line 7): 'city' is neither a column",
        ),
        ("{kind: file, path: a.csv}, past: a, each: {x: {y: z}}", "each (line 7): belongs to a web service"),
        ("{kind: file, path: a.csv}, past: a, aggregate: mean", "say which frequency its rows have"),
        ("{kind: file, path: a.csv}, past: a, frequency: 2W", "covariates.sources.0.frequency (line 7): '2W' is not"),
        (
            "{kind: file, path: a.csv}, past: a, frequency: h, aggregate: {b: sum}",
            "needs a rule for each column, and no other: a, b",
        ),
        ("{kind: http, url: 'http://x/a', headers: {X-Key: abc}}, past: a", "no secret in the file: write ${NAME}"),
    ],
)
def test_what_is_wrong_with_a_table_of_covariates_is_said(fields, words):
    assert words in problem(plus(SOURCE.format(fields)))


def test_their_columns_are_covariates_and_their_variables_are_read():
    fields = "{kind: sql, url: '${WEATHER_URL}', table: t}, known: [t2], past: rain"
    spec = parse_spec(plus(SOURCE.format(fields)), FILE, {"WEATHER_URL": "sqlite:///w.db"})
    assert (spec.task.known, spec.task.past) == (("t2",), ("rain",))
    assert spec.covariate_columns == ["t2", "rain"]
    assert len(spec.sources) == 2
