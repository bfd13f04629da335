"""A journal is the same after it was written and read."""

import json

import pytest
from pydantic import ValidationError

from mlops_assets.simulation.journal import (
    Asked,
    Course,
    Day,
    Decided,
    Fan,
    Happened,
    JobEvent,
    Journal,
    Point,
    Told,
)

DAY = Day(
    "2024-03-01",
    happened=(Happened("outage"), Happened("drifting item", "east", begins=False)),
    came=4,
    quarantined=1,
    observed=(Point("east", "2024-03-01", 3.5),),
    asked=(Asked("retraining", "refit", "too high", rule="relative"),),
    decided=(Decided(2, "refused", "worse than the champion", ("champion",)),),
    champion=1,
    forecasts=(Fan("east", ("2024-03-02", "2024-03-03"), (1.0, 1.5), (2.0, 2.5), (3.0, 3.5)),),
    wql=0.1,
    naive=0.2,
    alerts=(Told("late", "nothing came"),),
    jobs=(JobEvent("demo-1", "failed", "it hung"),),
    cpu_seconds={"ingest": 0.1},
)
JOURNAL = Journal(
    "simulated",
    "0.2.0",
    "abc",
    7,
    30,
    left_out=("outage",),
    days=(DAY, Day("2024-03-02", faults=("east on 2024-03-01 is stored twice",))),
    courses=(Course("never", "", (None, 0.3), (0.0, 0.0)),),
)


def test_a_journal_survives_json() -> None:
    assert Journal.from_json(json.loads(json.dumps(JOURNAL.to_json()))) == JOURNAL


def test_what_is_no_journal_is_refused() -> None:
    with pytest.raises(ValidationError, match="forecast"):
        Journal.from_json({"days": []})


def test_faults_stand_with_their_day() -> None:
    assert JOURNAL.faults == ("2024-03-02: east on 2024-03-01 is stored twice",)
