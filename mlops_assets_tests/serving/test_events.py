"""A message over HTTP wakes the job that it names."""

from starlette.testclient import TestClient

from mlops_assets.jobs.ledger import Ledger
from mlops_assets.serving.app import build_app
from mlops_assets_tests.jobs.conftest import job
from mlops_assets_tests.reading.stored import store
from mlops_assets_tests.serving.conftest import HERE, settings_of


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
