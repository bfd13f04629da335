"""The auditor sees what is lost, doubled, made up or changed."""

import pandas as pd

from mlops_assets.simulation.audit.auditor import Auditor, Rules

DAYS = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"])


def auditor() -> Auditor:
    made = Auditor(Rules(again=3, most_bad=0.4, alive=14, horizon=2))
    made.morning(pd.DataFrame({"day": DAYS[:1], "item": "a", "sales": ["1.0"]}), DAYS[0])
    return made


def test_it_sees_what_is_wrong_with_the_observations() -> None:
    made = auditor()
    made.morning(pd.DataFrame({"day": DAYS[:2], "item": "a", "sales": ["1.0", "2.0"]}), DAYS[1])
    stored = pd.DataFrame({"item_id": "a", "timestamp": DAYS[[0, 0]], "target": [1.0, 1.5]})
    assert made.faults_of_observations(stored) == [
        "a on 2024-01-01 is stored twice",
        "a on 2024-01-01 must be 1.0 and is 1.5",
        "a on 2024-01-02 must be 2.0 and is None",
    ]


def test_it_sees_what_is_wrong_with_the_ledger() -> None:
    stored = pd.DataFrame({"item_id": ["a", "a", "b"], "lead": [1, 1, 1], "mean": 1.0}).assign(origin=DAYS[0])
    assert auditor().faults_of_ledger(stored) == [
        "a on 2024-01-01 is forecast twice",
        "a from 2024-01-01, lead 2, is not forecast",
        "b from 2024-01-01, lead 1, is forecast and should not be",
    ]


def test_it_sees_that_nothing_is_stored_at_all() -> None:
    nothing = pd.DataFrame(columns=["origin", "timestamp", "item_id", "lead", "mean", "target"], dtype=object)
    assert auditor().faults_of_observations(nothing) == ["a on 2024-01-01 must be 1.0 and is None"]
    assert auditor().faults_of_ledger(nothing) == [
        "a from 2024-01-01, lead 1, is not forecast",
        "a from 2024-01-01, lead 2, is not forecast",
    ]


def test_a_day_that_cannot_be_read_is_made_up_for_once_people_were_told() -> None:
    made = auditor()
    broken = pd.DataFrame({"day": DAYS[:2], "item": "a", "sales": ["1.0", "?"]})
    made.morning(broken, DAYS[1])
    made.evening(DAYS[1])
    made.noon()
    assert DAYS[1] in made.failed, "nobody was told of a hole before a later round"
    made.morning(pd.DataFrame({"day": DAYS, "item": "a", "sales": ["1.0", "2.0", "3.0"]}), DAYS[2])
    made.evening(DAYS[2])
    made.noon()
    assert not made.failed
    assert made.ledger[DAYS[1]] == {"a"}
