"""What is wrong with a source is said by field and line, without its secrets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.spec import SpecError, load_spec
from mlops_assets_tests.worlds import SPEC

PLANTED = "hunter2planted"


def problem(folder: Path, **fields: Any) -> str:
    folder.mkdir(exist_ok=True)
    source = {"kind": "http", "url": "https://api.example.com/v1", **fields}
    file = folder / "demo.yaml"
    file.write_text(yaml.safe_dump({**SPEC, "source": source}, sort_keys=False))
    with pytest.raises(SpecError) as caught:
        load_spec(file, {"KEY": PLANTED, "ODD": f"{PLANTED}\n"})
    assert PLANTED not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "ftp://x/y"}, "source.url (line 5): not an address such as https://"),
        ({"url": "https://me:${KEY}@x/y"}, "no user or password in an address"),
        ({"url": "https://x/y?key=${KEY}"}, "no ? or # in an address"),
        ({"query": {"key": "${KEY}"}}, "source.query.key (line 7): ${...} is replaced in url, path, table, headers"),
        ({"headers": {"X-Api-Key": PLANTED}}, "source.headers.X-Api-Key (line 7): no secret in the file"),
        ({"headers": {"X-Api-Key": "${ODD}"}}, "source.headers.X-Api-Key (line 7): its value is not one line"),
        ({"headers": {"X Key": "${KEY}"}}, "the name of a header"),
        ({"headers": {"X-Key": 7}}, "source.headers.X-Key (line 7): text is needed here"),
        ({"headers": {"X-Key": "${GONE}"}}, "the environment variable GONE is not set"),
        ({"pages": {"kind": "cursor"}}, "source.pages.path (line 6): say where the JSON has the next cursor"),
        ({"pages": {"kind": "page", "path": "a"}}, "source.pages.path (line 8): found 'a'; belongs to the kinds"),
        ({"pages": {"kind": "link", "start": 1}}, "source.pages.start (line 8): found 1; belongs to"),
        ({"pages": {"kind": "link", "parameter": "p"}}, "a link holds all its parameters"),
        ({"pages": {"kind": "pages"}}, "did you mean 'page'?"),
        ({"pages": {"kind": "page", "first": 1}}, "allowed: kind, parameter, start, path, total"),
        ({"format": "csv", "records": "a"}, "source.records (line 7): found 'a'; CSV has no path"),
        ({"format": "csv", "pages": {"kind": "link", "path": "a"}}, "CSV has no place for it"),
        ({"max_seconds": 0}, "source.max_seconds (line 6)"),
        ({"table": "x"}, "unknown field"),
    ],
)
def test_a_wrong_spec_is_told_without_its_secrets(tmp_path, fields, message):
    assert message in problem(tmp_path, **fields)
