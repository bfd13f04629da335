"""Days of a made-up world are taken in by the real stages, and the auditor finds nothing lost, doubled or made up."""

from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.simulation.auditor import Auditor
from mlops_assets.simulation.mornings import Mornings
from mlops_assets.simulation.world import LEFT_OUT, Kind, World

DAYS, WARM_UP = 34, 4


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_lost_or_doubled(seed: int, tmp_path: Path) -> None:
    world, auditor = World.of(seed, DAYS, WARM_UP), Auditor()
    mornings = Mornings(world, tmp_path)
    for day in range(DAYS):
        auditor.see(world.source(day), mornings.ingest(day))
        assert auditor.faults(mornings.stored()) == [], f"seed {seed}, day {day}"


def test_the_auditor_sees_what_is_lost_doubled_and_changed() -> None:
    days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"])
    auditor = Auditor()
    auditor.see(pd.DataFrame({"day": days, "item": "a", "sales": ["1.0", "2.0", "x"]}), [])
    stored = pd.DataFrame({"item_id": "a", "timestamp": days[[0, 0]], "target": [1.0, 1.5]})
    assert auditor.faults(stored) == [
        "a on 2024-01-01 is stored twice",
        "a on 2024-01-01 must be 1.0 and is 1.5",
        "a on 2024-01-02 must be 2.0 and is None",
    ]


def test_a_seed_is_one_story() -> None:
    one, again, other = World.of(3), World.of(3), World.of(4)
    assert one.happenings == again.happenings != other.happenings
    pd.testing.assert_frame_equal(one.truth, again.truth)


def test_each_seed_leaves_some_kinds_out_and_together_they_have_all() -> None:
    kinds = [{one.kind for one in World.of(seed).happenings} for seed in range(5)]
    assert {len(found) for found in kinds} == {len(Kind) - LEFT_OUT}
    assert set().union(*kinds) == set(Kind)


def test_a_world_needs_time() -> None:
    with pytest.raises(ValueError, match="too few"):
        World.of(0, days=30)
