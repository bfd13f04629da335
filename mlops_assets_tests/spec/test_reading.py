"""Files of specs, and variables in them, whose values are never shown."""

import os

import pytest

from mlops_assets.spec import (
    SpecError,
    SqlSource,
    load_spec,
    parse_spec,
)
from mlops_assets.spec.reading import LARGEST
from mlops_assets_tests.spec.declared import FILE, MINIMAL, plus, problem, sql


@pytest.mark.parametrize("text", ["", "# only a comment\n", "- name: demo\n", "demo\n", "---\n"])
def test_a_file_without_fields(text):
    assert problem(text) == "holds no fields; start with name:, source:, columns:"


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


def test_what_is_no_file_and_what_is_too_large_is_told_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "large.yaml").write_text("# " + "x" * LARGEST)
    for name, said in (("pipe", "no file that can be read"), ("large", "larger than 100 kB, which no spec is")):
        with pytest.raises(SpecError) as error:
            load_spec(tmp_path / f"{name}.yaml")
        assert str(error.value) == f"{tmp_path}/{name}.yaml: {said}"


def test_of_very_many_wrong_fields_the_first_are_told():
    said = problem(MINIMAL + "".join(f"f{number}: 1\n" for number in range(100)))
    assert said.startswith("100 problems")
    assert said.endswith("\n  - and 70 more")
    assert said.count("\n") == 31


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
