"""The page on leaving a service says what happens: its commands are run as they stand, against the stand-in."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.spec import load_spec
from mlops_assets_tests.worlds import sandbox

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "leaving_amazon_forecast.md").read_text(encoding="utf-8")
SHIPPED = ROOT / "mlops_assets" / "forecasts"
PORT = 8765


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def calls() -> list[list[str]]:
    """The page's calls of our command line, in their order."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("mlops-assets ")]


@pytest.fixture
def small(tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example with the block of the page, cut down to three series, half a year and a model that costs nothing."""
    settings = sandbox(tmp_path, empty_mlflow, "local")
    folder = tmp_path / "forecasts"
    folder.mkdir()
    rows = pd.read_csv(SHIPPED / "nyc_departures.csv")
    rows = rows[(rows["origin"] == "JFK") & rows["carrier"].isin(["B6", "DL", "UA"]) & (rows["date"] >= "2013-07-01")]
    rows.to_csv(folder / "nyc_departures.csv", index=False)
    text = (
        (SHIPPED / "nyc_departures.yaml").read_text().replace("kind: random_forest\n  seed: 0", "kind: seasonal_naive")
    )
    text = text.replace("windows: 3", "windows: 1").replace("history_from: 2013-01-01", "history_from: 2013-07-01")
    block = (ROOT / "docs" / "examples" / "rest_service.yaml").read_text()
    (folder / "nyc_departures.yaml").write_text(text + block)
    values = {"ENV": "local", "DATA": settings.data, "FORECASTS": settings.forecasts}
    for name, value in values.items():
        monkeypatch.setenv(f"MLOPS_{name}", str(value))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return folder / "nyc_departures.yaml"


def test_the_commands_of_the_page_do_what_it_says(small: Path) -> None:
    said: list[str] = []
    with StandIn() as service:
        small.write_text(small.read_text().replace(f"http://127.0.0.1:{PORT}", service.url))
        for words in calls():
            if words[0] == "stand-in":
                assert words == ["stand-in", "--port", str(PORT)]
                continue
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, f"{' '.join(words)}: {done.output}"
            said.append(done.output)
        asked = [one["count"] for one in service.world.calls() if one["operation"] == "rest.submit"]
    assert asked == [1] * 8, "each day is asked for once, however often its round is run"
    first, shadow, champion, again, led, back, history = said
    assert "2013-12-16: 42 rows of 3 items" in first
    answers = first.index("2013-12-16: 42 rows of 3 items")
    assert " report " in first[answers:], "the page is drawn again with what the service has made"
    assert "rest is shadow" in shadow
    assert re.search(r"side by side, \d+ forecasts that both have made", shadow)
    assert "rest is champion (decision" in champion
    assert "external_jobs" in again
    assert led.splitlines()[0].endswith("delivered: rest")
    assert "rest is shadow (decision" in back
    assert all(words in " ".join(history.split()) for words in ("a month of better", "ours is better", "champion"))


def test_the_block_of_amazon_forecast_can_be_read(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    file = tmp_path / "nyc_departures.yaml"
    file.write_text((SHIPPED / "nyc_departures.yaml").read_text() + block)
    external = load_spec(file).external
    assert external is not None
    assert (external.service, external.role) == ("amazon_forecast", "champion")
