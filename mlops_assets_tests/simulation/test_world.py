"""A seed is one story, and together the seeds have everything that may happen."""

import pandas as pd
import pytest

from mlops_assets.errors import UsageError
from mlops_assets.simulation.world import CALM, LEFT_OUT, QUIET, Kind, World


def test_a_seed_is_one_story() -> None:
    one, again, other = World.of(3), World.of(3), World.of(4)
    assert one.happenings == again.happenings != other.happenings
    pd.testing.assert_frame_equal(one.truth, again.truth)


def test_each_seed_leaves_some_kinds_out_and_together_they_have_all() -> None:
    worlds = [World.of(seed) for seed in range(5)]
    assert {len(world.left_out) for world in worlds} == {LEFT_OUT}
    assert {one.kind for world in worlds for one in world.happenings} == set(Kind)


def test_nothing_goes_wrong_at_the_beginning_and_at_the_end() -> None:
    world = World.of(1, 90)
    assert all(CALM <= one.first < 90 - QUIET for one in world.happenings)


def test_a_world_needs_time() -> None:
    with pytest.raises(UsageError, match="too few"):
        World.of(0, days=30)


def test_the_outside_service_is_asked_before_during_and_after_its_trouble() -> None:
    world = World.of(0)
    trouble = world.of_kind(Kind.SERVICE)
    assert trouble is not None
    asked = [day for day in range(365) if world.serves(day)]
    assert asked[0] < trouble.first < trouble.after < asked[-1]
    assert len(asked) < 30
