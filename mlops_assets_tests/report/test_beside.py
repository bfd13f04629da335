"""Service and model side by side: in the state of a forecast, its report, its terminal and MLflow's metrics."""

from pathlib import Path

import pytest

from mlops_assets.commands.rendering.status import service_line
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.report.beside import metrics_of, section
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
    assert "rest and our model on the same rows: the 8 forecasts of 2024-05-11 to 2024-05-12" in page.sentences[0]
    assert [picture.draw() for picture in page.pictures]


def test_a_word_other_than_the_specs_and_a_champion_that_is_late_are_told(shop: Shop) -> None:
    shop.switch("champion")
    shop.service.done = False
    shop.round()
    assert "delivered: seasonal_naive (waiting)" in service_line(state_of(shop))
    shop.look(hours=11)
    line = service_line(state_of(shop))
    assert "rest is champion since 2024-05-11" in line
    assert "the spec says shadow, and the last word counts" in line
    assert "delivered: seasonal_naive (late)" in line
    assert section(sources(shop)).tables == []


def test_a_forecast_without_a_service_has_none_of_it(tmp_path: Path) -> None:
    plain = Shop(tmp_path, external=None)
    assert external_state(sources(plain)) is None
    assert metrics_of(None) == {}
    assert section(sources(plain)).sentences == []
