"""How a source revises: which share, how late, by how much."""

import pandas as pd

from mlops_assets.forecasting.monitoring.revising import revising

FIRST = pd.Timestamp("2024-03-02 06:00")


def version(item: str, day: int, target: float, known: int, until: int | None) -> dict[str, object]:
    moment = FIRST + pd.Timedelta(days=known)
    ended = pd.NaT if until is None else FIRST + pd.Timedelta(days=until)
    day_of = pd.Timestamp(f"2024-03-0{day}")
    return {"item_id": item, "timestamp": day_of, "target": target, "known_at": moment, "superseded_at": ended}


def test_a_source_that_revises_once_early_and_once_late() -> None:
    versions = pd.DataFrame(
        [
            version("a", 1, 10.0, 0, 2),
            version("a", 1, 11.0, 2, 9),
            version("a", 1, 12.0, 9, None),
            version("b", 1, 5.0, 0, 1),
            version("c", 1, 100.0, 0, 2),
            version("c", 1, 110.0, 2, None),
            version("d", 1, 1.0, 0, None),
        ]
    )
    found = revising(versions)
    assert found.values == 4
    assert found.after == {0: 0.75, 1: 0.5, 7: 0.25, 30: 0.0}
    assert str(found) == (
        "75.0% of 4 values were revised after they were first stored, 25.0% after more than 7 days, by 15.0% in the "
        "median; 1 went away"
    )


def test_nothing_is_said_of_a_source_that_never_revises() -> None:
    assert str(revising(pd.DataFrame([version("a", 1, 1.0, 0, None)]))) == ""
