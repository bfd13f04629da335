"""What a service makes lies in the ledger beside ours: once, checked, with the role that it has, whatever is killed."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.catalog.spending import Spending
from mlops_assets.jobs.poller import WRONG_ANSWERS
from mlops_assets.jobs.providers.service_errors import WrongAnswerError
from mlops_assets.lifecycle.lost import champion_failed
from mlops_assets.stages.external import collect
from mlops_assets_tests.stages.external.service import DAY, Shop

ROWS = 4 * 7
OURS = "seasonal_naive"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def leading(tmp_path: Path) -> Shop:
    """A shop whose service is champion."""
    made = Shop(tmp_path)
    made.switch("champion")
    return made


def states(shop: Shop) -> list[str]:
    return [job.state for job in shop.jobs.ledger.of("demo")]


def alerts(shop: Shop) -> pd.DataFrame:
    return shop.tables.read(["demo", "alerts"]) if shop.tables.exists(["demo", "alerts"]) else pd.DataFrame()


def test_a_shadow_stands_beside_ours_and_changes_nothing_of_it(shop: Shop) -> None:
    shop.round()
    before = shop.ledger()
    (result,) = shop.look()
    assert (result.changed, result.partition, states(shop)) == (True, DAY, ["collected"])
    assert shop.roles() == {OURS: ({"delivered"}, {"champion"}, ROWS), "rest": ({"shadow"}, {"shadow"}, ROWS)}
    after = shop.ledger()
    ours = after[after["job_key"] == ""].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours[before.columns], before, check_dtype=False)
    both = ours.merge(after[after["source"] == "rest"], on=["item_id", "lead"], suffixes=("", "_theirs"))
    for name in ("naive", "mase_scale", "rmsse_scale", "timestamp", "origin"):
        assert both[name].tolist() == both[f"{name}_theirs"].tolist(), name
    assert both["mean_theirs"].tolist() == pytest.approx((both["mean"] + 1).tolist())
    assert shop.look() == [], "nothing is left to do"
    (job,) = shop.jobs.ledger.of("demo")
    assert job.submitted_at is not None
    assert job.finished_at is not None
    spent = Spending(shop.tables, "demo").monthly().set_index("asset").loc["external_forecasts"]
    assert (spent["steps"], spent["waited_seconds"]) == (1, (job.finished_at - job.submitted_at).total_seconds())


def test_a_champion_is_waited_for_then_delivered_and_ours_is_the_shadow(leading: Shop) -> None:
    leading.round()
    assert leading.roles() == {OURS: ({"delivered"}, {"waiting"}, ROWS)}
    assert collect.waits(leading.spec, leading.tables, DAY)
    leading.look()
    assert leading.roles() == {OURS: ({"shadow"}, {"waiting"}, ROWS), "rest": ({"delivered"}, {"champion"}, ROWS)}
    assert not collect.waits(leading.spec, leading.tables, DAY)


def test_a_round_that_is_made_again_keeps_what_the_service_has_made(leading: Shop) -> None:
    leading.round()
    leading.look()
    before = leading.roles()
    leading.round()
    again = leading.roles()
    assert again["rest"] == before["rest"]
    assert again[OURS][0] == {"shadow"}
    assert states(leading) == ["collected"], "the same observations are the same job"


def test_a_champion_that_misses_its_deadline_is_late_and_told_once(leading: Shop) -> None:
    leading.service.done = False
    leading.round()
    leading.look()
    assert leading.roles() == {OURS: ({"delivered"}, {"waiting"}, ROWS)}
    leading.look(hours=10)
    assert states(leading) == ["expired"]
    assert leading.roles() == {OURS: ({"delivered"}, {"late"}, ROWS)}
    leading.look()
    told = alerts(leading)
    assert told["event"].tolist() == ["late"]
    assert "delivered_because: late" in told["what"].iloc[0]


@pytest.mark.parametrize("ours", ["refused", "no_champion"])
def test_whoever_of_ours_stands_in_is_waiting_and_late(leading: Shop, ours: str) -> None:
    leading.service.done = False
    leading.round(because=ours)
    assert leading.roles() == {OURS: ({"delivered"}, {"waiting"}, ROWS)}
    leading.look(hours=11)
    assert leading.roles() == {OURS: ({"delivered"}, {"late"}, ROWS)}


def test_that_our_own_champion_is_lost_is_not_hidden_by_a_service_that_is_late(leading: Shop) -> None:
    leading.service.done = False
    leading.round(because="unloadable")
    leading.look(hours=11)
    assert alerts(leading)["event"].tolist() == ["late"]
    assert leading.roles() == {OURS: ({"delivered"}, {"unloadable"}, ROWS)}
    assert champion_failed(leading.tables, "demo")


def test_what_comes_after_the_deadline_is_kept_as_a_shadow(leading: Shop) -> None:
    leading.service.done = False
    leading.round()
    leading.look()
    (job,) = leading.jobs.ledger.of("demo")
    leading.jobs.ledger.change(job, "succeeded", state="succeeded")  # its poller died before it could fetch
    leading.look(hours=11)
    assert states(leading) == ["collected"]
    assert leading.roles() == {OURS: ({"delivered"}, {"late"}, ROWS), "rest": ({"shadow"}, {"shadow"}, ROWS)}


@pytest.mark.parametrize("point", ["stored", "merged"])
def test_who_is_killed_half_way_does_it_again_to_the_same_rows(
    leading: Shop, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading.round()

    class Killed(BaseException):
        pass

    change = type(leading.jobs.ledger).change

    def die(*arguments: Any, **changes: Any) -> Any:
        if point == "stored" or changes.get("state") == "collected":
            raise Killed
        return change(*arguments, **changes)

    with monkeypatch.context() as patch:
        if point == "stored":
            patch.setattr(collect, "settle", die)
        else:
            patch.setattr(type(leading.jobs.ledger), "change", die)
        with pytest.raises(Killed):
            leading.look()
    assert states(leading) == ["succeeded"]
    leading.look()
    assert states(leading) == ["collected"]
    assert leading.roles()["rest"] == ({"delivered"}, {"champion"}, ROWS)
    assert not leading.ledger().duplicated(["item_id", "lead", "source"]).any()


SPOILT = {
    "twice": lambda rows: pd.concat([rows, rows.head(2)]),
    "never observed": lambda rows: rows.replace({"item_id": {"shop 1": "shop 99"}}),
    "less than 7 steps": lambda rows: rows[:-3],
    "not within the 7 steps": lambda rows: rows.assign(timestamp=rows["timestamp"] + pd.Timedelta(days=1)),
    "no number": lambda rows: rows.assign(mean=rows["mean"].mask(rows.index == 3)),
    "quantiles that cross": lambda rows: rows.assign(q10=rows["q90"] + 5),
    "no column q90": lambda rows: rows.drop(columns="q90"),
    "no rows": lambda rows: rows.head(0),
}


@pytest.mark.parametrize("reason", SPOILT)
def test_an_answer_that_was_not_asked_for_is_refused_and_touches_nothing(shop: Shop, reason: str) -> None:
    shop.service.spoil = SPOILT[reason]
    shop.round()
    before = shop.ledger()
    shop.look()
    (job,) = shop.jobs.ledger.of("demo")
    assert job.state == "refused"
    assert reason in job.error
    pd.testing.assert_frame_equal(shop.ledger(), before)
    assert not shop.tables.exists(["demo", "external_forecasts"])
    assert alerts(shop)["event"].tolist() == ["no answer"]


@pytest.mark.parametrize("by", ["a look", "a run of Dagster"])
def test_a_service_that_says_it_is_done_and_has_nothing_is_refused_long_before_its_deadline(
    leading: Shop, by: str
) -> None:
    def nothing(rows: pd.DataFrame) -> pd.DataFrame:
        raise WrongAnswerError("404, though it said that the job is done")

    leading.service.spoil = nothing
    leading.round()
    leading.look()
    (job,) = leading.jobs.ledger.of("demo")
    for _ in range(2, WRONG_ANSWERS):
        if by == "a look":
            leading.look(hours=1)
        else:
            with pytest.raises(WrongAnswerError):
                collect.finish(leading.spec, leading, job.job_key)
    assert states(leading) == ["succeeded"]
    assert leading.roles()[OURS][1] == {"waiting"}
    collect.finish(leading.spec, leading, job.job_key)
    assert leading.jobs.ledger.get(job.job_key).error.startswith("5 answers made no sense; the last: 404, though")
    assert leading.roles() == {OURS: ({"delivered"}, {"late"}, ROWS)}
    assert alerts(leading)["event"].tolist() == ["late"]


def test_a_look_is_at_each_job_that_is_due_however_many(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MOST_JOBS", 1)
    shop.service.done = False
    shop.round("2024-05-08", "2024-05-09", DAY)
    shop.look()
    shop.look()
    assert set(states(shop)) == {"running"}
    before = {job.job_key: job.next_look_at for job in shop.jobs.ledger.of("demo")}
    shop.look()
    assert all(job.next_look_at > before[job.job_key] for job in shop.jobs.ledger.of("demo"))


def test_items_that_a_champion_leaves_out_are_ours_and_told(leading: Shop) -> None:
    leading.service.spoil = lambda rows: rows[rows["item_id"] != "shop 2"]
    leading.round()
    (result,) = leading.look()
    assert "1 of our items are not among them: shop 2" in result.words
    used = leading.ledger().query("role == 'delivered'")
    assert len(used) == ROWS
    assert used.groupby("source")["item_id"].unique().map(list).to_dict()[OURS] == ["shop 2"]


def test_items_that_are_long_gone_are_left_out_as_of_ours(shop: Shop) -> None:
    first = shop.tables.read(["demo", "observations"], ["2024-03-01"])
    gone = first.head(1).assign(item_id="gone")
    shop.tables.write(["demo", "observations"], pd.concat([first, gone]), "2024-03-01")
    shop.service.spoil = lambda rows: pd.concat([rows, rows.head(7).assign(item_id="gone")])
    shop.spec = shop.spec.model_copy(update={"horizon": 7})
    shop.round()
    (result,) = shop.look()
    assert result.good, result.words
    assert "gone" not in set(shop.ledger()["item_id"])


def test_of_a_long_backfill_only_the_latest_origins_are_asked_and_waited_for(
    leading: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_assets.stages.external.asking.MOST", 2)
    days = ["2024-05-08", "2024-05-09", DAY]
    leading.round(*days)
    assert [leading.roles(day)[OURS][1] for day in days] == [{"champion"}, {"waiting"}, {"waiting"}]
    assert {job.partition for job in leading.jobs.ledger.of("demo")} == set(days[1:])


def test_a_failure_is_told_once_and_is_no_news_after(shop: Shop) -> None:
    shop.service.spoil = SPOILT["twice"]
    shop.round()
    assert [result.good for result in shop.look()] == [False]
    assert shop.look() == []


def test_bounds_and_costs_are_those_of_our_own(tmp_path: Path) -> None:
    made = Shop(tmp_path, maximum=40, costs={"under": 3, "over": 1})
    made.round()
    made.look()
    assert 0.75 in made.service.requests[0].task.quantiles, "the point that costs least is asked for"
    rows = made.ledger().query("source == 'rest'")
    assert len(rows) == ROWS
    assert rows[["mean", "q10", "q50", "q90"]].max().max() == 40
    assert "q75" not in rows
    assert rows["point"].between(rows["q50"], rows["q90"]).all()


def test_a_switch_holds_from_the_next_round_on(shop: Shop) -> None:
    shop.round()
    shop.at("2024-05-11T07:00")
    shop.switch("champion")
    shop.round("2024-05-11")
    shop.look()
    assert shop.roles()["rest"][0] == {"shadow"}
    assert shop.roles("2024-05-11")["rest"][0] == {"delivered"}
