"""docs/assistants.md does what it says, and docs/llms.txt lists the documents."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.yaml_read import read_yaml
from mlops_assets_tests.worlds import panel, sandbox

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "assistants.md").read_text(encoding="utf-8")


SMALL = "model: {parameters: {n_estimators: 5, n_jobs: 1}, max_training_rows: 500}\nbacktest: {windows: 1}\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_every_command_of_the_page_runs_in_its_order(tmp_path, empty_mlflow, monkeypatch):
    sandbox(tmp_path, empty_mlflow)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))
    monkeypatch.delenv("MLOPS_ENV", raising=False)
    monkeypatch.chdir(tmp_path)
    panel(items=2)[["shop", "day", "sales"]].to_csv("sales.csv", index=False)
    for line in "".join(blocks("sh")).splitlines():
        if not (words := shlex.split(line, comments=True)):
            continue
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("=", 1))
            continue
        assert words[0] == "mlops-assets", line
        result = CliRunner().invoke(main, words[1:], catch_exceptions=False)
        if words[1] == "init":  # as small a model as a test needs
            (tmp_path / "forecasts" / "sales.yaml").open("a").write(SMALL)
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert list((tmp_path / "rows").iterdir())
    assert (tmp_path / "data" / "tables" / "sales" / "forecasts").is_dir()


LEAST = blocks("yaml")[0]


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_piece_of_yaml_is_a_spec_or_goes_into_one(block):
    least, more = (read_yaml(text.replace("${SHOP_DATABASE}", "sqlite://")).values for text in (LEAST, block))
    assert ForecastSpec.model_validate({**least, **more}).name == "sales"


def test_every_page_is_listed_once_for_assistants():
    text = (DOCS / "llms.txt").read_text(encoding="utf-8")
    assert re.match(r"# \S.*\n\n> \S.*\n", text)
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): \S", text, re.M)
    assert all((DOCS / link).is_file() for link in links)
    pages = [*(f"{file.name}" for file in DOCS.glob("*.md")), "../README.md", "orchestrators/README.md"]
    assert sorted(links) == sorted(pages)
