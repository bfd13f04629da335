"""Who is champion: the log decides, the aliases follow; over a real MLflow database and memory or files."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pandas as pd
import pytest

from mlops_assets.errors import UsageError
from mlops_assets.io_managers import MemoryTables, ObjectTables
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import DecisionError
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.resources.clock import Clock
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.lifecycle import doomed_decision
from mlops_assets_tests.tracking.planted import plant

ALL = os.environ.get("MLOPS_TEST_LIFECYCLE") == "all"
"""Set by `make test-lifecycle`: every round and every kill, which takes minutes."""
ROUNDS = 20 if ALL else 2
"""Of eight promoters at once."""


@pytest.fixture
def tracking(tmp_path, empty_mlflow):
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_mlflow.read_bytes())
    return Tracking(uri=f"sqlite:///{file}")


@pytest.fixture
def life(tracking):
    return Lifecycle(MemoryTables(), tracking, Clock(), "demo")


def judge(outcome, evidence="e", reason="because"):
    return lambda champion, log: Verdict(outcome, reason, '{"verdict": "better", "rules": []}', evidence)


def at(moment: str, life: Lifecycle) -> Lifecycle:
    """The same life at another moment."""
    life._clock = Clock(fixed=moment)
    return life


def aliases(life: Lifecycle) -> dict[str, int]:
    found = {name: life.registry.by_alias(name) for name in ("champion", "challenger", "previous")}
    return {name: version.number for name, version in found.items() if version}


def test_a_promotion_is_a_row_an_alias_tags_and_a_page(life, tracking, tmp_path):
    version = plant(tracking, tmp_path, trained_until="2024-05-01")
    number, entry = life.decide(version, judge("promoted"), {"trigger": "by hand", "run_id": "r1"})
    (row,) = life.log.all().to_dict("records")
    assert (number, row["number"], row["kind"], row["outcome"]) == (1, 1, "gate", "promoted")
    assert (row["version"], row["champion_after"], row["decided_by"]) == (1, 1, "gate")
    assert pd.isna(row["champion_before"])
    assert row["data_version"] == "data 1"
    assert row["trained_until"] == pd.Timestamp("2024-05-01")
    assert aliases(life) == {"champion": 1, "challenger": 1}
    tags = life.registry.version(1).tags
    assert (tags["stage"], tags["decision"], tags["decided_by"]) == ("Production", "promoted", "gate")
    page = (tmp_path / "runs" / version.run_id / "artifacts" / "decisions" / "000001.md").read_text()
    assert "demo: promoted (decision 1)" in page
    assert entry.champion_after == 1


def test_a_refusal_leaves_the_champion(life, tracking, tmp_path):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    _, entry = life.decide(plant(tracking, tmp_path), judge("refused"), {})
    assert (entry.champion_before, entry.champion_after) == (1, 1)
    assert aliases(life) == {"champion": 1, "challenger": 2}
    assert life.registry.version(2).tags["decision"] == "refused"


def test_the_same_evidence_is_recorded_once(life, tracking, tmp_path):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    second = plant(tracking, tmp_path)
    first = life.decide(second, judge("refused", "e1"), {})
    assert life.decide(second, judge("refused", "e1"), {}) == first
    assert len(life.log.all()) == 2
    life.decide(second, judge("promoted", "e2"), {})
    assert life.decide(second, judge("promoted", "e2"), {})[1].outcome == "unchanged"
    assert life.log.all()["outcome"].tolist() == ["promoted", "refused", "promoted"]


def test_who_stands_aside_is_no_champion_until_a_person_approves_it(life, tracking, tmp_path):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    life.decide(plant(tracking, tmp_path), judge("kept aside"), {})
    assert decisions.aside(life.log.all()) == [2]
    assert aliases(life)["champion"] == 1
    life.approve(2, "Ann", "better at Christmas")
    assert (decisions.aside(life.log.all()), aliases(life)["champion"]) == ([], 2)


def test_who_waits_is_approved_by_a_person_or_rejected(life, tracking, tmp_path):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    life.decide(plant(tracking, tmp_path), judge("awaiting approval"), {})
    life.decide(plant(tracking, tmp_path), judge("awaiting approval"), {})
    assert decisions.waiting(life.log.all()) == [2, 3]
    life.approve(2, "Ann", "looks right")
    life.reject(3, "Bob", "not now")
    assert aliases(life) == {"champion": 2, "challenger": 3, "previous": 1}
    assert life.log.all()["decided_by"].tolist() == ["gate", "gate", "gate", "Ann", "Bob"]
    with pytest.raises(
        DecisionError, match=r"version 3 of demo does not wait for approval: it was rejected \(decision 5"
    ):
        life.approve(3, "Ann", "again")
    life.approve(3, "Ann", "after all", force=True)
    assert life.champion().number == 3


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda life: life.approve(1, "Ann", "why"), "is the champion already"),
        (lambda life: life.approve(9, "Ann", "why"), "demo has no version 9; there are: 1, 2"),
        (lambda life: life.approve(2, "Ann", "why"), "has not been judged yet"),
        (lambda life: life.reject(1, "Ann", "why"), "does not wait for approval: it was promoted"),
        (lambda life: life.rollback("Ann", "why"), "had no other champion to go back to"),
        (lambda life: life.rollback("Ann", "why", to=1), "is the champion already"),
    ],
)
def test_decisions_that_cannot_be_taken(life, tracking, tmp_path, act, words):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    plant(tracking, tmp_path)
    with pytest.raises(DecisionError, match=words):
        act(life)
    with pytest.raises(UsageError, match="needs who takes it"):
        life.approve(2, " ", "why")
    assert len(life.log.all()) == 1


@pytest.mark.parametrize("harm", ["missing", "tampered", "unrecorded"])
def test_a_version_whose_file_is_not_the_registered_one_is_refused_by_name(life, tracking, tmp_path, harm):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    life.decide(plant(tracking, tmp_path, **({"sha256": ""} if harm == "unrecorded" else {})), judge("promoted"), {})
    file = tmp_path / "demo" / "1" / "artifacts" / "forecaster.skops"
    if harm == "missing":
        file.unlink()
    elif harm == "tampered":
        file.write_bytes((tmp_path / "demo" / "2" / "artifacts" / "forecaster.skops").read_bytes())
    else:
        life.rollback("Ann", "back")
    with pytest.raises(DecisionError, match=r"version \d of demo cannot be used: "):
        life.rollback("Ann", "worse than before", to=2 if harm == "unrecorded" else 1)


def test_a_rollback_is_one_step_and_what_left_stays_away(life, tracking, tmp_path):
    for _ in range(3):
        life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    _, entry = life.rollback("Ann", "forecasts far too high")
    assert (entry.version, entry.champion_before, entry.champion_after) == (2, 3, 2)
    assert aliases(life) == {"champion": 2, "challenger": 3, "previous": 1}
    assert life.registry.version(3).tags["stage"] == "Archived"
    log = life.log.all()
    assert decisions.rolled_back(log, "data 3", "spec").startswith("by Ann on ")
    assert decisions.rolled_back(log, "data 2", "spec") == ""
    assert decisions.rolled_back(log, "data 3", "another spec") == ""
    life.rollback("Ann", "and further")
    assert aliases(life) == {"champion": 1, "challenger": 3}
    life.approve(3, "Bob", "it was the source", force=True)
    assert decisions.rolled_back(life.log.all(), "data 3", "spec") == ""
    assert life.champion().number == 3


def test_who_was_champion_when(life, tracking, tmp_path):
    at("2024-01-10T00:00:00", life).decide(plant(tracking, tmp_path), judge("promoted"), {})
    at("2024-02-10T00:00:00", life).decide(plant(tracking, tmp_path), judge("refused"), {})
    at("2024-03-10T00:00:00", life).decide(plant(tracking, tmp_path), judge("promoted"), {})
    at("2024-04-10T00:00:00", life).rollback("Ann", "back")
    log = life.log.all()
    reigns = decisions.reigns(log)
    assert reigns["version"].tolist() == [1, 3, 1]
    assert reigns["until"].tolist()[:2] == reigns["since"].tolist()[1:]
    assert pd.isna(reigns["until"].iloc[-1])

    def then(text):
        return decisions.champion_of(log, datetime.fromisoformat(text).replace(tzinfo=timezone.utc))

    days = ("2024-01-09", "2024-01-10", "2024-02-20", "2024-03-10", "2024-05-01")
    assert [then(day) for day in days] == [None, 1, 1, 3, 1]


def test_an_alias_moved_by_hand_or_left_behind_is_put_right(life, tracking, tmp_path):
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    life.decide(plant(tracking, tmp_path), judge("promoted"), {})
    life.registry.set_alias("champion", 1)
    life.registry.set_tags(1, {"stage": "Production"})
    life.repair()
    assert aliases(life) == {"champion": 2, "challenger": 2, "previous": 1}
    assert [life.registry.version(n).tags["stage"] for n in (1, 2)] == ["Archived", "Production"]


def test_a_champion_from_before_the_log_is_taken_over(life, tracking, tmp_path):
    plant(tracking, tmp_path)
    life.registry.set_alias("champion", 1)
    assert life.champion().number == 1
    _, entry = life.decide(plant(tracking, tmp_path), judge("refused"), {})
    assert (entry.champion_before, entry.champion_after) == (1, 1)
    assert life.champion().number == 1


def test_eight_promoters_at_once_leave_the_best_as_champion_and_every_decision_recorded(tmp_path, empty_mlflow):
    """Each sees a champion, compares, and is overtaken; in each round the champion is a new one."""
    quality: dict[int, float] = {}

    def better(mine):
        def decide(champion, log):
            present = quality[champion.number] if champion else float("inf")
            won = quality[mine] < present
            return Verdict("promoted" if won else "refused", f"{quality[mine]} against {present}", "", f"{champion}")

        return decide

    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_mlflow.read_bytes())
    tables, tracking = ObjectTables(base=str(tmp_path / "tables")), Tracking(uri=f"sqlite:///{file}")
    name, versions = "", []
    for turn in range(ROUNDS):
        if turn % 5 == 0:
            name = f"demo{turn}"
            quality.clear()
            versions = [plant(tracking, tmp_path, name) for _ in range(8 * min(5, ROUNDS))]
        batch = versions[(turn % 5) * 8 : (turn % 5 + 1) * 8]
        # The best of a round is nobody's first or last: 5 4 3 2 0 1 6 7, each round better than the one before.
        quality |= {v.number: 100 - 10 * (turn % 5) + (5, 4, 3, 2, 0, 1, 6, 7)[n] for n, v in enumerate(batch)}
        lives = [Lifecycle(tables, tracking, Clock(), name) for _ in batch]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda life, v: life.decide(v, better(v.number), {}), lives, batch))
        best = min(batch, key=lambda version: quality[version.number])
        assert lives[0].champion().number == best.number
        assert tracking.registry(name).champion().number == best.number
        log = lives[0].log.all()
        assert log["number"].tolist() == list(range(1, len(log) + 1))
        assert sorted(log["version"].tail(8)) == [version.number for version in batch]


def test_a_promotion_killed_before_any_of_its_writes_is_whole_after_the_next_start(tmp_path, empty_mlflow):
    template, copies = tmp_path / "template", tmp_path / "copies"
    template.mkdir()
    (template / "mlflow.db").write_bytes(empty_mlflow.read_bytes())
    life = doomed_decision.life_in(template)
    tracking = Tracking(uri=f"sqlite:///{template}/mlflow.db")
    life.decide(plant(tracking, tmp_path / "files"), judge("promoted"), {})
    plant(tracking, tmp_path / "files")
    command = [sys.executable, "-m", doomed_decision.__name__, str(template), str(copies), "1" if ALL else "8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    numbers = [int(number) for number in done.stdout.split()]
    assert numbers[-1] > 5
    for number in numbers:
        found = doomed_decision.life_in(copies / str(number))
        found.repair()
        decided = found.log.all()
        # Killed before the row was written, nothing was decided; after it, everything follows.
        assert decided["version"].tolist() == ([1] if number == 0 else [1, 2])
        champion = found.registry.champion()
        assert champion.number == decided["champion_after"].iloc[-1]
        assert found.registry.load(champion)["number"] == champion.number
        found.decide(found.registry.version(2), judge("promoted", "e"), {})
        assert found.log.all()["version"].tolist() == [1, 2]
        assert aliases(found) == {"champion": 2, "challenger": 2, "previous": 1}
        assert [found.registry.version(n).tags["stage"] for n in (1, 2)] == ["Archived", "Production"]
