"""What a round says that it has made."""

from pathlib import Path

import pytest

from mlops_assets.errors import NotYetError
from mlops_assets.rounds.outcome import outcome_of
from mlops_assets_tests.stages.external.service import DAY, Shop


@pytest.mark.parametrize("because", ["champion", "refused"])
def test_a_service_that_is_champion_is_waited_for_whoever_stands_in_for_it(tmp_path: Path, because: str) -> None:
    shop = Shop(tmp_path)
    shop.switch("champion")
    shop.round(because=because)
    with pytest.raises(NotYetError, match="is not there yet; ours stands in for it"):
        outcome_of(shop.spec, [DAY], shop, 0).require_all()
    shop.look()
    shop.look()
    made = outcome_of(shop.spec, [DAY], shop, 0)
    assert (made.waits_for, made.source) == ("", "rest")


def test_a_shadow_is_not_waited_for(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.round()
    outcome_of(shop.spec, [DAY], shop, 0).require_all()
