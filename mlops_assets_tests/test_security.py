"""docs/security.md: every line of the threat model names tests, and they are there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
THREATS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| who | what")]


@pytest.mark.parametrize("line", THREATS, ids=lambda line: line.strip("| ")[:60])
def test_every_line_names_tests_that_are_there(line):
    shown = re.findall(r"`(\S+\.py)::(test_\w+)`", line.rsplit(" | ", 1)[1])
    assert shown
    for file, name in shown:
        assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), (file, name)


def test_the_page_is_whole():
    assert len(THREATS) > 12
    for file in re.findall(r"\]\((deployment/[\w.]+)\)", PAGE):
        assert (DOCS / file).is_file(), file


def test_the_proxy_passes_on_no_question_of_another_site():
    text = (DOCS / "deployment" / "nginx.conf").read_text(encoding="utf-8")
    (graphql,) = re.findall(r"location = /graphql \{(.*?)\n    \}", text, re.DOTALL)
    assert [*re.findall(r"if \((\S+)\) \{ return 4\d\d; \}", graphql)] == [
        "$mlops_question",
        "$mlops_origin",
        "$mlops_site",
    ]
    assert all(
        re.search(rf"^map .*\{name} \{{\n    default 1;", text, re.MULTILINE)
        for name in ("$mlops_origin", "$mlops_site", "$mlops_question")
    )
    assert "return 421" in text
