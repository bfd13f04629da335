"""A forecast of three items, and a chain that is run step by step as the poller would."""

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.jobs.job import Job, chain
from mlops_assets.jobs.providers.protocol import Provider, Request, Status
from mlops_assets.jobs.providers.registry import provider_of
from mlops_assets.jobs.providers.service_errors import ServiceError
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets.spec import parse_spec

ITEMS = ("hats", "shoes", "Ünder/wear")
ORIGINS = {"D": "2026-03-01", "W-SUN": "2026-03-01", "ME": "2026-02-28", "h": "2026-03-01 07:00"}


class Shop:
    """What is asked, and the data of it.

    Attributes:
        spec: of the forecast.
        request: of its service.
        provider: of its service.
    """

    def __init__(self, external: str, folder: Path | str, frequency: str = "D", **environ: str) -> None:
        text = f"""\
name: shop
source: {{kind: file, path: a.csv}}
columns: {{item_id: item, timestamp: day, target: sales}}
frequency: {frequency}
partitions: {{start: 2024-01-01}}
horizon: 4
covariates: {{known: price, static: colour}}
{external}
"""
        self.spec = parse_spec(text, Path("shop.yaml"), environ)
        assert self.spec.external is not None
        self.frequency, self.environ = frequency, environ
        self.origin = pd.Timestamp(ORIGINS[frequency])
        self.request = Request(
            "shop", str(self.origin), self.origin, self.spec.task, "data-1", f"{folder}/shop" if folder else ""
        )
        self.provider: Provider = provider_of(self.spec.external, environ)

    @property
    def steps(self) -> pd.DatetimeIndex:
        return steps_after(self.origin, 4, self.frequency)

    def history(self) -> pd.DataFrame:
        times = pd.date_range(end=self.origin, periods=60, freq=self.frequency)
        sales = np.arange(60) % 7 + 10.0
        frames = [
            pd.DataFrame({"item_id": item, "timestamp": times, "target": sales * n, "price": 2.5, "colour": "red"})
            for n, item in enumerate(ITEMS, 1)
        ]
        whole = pd.concat(frames, ignore_index=True)
        whole.loc[5, "target"] = np.nan
        return whole

    def future(self) -> pd.DataFrame | None:
        return pd.DataFrame(
            [{"item_id": item, "timestamp": step, "price": 3.0} for item in ITEMS for step in self.steps]
        )

    def jobs(self) -> list[Job]:
        steps = self.provider.steps(self.request)
        return chain("shop", self.request.partition, self.provider.name, steps, "data-1", datetime(2027, 1, 1))

    def ended(self, job: Job, seconds: float = 5.0) -> Status:
        """Ask until it is over."""
        end = time.monotonic() + seconds
        while (status := self.provider.describe(job)).state == "running" and time.monotonic() < end:
            time.sleep(0.01)
        return status

    def run(self) -> tuple[pd.DataFrame, list[Job]]:
        """Run the chain to its rows."""
        earlier: dict[str, str] = {}
        done: list[Job] = []
        for one in self.jobs():
            job = replace(one, earlier=dict(earlier))
            job = replace(job, external_id=self.provider.submit(job, self))
            status = self.ended(job)
            assert status.state == "succeeded", status
            assert status.external_id == job.external_id
            earlier[job.step] = job.external_id
            done.append(job)
        return self.provider.collect(done[-1]), done


def told(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return how often each operation was called."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["operation"]] = counts.get(row["operation"], 0) + row["count"]
    return counts


def submitted_in_vain(shop: Shop, stand_in: StandIn, fault: Fault, expected: type[ServiceError]) -> ServiceError:
    """Submit the first job to a service that has a fault, and return what that raises."""
    stand_in.world.faults.all.append(fault)
    with pytest.raises(expected) as error:
        shop.provider.submit(shop.jobs()[0], shop)
    return error.value
