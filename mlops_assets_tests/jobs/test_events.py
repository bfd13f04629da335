"""Messages of a real queue over HTTP: what they name is woken, nothing of what they say is believed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from mlops_assets.automation.collecting import build_collect_job
from mlops_assets.automation.polling import build_polling_sensor
from mlops_assets.commands.main import main
from mlops_assets.jobs.events import _mentions
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.resource import Jobs
from mlops_assets.settings import Settings, SettingsError
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.jobs.conftest import job
from mlops_assets_tests.stages.external.service import JobsOf, Shop
from mlops_assets_tests.worlds import declare


class Queue:
    """A queue of its own, and its address."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.url = client, client.create_queue(QueueName=name)["QueueUrl"]

    def send(self, body: Any) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=body if isinstance(body, str) else json.dumps(body))

    @property
    def left(self) -> int:
        """How many messages are in it, those that somebody has read and not deleted among them."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=wanted)["Attributes"]
        return sum(map(int, found.values()))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.s3(tmp_path_factory.mktemp("sqs")) as (_, options):
        yield options["endpoint"]


@pytest.fixture
def queue(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Queue:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1")
    return Queue(client, f"q{abs(hash(request.node.name))}")


def settings_of(folder: Path, url: str) -> Settings:
    return Settings.read({"MLOPS_DATA": str(folder / "data"), "MLOPS_EVENTS_QUEUE": url})


S3_EVENT = {
    "Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "sales-in"}, "object": {"key": "a%2Bb.csv"}}}]
}


def test_a_message_wakes_what_it_names_and_is_gone(tmp_path, queue):
    settings = settings_of(tmp_path, queue.url)
    jobs = Jobs(settings)
    named, other = (Ledger.open(settings).intend(job(n))[0] for n in (1, 2))
    later = jobs.ledger.now().replace(year=2099)
    for one in (named, other):
        jobs.ledger.change(
            one, "submitted", state="submitted", external_id=f"run-{one.job_key[:4]}", next_look_at=later
        )
    before = jobs.ledger.get(named.job_key)
    queue.send({"detail": {"TransformJobName": named.external_name, "TransformJobStatus": "Failed"}})
    queue.send(S3_EVENT)
    queue.send("no JSON at all \N{PILE OF POO}")
    specs = [
        declare(tmp_path / "a", name="shops", source={"kind": "file", "path": "s3://sales-in/daily/*.csv"}),
        declare(tmp_path / "b", name="others", source={"kind": "file", "path": "s3://sales-in-too/daily/*.csv"}),
    ]
    woken = jobs.events(specs)
    assert (woken.messages, woken.jobs, woken.forecasts) == (3, [named.job_key], ["shops"])
    seen = jobs.ledger.get(named.job_key)
    assert seen.next_look_at < later
    assert (seen.state, seen.external_id, seen.error) == (before.state, before.external_id, ""), "asked, not believed"
    assert jobs.ledger.get(other.job_key).next_look_at == later
    assert queue.left == 0
    assert jobs.events(specs).messages == 0


def test_the_sensor_of_jobs_reads_the_queue_where_no_source_is_watched(tmp_path, queue):
    shop = Shop(tmp_path)
    shop.service.done = False
    shop.jobs = JobsOf(settings_of(tmp_path, queue.url).model_copy(update={"now": "2024-05-11T06:00"}), shop.service)
    (sensor,) = build_polling_sensor([shop.spec], [build_collect_job(shop.spec)])
    (watching,) = build_polling_sensor([shop.spec, declare(tmp_path / "b", arrivals=True)], [])

    def tick(one: dg.SensorDefinition) -> Any:
        with dg.DagsterInstance.ephemeral() as instance:
            resources = {"tables": shop.tables, "jobs": shop.jobs}
            with dg.build_sensor_context(instance, resources=resources) as context:
                return one(context)

    shop.round()
    assert tick(sensor).skip_message == "looked at 1 jobs; none has ended"
    assert tick(sensor).skip_message == "no job is due"
    (job,) = shop.jobs.ledger.of("demo")
    shop.service.done = True
    queue.send({"id": job.external_id, "status": "FAILED"})
    assert tick(watching).skip_message == "no job is due"
    assert queue.left == 1, "the sensor of arrivals reads it"
    (request,) = tick(sensor)
    assert request.job_name == "demo_collect"
    assert queue.left == 0


def test_hundreds_of_messages_are_read_at_a_time(tmp_path, queue):
    for number in range(25):
        queue.send({"demo": number})
    woken = Jobs(settings_of(tmp_path, queue.url)).events([declare(tmp_path / "forecasts")])
    assert (woken.messages, woken.forecasts) == (25, ["demo"])
    assert queue.left == 0


def test_the_command_drains_too_and_a_queue_that_is_away_is_one_line(tmp_path, queue, monkeypatch):
    declare(tmp_path / "forecasts")
    for name, value in {"DATA": tmp_path / "data", "FORECASTS": tmp_path / "forecasts"}.items():
        monkeypatch.setenv(f"MLOPS_{name}", str(value))
    none = CliRunner().invoke(main, ["events", "drain", "--json"])
    assert (none.exit_code, json.loads(none.stdout)["error"][:30]) == (2, "there is no queue of events: s")
    monkeypatch.setenv("MLOPS_EVENTS_QUEUE", queue.url)
    queue.send("demo")
    done = CliRunner().invoke(main, ["events", "drain", "--json"])
    assert json.loads(done.stdout) == {"messages": 1, "jobs": [], "forecasts": ["demo"]}
    monkeypatch.setenv("MLOPS_EVENTS_QUEUE", "http://127.0.0.1:9/1234/name")
    away = CliRunner().invoke(main, ["events", "drain"])
    assert away.exit_code == 1
    (line,) = away.stderr.splitlines()  # of no keys, if boto3 has looked for them before this test
    assert line.startswith("mlops-assets: sqs (receive_message): ")


def test_without_a_queue_nothing_is_asked_for():
    assert Jobs(Settings.read({})).events([]).messages == 0
    with pytest.raises(SettingsError, match="MLOPS_EVENTS_QUEUE"):
        Settings.read({"MLOPS_EVENTS_QUEUE": "my-queue"})


@pytest.mark.parametrize(
    ("text", "found"), [("see demo", True), ("demo-2", False), ("my_demo", False), ('{"k":"demo"}', True), ("", False)]
)
def test_a_name_is_a_whole_word(text, found):
    assert _mentions(text, ["", "demo"]) is found
