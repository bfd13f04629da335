"""A message over HTTP wakes the job that it names, and a webhook of MLflow the sensor approvals."""

import time
from dataclasses import replace
from typing import Any

import dagster as dg
from starlette.testclient import TestClient

from mlops_assets.automation.approvals import Approvals
from mlops_assets.environments import stores_of
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.serving.app import build_app
from mlops_assets.serving.deliveries import DELIVERY, OLDEST, SIGNATURE, TIMESTAMP, signature
from mlops_assets_tests.automation import ticks
from mlops_assets_tests.jobs.conftest import job
from mlops_assets_tests.reading.stored import store
from mlops_assets_tests.serving.conftest import HERE, running, settings_of

SECRET = "signing-secret"
TOLD = b'{"entity": "model_version_tag", "action": "set", "data": {"name": "demo"}}'


def test_a_message_wakes_the_job_that_it_names_and_no_other(tmp_path):
    settings = settings_of(store(tmp_path, rounds=2), tmp_path, MLOPS_API_WRITE_TOKEN="anna:a-secret")
    ledger = Ledger.open(settings)
    named, other = (ledger.intend(job(n))[0] for n in (1, 2))
    later = ledger.now().replace(year=2099)
    for one in (named, other):
        ledger.change(one, "submitted", state="submitted", external_id=f"run-{one.job_key[:4]}", next_look_at=later)
    with TestClient(build_app(settings), base_url=HERE) as client:
        body = {"detail": {"TransformJobName": named.external_name}}
        anna = {"authorization": "Bearer a-secret"}
        answer = client.post("/v1/events", json=body, headers=anna)
        wrong = [b"", b"job=1", b"{", b"\xff", b"{}", b"[]", b"7", b"null"]
        refused = [client.post("/v1/events", content=one, headers=anna) for one in wrong]
    assert answer.status_code == 202, answer.text
    assert answer.json()["jobs"] == [named.job_key]
    assert {one.status_code for one in refused} == {422}
    assert "the body is no JSON" in refused[1].json()["error"]
    assert "the body names nothing" in refused[4].json()["error"]
    assert ledger.get(named.job_key).next_look_at < later
    assert ledger.get(other.job_key).next_look_at == later


def deliver(address: str, model: str) -> Any:
    """Let MLflow tell of a tag, by the code that its server does it with; return the answer."""
    from mlflow.entities.webhook import Webhook, WebhookAction, WebhookEntity, WebhookEvent
    from mlflow.webhooks import delivery

    event = WebhookEvent(WebhookEntity.MODEL_VERSION_TAG, WebhookAction.SET)
    webhook = Webhook("1", "approvals", address, [event], 0, 0, secret=SECRET)
    payload: Any = {"name": model, "version": "1", "key": "approval", "value": "approved by Ann"}
    return delivery._send_webhook_request(webhook, payload, event, delivery._create_webhook_session())


def test_a_webhook_of_mlflow_gives_its_forecast_a_turn_of_approvals(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    stored = store(tmp_path, rounds=2)
    settings = settings_of(stored, tmp_path, MLOPS_API_TOKEN="reading-secret", MLOPS_WEBHOOK_SECRET=SECRET)
    stores = replace(stores_of(settings), tables=stored.tables)
    needed = {name: getattr(stores, name) for name in Approvals.needs}
    with dg.build_sensor_context(dg.DagsterInstance.ephemeral(), resources=needed) as context:
        said = [ticks.tick(stored.spec, "demo_approvals", context).skip_message for _ in range(2)]
        with running(build_app(settings, stores)) as address:
            answers = [deliver(f"{address}v1/events/mlflow", model) for model in ("demo", "another")]
        said += [ticks.tick(stored.spec, "demo_approvals", context).skip_message for _ in range(3)]
    assert [one.status_code for one in answers] == [202, 202], [one.text for one in answers]
    assert answers[0].json() == {"event": "model_version_tag.set", "forecasts": ["demo"]}
    assert answers[1].json()["forecasts"] == []
    looked, nothing = "no version waits for approval", "nothing is new of 1 forecast"
    assert said == [looked, nothing, looked, looked, nothing]


def headers(secret: str = SECRET, age: float = 0, body: bytes = TOLD) -> dict[str, str]:
    at = str(int(time.time() - age))
    return {DELIVERY: "1", TIMESTAMP: at, SIGNATURE: signature(secret, "1", at, body)}


def test_what_is_not_signed_and_young_is_refused(clients, stored):
    client = clients(MLOPS_WEBHOOK_SECRET=SECRET)
    wrong, old = "X-MLflow-Signature is not what MLOPS_WEBHOOK_SECRET makes", "X-MLflow-Timestamp is more than 300 s"
    for sent, body, status, words in [
        (headers("another-secret"), TOLD, 401, wrong),
        ({}, TOLD, 401, wrong),
        ({**headers(), SIGNATURE: "v1,é".encode()}, TOLD, 401, wrong),
        (headers(), TOLD.replace(b"demo", b"demi"), 401, wrong),
        ({**headers(), TIMESTAMP: "1700000000"}, TOLD, 401, wrong),
        (headers(age=OLDEST + 60), TOLD, 401, old),
        (headers(age=-OLDEST - 60), TOLD, 401, old),
        (headers(body=b"{}"), b"{}", 422, "the delivery names no registered model"),
        (headers(body=b"["), b"[", 422, "the delivery names no registered model"),
    ]:
        answer = client.post("/v1/events/mlflow", content=body, headers=sent)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert not stored.tables.exists(["demo", "registry_calls"])


def test_without_a_secret_no_webhook_is_taken(clients, stored):
    answer = clients(MLOPS_API_WRITE_TOKEN="anna:a-secret").post("/v1/events/mlflow", content=TOLD, headers=headers())
    assert answer.status_code == 403
    assert answer.json()["error"] == "webhooks are off: the server has no MLOPS_WEBHOOK_SECRET"
    assert not stored.tables.exists(["demo", "registry_calls"])
