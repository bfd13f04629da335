"""The role of an external service: the spec begins, people switch it, the log's last word counts."""

from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import DecisionError, Decisions, Entry
from mlops_assets.lifecycle.roles import Roles
from mlops_assets_tests.stages.external.service import EXTERNAL
from mlops_assets_tests.worlds import declare

NOW = datetime(2024, 5, 10, 6, tzinfo=timezone.utc)


@pytest.fixture
def roles(tmp_path: Path) -> Roles:
    return Roles(MemoryTables(), declare(tmp_path, external=EXTERNAL))


def test_a_switch_counts_from_its_moment_on_and_is_taken_back_in_one_step(roles: Roles) -> None:
    assert (roles.of().role, roles.of().differs) == ("shadow", False)
    roles.switch("champion", "ada", "better for a month", NOW)
    found = roles.of()
    assert (found.role, found.declared, found.decided_by, found.reason) == (
        "champion",
        "shadow",
        "ada",
        "better for a month",
    )
    assert found.differs
    assert roles.of(pd.Timestamp("2024-05-10 05:59")).role == "shadow"
    assert roles.of(NOW).role == "champion"
    assert roles.before() == "shadow"
    roles.switch(roles.before(), "bob", "worse again", NOW)
    assert roles.of().role == "shadow"
    assert roles.before() == "champion"


def test_what_cannot_be_switched_says_why(roles: Roles, tmp_path: Path) -> None:
    with pytest.raises(DecisionError, match="is shadow of demo already"):
        roles.switch("shadow", "ada", "why not", NOW)
    with pytest.raises(DecisionError, match="never switched"):
        roles.before()
    with pytest.raises(DecisionError, match="has to say why"):
        roles.switch("champion", "ada", " ", NOW)
    with pytest.raises(DecisionError, match="no external service"):
        Roles(MemoryTables(), declare(tmp_path / "other"))


def test_a_word_on_one_service_says_nothing_of_another(roles: Roles, tmp_path: Path) -> None:
    roles.switch("champion", "ada", "because", NOW)
    other = {"service": "sagemaker", "exchange": "s3://b/p", "sagemaker": {"region": "eu-west-1", "model": "deepar"}}
    assert Roles(roles.log._log._tables, declare(tmp_path, external=other)).of().role == "shadow"


def test_the_log_of_versions_does_not_see_them_and_numbers_go_on(roles: Roles) -> None:
    log: Decisions = roles.log
    log.append(lambda rows: Entry("gate", "promoted", 1, None, 1, "gate", "good"), NOW)
    number, _ = roles.switch("champion", "ada", "because", NOW)
    made = log.append(lambda rows: Entry("gate", "refused", 2, 1, 1, "gate", "bad"), NOW)
    assert number == 2
    assert made is not None
    assert made[0] == 3
    assert log.all()["number"].tolist() == [1, 3]
    assert log.roles()["number"].tolist() == [2]
    assert decisions.champion_of(log.all()) == 1
