"""What goes wrong in production goes wrong here, to real processes: the round is complete all the same, and once.

The short form is in the default run. In the long one (`make test-chaos`, a seed in MLOPS_TEST_CHAOS) each fault happens
to a round of its own, in an order and at moments that the seed chooses.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlops_assets.catalog.asset_graph import asset_keys
from mlops_assets.catalog.names import DAILY
from mlops_assets.catalog.partitions import before
from mlops_assets.definitions import build
from mlops_assets_tests.channels import Hook
from mlops_assets_tests.live.deployment import Deployment, declared, deployment

SEED = os.environ.get("MLOPS_TEST_CHAOS", "")
AWAY = 60.0
"""Seconds that a service is away."""
TICK = 75.0
"""Seconds within which the sensor of alerts has looked."""

pytestmark = pytest.mark.process
long = pytest.mark.skipif(not SEED, reason="the long form: make test-chaos")


@dataclass
class Storm:
    """One forecast to which something happens.

    Attributes:
        here: where it runs.
        name: of the forecast.
        due: its partitions that the schedule is to ask for, and the one before them.
        random: says when things happen.
    """

    here: Deployment
    name: str
    due: list[str]
    random: random.Random

    def wait(self, most: float = 4.0) -> None:
        """Wait for a moment of some seconds."""
        time.sleep(self.random.uniform(0, most))

    def begin(self) -> None:
        """Switch the schedule on, and wait until its round is under way."""
        self.here.switch_on(self.name)
        self.here.begun(self.name)
        self.wait()

    def complete(self) -> None:
        """Wait until all is there, once."""
        self.here.complete(self.name, self.due)


def nothing(storm: Storm) -> None:
    storm.begin()
    storm.complete()


def worker_killed(storm: Storm) -> None:
    storm.begin()
    for worker in storm.here.stack.workers():
        worker.kill()
    storm.complete()


def code_server_killed(storm: Storm) -> None:
    storm.begin()
    storm.here.stack.kill("code")
    storm.wait()
    storm.here.stack.start("code")
    storm.complete()


def code_server_killed_alone(storm: Storm) -> None:
    """Its runs' processes are left, and must not go on beside the runs that are made again."""
    storm.begin()
    left = storm.here.stack.workers()
    storm.here.stack.kill("code", alone=True)
    storm.here.stack.start("code")
    storm.here.until(lambda: not any(one.is_running() for one in left), "what the code server has left ends")
    storm.complete()


def daemon_killed(storm: Storm) -> None:
    storm.here.switch_on(storm.name)
    storm.wait(8)
    storm.here.stack.kill("daemon")
    storm.wait()
    storm.here.stack.start("daemon")
    storm.complete()


def database_restarted(storm: Storm) -> None:
    storm.begin()
    storm.here.stack.stop("postgres")
    storm.wait(8)
    storm.here.stack.start("postgres")
    storm.complete()


def mlflow_away(storm: Storm) -> None:
    storm.here.switch_on(storm.name)
    storm.here.stack.kill("mlflow")
    time.sleep(AWAY)
    storm.here.stack.start("mlflow")
    storm.complete()


def storage_hangs(storm: Storm) -> None:
    storm.begin()
    with storm.here.stack.away("s3"):
        time.sleep(AWAY)
    storm.complete()


def two_daemons(storm: Storm) -> None:
    storm.here.stack.start("daemon 2")
    storm.begin()
    storm.complete()
    storm.here.stack.kill("daemon 2")


def backfill_meanwhile(storm: Storm) -> None:
    """Ask for thirty older days, as a person does under Assets, while the schedule runs."""
    from dagster._core.execution.backfill import PartitionBackfill

    spec = storm.here.spec(storm.name)
    month = before(spec, storm.due[0], 30)
    graph = build(storm.here.settings).get_repository_def().asset_graph
    storm.here.instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id="month",
            asset_graph=graph,
            partition_names=month,
            asset_selection=asset_keys(spec, DAILY),
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=storm.here.instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )
    storm.wait()
    storm.here.switch_on(storm.name)
    storm.here.complete(storm.name, [*month, *storm.due])


def spec_edited(storm: Storm) -> None:
    """Ask for a longer horizon in the middle of a round; the code server is replaced, as a deploy does."""
    file = storm.here.settings.forecasts / f"{storm.name}.yaml"
    storm.begin()
    file.write_text(file.read_text().replace("horizon: 7", "horizon: 8"))
    storm.here.stack.stop("code")
    storm.here.stack.start("code")
    storm.here.complete(storm.name, storm.due, before_edit=7)


FAULTS: list[Callable[[Storm], None]] = [
    nothing,
    worker_killed,
    code_server_killed,
    code_server_killed_alone,
    daemon_killed,
    database_restarted,
    mlflow_away,
    storage_hangs,
    two_daemons,
    backfill_meanwhile,
    spec_edited,
]
ORDER = random.Random(SEED).sample(FAULTS, len(FAULTS))


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment with a forecast for each fault."""
    folder, hook = tmp_path_factory.mktemp("production"), Hook()
    declared(folder / "forecasts", *(fault.__name__ for fault in FAULTS))
    with deployment(folder, "postgres", "s3", "mlflow", "code", "daemon", hook=hook) as here:
        yield here
    hook.stop()


@long
@pytest.mark.parametrize("fault", ORDER, ids=lambda fault: fault.__name__)
def test_a_round_is_complete_and_once_after(production: Deployment, fault: Callable[[Storm], None]):
    name = fault.__name__
    fault(Storm(production, name, production.learn(name), random.Random(f"{SEED} {name}")))


@long
def test_people_were_told_once_and_of_nothing_that_passed(production: Deployment):
    time.sleep(TICK)
    told = production.told()
    assert set(told.values()) <= {1}, told
    assert [title for title in told if ": run failure" in title or ": stale data" in title] == []


def test_a_killed_round_two_daemons_and_a_broken_spec(tmp_path: Path, empty_mlflow: Path, hook: Hook):
    """The short form: the daemon was down over ticks, then there are two, and the process of the round is killed."""
    declared(tmp_path / "forecasts", "demo")
    with deployment(tmp_path, "postgres", "s3", "mlflow", hook=hook, mlflow=empty_mlflow) as here:
        due = here.learn("demo")
        broken = tmp_path / "forecasts" / "broken.yaml"
        broken.write_text((tmp_path / "forecasts" / "demo.yaml").read_text().replace("horizon: 7", "horizon: none"))
        here.stack.start("code")
        here.switch_on("demo")
        here.stack.start("daemon", "daemon 2")
        here.begun("demo").kill()
        here.complete("demo", due)
        here.until(lambda: here.hook.bodies, "people are told of the broken spec")
        assert set(here.told().values()) == {1}
        assert [title.partition(":")[0] for title in here.told()] == ["broken"]
