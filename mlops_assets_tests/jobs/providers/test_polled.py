"""The services under the real poller and ledger: whatever is lost, each thing is made once, and no secret is kept."""

import logging
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.poller import run_due
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets.jobs.view import prepare
from mlops_assets.resources.databases import make_engine
from mlops_assets_tests.jobs.conftest import Hands
from mlops_assets_tests.jobs.providers import shop as shops
from mlops_assets_tests.jobs.providers.conftest import CANARY
from mlops_assets_tests.jobs.providers.test_amazon_forecast import EXTERNAL as AMAZON
from mlops_assets_tests.jobs.providers.test_databricks import EXTERNAL as DATABRICKS
from mlops_assets_tests.jobs.providers.test_rest import REST, declared
from mlops_assets_tests.jobs.providers.test_sagemaker import EXTERNAL as SAGEMAKER

SERVICES = {
    "rest": lambda url: declared(REST, url),
    "amazon_forecast": lambda url: AMAZON.format(url=url, exchange="nowhere"),
    "databricks": lambda url: DATABRICKS.format(url=url, result="result.csv"),
    "sagemaker": lambda url: SAGEMAKER.format(url=url),
}


class Desk:
    """A forecast that is asked of a service, and a poller that looks every two minutes."""

    def __init__(self, service: str, stand_in: StandIn, folder: Path) -> None:
        text = SERVICES[service](stand_in.url)
        self.shop = shops.Shop(text, folder, SHOP_TOKEN=CANARY, DATABRICKS_TOKEN=CANARY)
        self.clock, self.file, self.rows = Hands(), folder / "jobs.db", pd.DataFrame()
        engine = make_engine(f"sqlite:///{self.file}")
        prepare(engine)
        self.ledger = Ledger(engine, self.clock, "tester")
        self.jobs = self.ledger.intend(*self.shop.jobs())
        self.told: list[str] = []

    def collect(self, job: Job) -> None:
        self.rows = self.shop.provider.collect(job)
        self.ledger.change(job, "collected", state="collected")

    def look(self, times: int = 40) -> list[str]:
        """Look until all jobs have ended, and return their states."""
        for _ in range(times):
            looked = run_due(self.ledger, lambda _: self.shop.provider, lambda _: self.shop, self.collect)
            self.told += [f"{found.event} {found.message}" for found in looked]
            self.clock.pass_by(minutes=2, seconds=1)
            if not any(job.open for job in self.now()):
                break
        return [job.state for job in self.now()]

    def now(self) -> list[Job]:
        return [self.ledger.get(job.job_key) for job in self.jobs]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("trouble", ["lost", "throttle", "not_json", "expired"])
def test_each_thing_is_made_once_whatever_becomes_of_the_first_answers(
    stand_in: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture, service: str, trouble: str
):
    desk = Desk(service, stand_in, tmp_path)
    stand_in.world.faults.all.append(Fault(trouble, times=3))
    with caplog.at_level(logging.DEBUG, logger="mlops_assets"):
        assert set(desk.look()) == {"collected"}, desk.told
    assert len(desk.rows) == 12
    names = Counter((thing.kind, thing.name, thing.request.get("DatasetArn")) for thing in stand_in.world.things())
    assert set(names.values()) == {1}
    calls = shops.told(stand_in.world.calls())
    if trouble == "lost" and service in ("rest", "sagemaker"):  # found by name: not so much as asked for again
        assert calls[{"rest": "rest.submit", "sagemaker": "sagemaker.CreateTransformJob"}[service]] == 1
    kept = desk.file.read_bytes() + "\n".join(desk.told).encode() + caplog.text.encode()
    assert CANARY.encode() not in kept
    if trouble == "expired":
        named = {"rest": "SHOP_TOKEN", "databricks": "DATABRICKS_TOKEN"}.get(service, "AWS_SECRET_ACCESS_KEY")
        assert any(named in line for line in desk.told)


@pytest.mark.parametrize("service", SERVICES)
def test_a_state_that_nobody_knows_ends_in_a_refusal(stand_in: StandIn, tmp_path: Path, service: str):
    desk = Desk(service, stand_in, tmp_path)
    stand_in.world.faults.all.append(Fault("unknown_state"))
    first = desk.look()[0]
    assert first == "refused"
    assert "evitating" in desk.now()[0].error.lower()


@pytest.mark.parametrize("service", SERVICES)
def test_a_job_that_hangs_is_given_up_at_its_deadline_and_stopped(stand_in: StandIn, tmp_path: Path, service: str):
    desk = Desk(service, stand_in, tmp_path)
    stand_in.world.faults.all.append(Fault("hang"))
    desk.look(times=2)
    desk.clock.pass_by(days=400)
    desk.look(times=2)
    assert desk.now()[0].state == "expired"
    assert any(thing.stopped for thing in stand_in.world.things())
