"""Service and model side by side: in the state of a forecast, its report, its terminal and MLflow's metrics."""

from pathlib import Path

import pytest

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.report.beside import metrics_of, section, standing
from mlops_assets.report.overview import ExternalState
from mlops_assets.report.state import Sources, external_state
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.stages.external.service import DAY, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def sources(shop: Shop) -> Sources:
    return Sources(shop.spec, shop.tables, Tracking(uri="http://127.0.0.1:9"), shop.clock, shop.notifications)


def state_of(shop: Shop) -> ExternalState:
    found = external_state(sources(shop))
    assert found is not None
    return found


def score(shop: Shop, *days: str) -> None:
    """Score what was forecast of some days, as the asset does."""
    made = shop.tables.read(["demo", "forecasts"])
    for day in days:
        actuals = shop.tables.read(["demo", "observations"], [day])
        scored = ledger.match(made, actuals, shop.spec.task, zero=False)
        shop.tables.write(["demo", "forecast_accuracy"], scored, day)


def test_both_are_shown_on_the_same_rows(shop: Shop) -> None:
    shop.round()
    shop.look()
    score(shop, "2024-05-11", "2024-05-12")
    found = state_of(shop)
    assert (found.role, found.latest, found.rows) == ("shadow", DAY, 2 * 4)
    assert set(found.scores) == {"rest", "ours"}
    assert found.scores["rest"]["naive_mase"] == found.scores["ours"]["naive_mase"]
    assert metrics_of(found)["beside/rest/mase"] == found.scores["rest"]["mase"]
    page = section(sources(shop))
    assert "rest and our model on the same rows: the 8 forecasts of 2024-05-11 to 2024-05-12" in page.sentences[1]
    both, leads = (table.rows for table in page.tables)
    assert {*both["model"]} == {"ours", "rest"}
    assert list(leads) == ["lead", "ours", "rest", "seasonal_naive"]
    assert leads["lead"].tolist() == [1, 2]


def test_a_word_other_than_the_specs_and_a_champion_that_is_late_are_told(shop: Shop) -> None:
    shop.switch("champion")
    shop.service.done = False
    shop.round()
    assert "delivered: ours (seasonal_naive), waiting" in standing(state_of(shop))
    shop.look(hours=11)
    line = standing(state_of(shop))
    assert "rest is champion since 2024-05-11" in line
    assert "the spec says shadow, and the last word counts" in line
    assert "delivered: ours (seasonal_naive), late" in line
    page = section(sources(shop))
    assert (page.sentences, page.tables) == ([f"{line}."], [])


def test_who_is_delivered_until_a_switch_holds_is_told(shop: Shop) -> None:
    shop.round()
    shop.look()
    shop.switch("champion")
    assert standing(state_of(shop)).endswith(
        "delivered: ours (seasonal_naive), the switch holds from the next round on"
    )
    shop.round()
    shop.look()
    assert standing(state_of(shop)).endswith("; delivered: rest")
    shop.switch("shadow")
    assert standing(state_of(shop)).endswith("delivered: still rest, the switch holds from the next round on")


def test_a_forecast_without_a_service_has_none_of_it(tmp_path: Path) -> None:
    plain = Shop(tmp_path, external=None)
    assert external_state(sources(plain)) is None
    assert metrics_of(None) == {}
    assert section(sources(plain)).sentences == []
