"""A folder of specs: one that cannot be used takes no other down."""

import os
from pathlib import Path

import pytest

from mlops_assets.errors import UnknownNameError
from mlops_assets.spec import SpecError, find_spec, first_spec, folder, load_specs
from mlops_assets_tests.spec.declared import MINIMAL, changed, sql

BROKEN = {
    "typo.yaml": changed("name: demo", "name: misspelt").replace("horizon", "horison"),
    "zero.yaml": changed("name: demo", "name: zero").replace("horizon: 3", "horizon: 0"),
    "variable.yaml": sql("url: '${NOWHERE_SET}', table: a").replace("name: demo", "name: variable"),
    "no yaml.yaml": "[",
    "2013.yml": "name: Upper Case\n",
    "copy.yaml": changed("name: demo", "name: good") + "horizon: 8\n",
    "latin.yaml": "",
    "folder.yaml": None,
}
"""Files that cannot be used: what they hold, None for a folder."""


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    for name, text in BROKEN.items():
        if text is None:
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_text(text)
    (tmp_path / "latin.yaml").write_bytes("description: Zürich".encode("latin-1"))
    for name in ("good", "alpha"):
        (tmp_path / f"{name}.yaml").write_text(changed("name: demo", f"name: {name}"))
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_text(changed("name: demo", "name: twice"))
    return tmp_path


def test_the_good_ones_are_there_and_each_broken_one_says_why(mixed):
    declared = load_specs(mixed)
    assert [spec.name for spec in declared.specs] == ["alpha", "good"]
    told = {spec.name: spec.message for spec in declared.broken}
    assert list(told) == ["copy", "folder", "latin", "misspelt", "no_yaml", "spec", "twice", "variable", "zero"]
    assert told["zero"] == f"{mixed}/zero.yaml: horizon (line 6): found 0; must be greater than or equal to 1"
    assert told["variable"].endswith("source.url (line 2): the environment variable NOWHERE_SET is not set")
    assert "did you mean 'horizon'?" in told["misspelt"]
    assert told["copy"] == f"{mixed}/copy.yaml: horizon (line 7): stands twice"
    assert told["spec"].startswith(f"{mixed}/2013.yml: 6 problems")
    assert told["latin"].endswith("not UTF-8 text (line 1); save it as UTF-8")
    assert told["folder"] == f"{mixed}/folder.yaml: no file that can be read"
    assert told["twice"] == (
        f"{mixed}/b.yml: name: 'twice' is taken by {mixed}/a.yaml; neither is used until one has another"
    )


def test_only_who_names_a_broken_one_fails(mixed):
    assert find_spec(mixed, "good").horizon == 3
    assert first_spec(mixed).name == "alpha"
    for name, said in (("zero", "horizon"), ("twice", "is taken by"), ("copy", "stands twice"), ("typo", "horison")):
        with pytest.raises(SpecError, match=said):
            find_spec(mixed, name)
    with pytest.raises(UnknownNameError, match=r"no forecast 'zer'.*did you mean zero"):
        find_spec(mixed, "zer")


def test_where_none_can_be_used_the_first_says_why(tmp_path):
    (tmp_path / "demo.yaml").write_text("[")
    with pytest.raises(SpecError, match="not valid YAML"):
        first_spec(tmp_path)


def test_a_bug_in_reading_one_is_told_as_one_and_takes_no_other_down(tmp_path, monkeypatch):
    for name in ("bad", "good"):
        (tmp_path / f"{name}.yaml").write_text(changed("name: demo", f"name: {name}"))
    real = folder.load_spec
    monkeypatch.setattr(folder, "load_spec", lambda file: real(file) if file.stem == "good" else {}["origin"])
    declared = load_specs(tmp_path)
    assert [spec.name for spec in declared.specs] == ["good"]
    assert declared.broken[0].message == f"{tmp_path}/bad.yaml: a bug in reading it: KeyError: 'origin'"
    with pytest.raises(KeyError):
        find_spec(tmp_path, "bad")


def test_folders_without_specs(tmp_path):
    with pytest.raises(SpecError, match="no such folder; MLOPS_FORECASTS"):
        load_specs(tmp_path / "none")
    with pytest.raises(SpecError, match="no forecast declared here"):
        load_specs(tmp_path)


def test_a_name_of_a_file_without_one_is_made_of_the_file(tmp_path):
    for name in ("A b.yaml", "a-b.yaml", "7.yaml"):
        (tmp_path / name).write_text("[")
    (tmp_path / "demo.yaml").write_text(MINIMAL)
    assert [spec.name for spec in load_specs(tmp_path).broken] == ["a_b", "a_b_2", "spec"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_the_files_is_not_waited_for(tmp_path):
    (tmp_path / "shop.yaml").write_text(MINIMAL)
    os.mkfifo(tmp_path / "pipe.yaml")
    declared = load_specs(tmp_path)
    assert len(declared.specs) == 1
    assert [one.name for one in declared.broken] == ["pipe"]
    assert "no file that can be read" in declared.broken[0].message
