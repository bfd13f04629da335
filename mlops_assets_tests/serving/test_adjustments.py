"""Adjusting over HTTP: the name is the token's, and whatever is wrong is said as everywhere."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from mlops_assets_tests.serving.conftest import ODD

ANNA = {"Authorization": "Bearer writing-secret-1"}
URL = "/v1/forecasts/demo"
DAY = "2024-03-13"


@pytest.fixture(scope="module")
def writing(clients: Callable[..., TestClient]) -> TestClient:
    return clients(MLOPS_API_TOKEN="reading-secret-123", MLOPS_API_WRITE_TOKEN="anna:writing-secret-1")


def _rows(client: TestClient, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{URL}{path}", params=params, headers=ANNA)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_adjusted_read_taken_back_and_locked(writing: TestClient) -> None:
    body = {"item": ODD[1], "since": DAY, "kind": "value", "amount": 321.5, "reason": "promotion"}
    tried = writing.post(f"{URL}/adjustments", json={**body, "dry_run": True}, headers=ANNA)
    assert (tried.status_code, tried.json()["number"]) == (200, None)
    made = writing.post(f"{URL}/adjustments", json=body, headers=ANNA)
    assert made.status_code == 201, made.text
    said = made.json()
    assert (said["number"], said["made_by"], said["rows"][0]["after"]) == (1, "anna", 321.5)
    (published,) = _rows(writing, "", item=ODD[1], start=DAY, end=DAY)
    (system,) = _rows(writing, "", item=ODD[1], start=DAY, end=DAY, version="system")
    assert (published["q50"], published["adjustment"]) == (321.5, 1)
    assert (system["q50"], system["adjustment"]) == (said["rows"][0]["system"], None)
    gone = writing.post(f"{URL}/adjustments/1/withdraw", json={"note": "called off"}, headers=ANNA)
    assert (gone.status_code, gone.json()["action"]) == (201, "withdraw")
    assert [row["state"] for row in _rows(writing, "/adjustments")] == ["ended by 2", ""]
    assert _rows(writing, "", item=ODD[1], start=DAY, end=DAY)[0]["q50"] == system["q50"]
    locked = writing.post(f"{URL}/locks", json={"item": "sum:*", "since": DAY}, headers=ANNA)
    assert locked.status_code == 201
    refused = writing.post(f"{URL}/adjustments", json=body, headers=ANNA)
    assert refused.status_code == 409
    assert refused.json()["advice"] == ["mlops-assets adjust demo --unlock 3"]
    assert [row["number"] for row in _rows(writing, "/locks")] == [3]
    assert writing.post(f"{URL}/locks/3/unlock", json={}, headers=ANNA).status_code == 201
    assert _rows(writing, "/locks") == []


def test_the_name_is_no_field_and_nobody_writes_without_a_token_that_may(
    writing: TestClient, client: TestClient
) -> None:
    body = {"item": "shop 0", "since": DAY, "amount": 2, "reason": "x"}
    named = writing.post(f"{URL}/adjustments", json={**body, "made_by": "boss"}, headers=ANNA)
    assert named.status_code == 422
    assert "made_by" in named.json()["error"]
    reads = {"Authorization": "Bearer reading-secret-123"}
    assert writing.post(f"{URL}/adjustments", json=body, headers=reads).status_code == 403
    assert writing.post(f"{URL}/adjustments", json=body).status_code == 401
    assert "MLOPS_API_WRITE_TOKEN" in client.post(f"{URL}/adjustments", json=body).json()["error"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"item": "shop 00"}, 404, "did you mean shop 0"),
        ({"item": "x" * 5_000}, 422, "item"),
        ({"since": "soon"}, 422, "'soon' is no moment"),
        ({"since": "2024-01-01"}, 422, "is over"),
        ({"amount": "a lot"}, 422, "amount"),
        ({"amount": None}, 422, "amount"),
        ({"amount": -1}, 422, "zero or above"),
        ({"kind": "share"}, 422, "kind"),
        ({"reason": ""}, 422, "has to say why"),
        ({"replaces": 99}, 422, "no adjustment 99"),
    ],
)
def test_what_is_wrong_is_said(writing: TestClient, changes: dict[str, Any], status: int, words: str) -> None:
    body = {"item": "shop 0", "since": DAY, "amount": 2, "reason": "x", **changes}
    answer = writing.post(f"{URL}/adjustments", json=body, headers=ANNA)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.json()["parameter"] in changes


def test_whether_people_have_helped(writing: TestClient) -> None:
    assert _rows(writing, "/value-added", by="person") == []
    assert writing.get(f"{URL}/value-added", params={"by": "boss"}, headers=ANNA).status_code == 422
