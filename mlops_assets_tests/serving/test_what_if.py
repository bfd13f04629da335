"""What if: a champion is asked over HTTP, and nothing is changed."""

from dataclasses import fields
from typing import Any

import pytest
from starlette.testclient import TestClient

from mlops_assets.environments import Stores
from mlops_assets.serving.app import build_app
from mlops_assets_tests.serving.conftest import HERE
from mlops_assets_tests.worlds import HISTORY, World, declare, panel, sandbox

PATH = "/v1/forecasts/demo/what-if"


@pytest.fixture(scope="module")
def champion(tmp_path_factory, empty_mlflow):
    """A client of a server whose forecast has a champion that knows promotions ahead."""
    folder = tmp_path_factory.mktemp("champion")
    data = panel(items=2)
    promotion = (data["day"].dt.day % 9 == 0).astype(int)
    data = data.assign(promotion=promotion, sales=data["sales"] * (1 + 2 * promotion))
    until = {"kind": "daily", "start": "2024-03-01", "end": "2024-05-11"}
    spec = declare(folder / "forecasts", data, covariates={"known": ["promotion"], "past": ["rain"]}, partitions=until)
    settings = sandbox(folder, empty_mlflow)
    world = World(spec, settings)
    world.run("observations", "quarantine", partition=HISTORY)
    world.train()
    stores = Stores(**{part.name: world.resources[part.name] for part in fields(Stores)})
    with TestClient(build_app(settings, stores), base_url=HERE) as client:
        yield client


def test_the_champion_says_what_would_be_different(champion):
    asked = {"changes": ["promotion=1"], "items": ["shop 1"]}
    said: dict[str, Any] = champion.post(PATH, json=asked).json()
    assert said["total"] == 7
    assert said["model"].startswith("version 1 (random_forest) of demo, the champion")
    assert {row["item_id"] for row in said["rows"]} == {"shop 1"}
    assert sum(row["changed"] for row in said["rows"]) > 1.5 * sum(row["now"] for row in said["rows"])
    columns = champion.post(f"{PATH}?format=columns", json=asked).json()["columns"]
    assert columns["changed"] == [row["changed"] for row in said["rows"]]
    assert len(champion.app.state.served.what_if._open) == 1


@pytest.mark.parametrize(
    ("body", "status", "parameter", "words"),
    [
        ({"changes": ["price=1"], "items": ["shop 1"]}, 422, "changes", "Known ahead of time: promotion"),
        ({"changes": ["promotion"], "items": ["shop 1"]}, 422, "changes", "not NAME=CHANGE"),
        ({"changes": ["promotion=1"], "items": ["shop 9"]}, 422, "items", "shop 1"),
        ({"changes": ["promotion=1"], "items": []}, 422, "items", "at least 1"),
        ({"changes": [], "items": ["shop 1"]}, 422, "changes", "at least 1"),
        ({"changes": ["promotion=1"], "items": ["shop 1"], "orign": "x"}, 422, "orign", "not permitted"),
        ([], 422, "", ""),
    ],
)
def test_what_cannot_be_asked_is_told(champion, body, status, parameter, words):
    answer = champion.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert not parameter or answer.json()["parameter"] == parameter


def test_one_question_at_a_time(champion, monkeypatch):
    monkeypatch.setattr("mlops_assets.serving.what_if.WAIT_SECONDS", 0.01)
    with champion.app.state.served.what_if._one:
        answer = champion.post(PATH, json={"changes": ["promotion=1"], "items": ["shop 1"]})
    assert answer.status_code == 429
    assert answer.headers["retry-after"]


def test_without_a_champion_nobody_can_say(client):
    answer = client.post("/v1/forecasts/demo/what-if", json={"changes": ["rain=1"], "items": ["shop 0"]})
    assert answer.status_code == 422
    assert answer.json()["advice"] == ["mlops-assets run demo"]
