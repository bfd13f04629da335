"""The report's section on the jobs of an external service."""

from pathlib import Path

from mlops_assets.report import jobs
from mlops_assets.report.state import Sources
from mlops_assets_tests.stages.external.service import DAY, Shop


def test_the_latest_jobs_are_shown_with_what_is_next(tmp_path: Path):
    shop = Shop(tmp_path)
    sources = Sources(shop.spec, shop.tables, None, shop.clock, shop.notifications, jobs=shop.jobs)
    assert jobs.section(sources).tables == []
    shop.round()
    shown = jobs.section(sources)
    first = f"Of {DAY} the next thing to do is: start (rest forecast is intended). 1 job of the latest 1 is open."
    assert shown.sentences == [first]
    assert shown.tables[0].rows.iloc[0, :3].tolist() == [DAY, "forecast", "intended"]


def test_a_ledger_that_does_not_answer_is_a_line(tmp_path: Path, monkeypatch):
    shop = Shop(tmp_path)
    monkeypatch.setattr(shop.jobs.ledger, "of", lambda *_, **__: {}["rows"])
    sources = Sources(shop.spec, shop.tables, None, shop.clock, shop.notifications, jobs=shop.jobs)
    assert jobs.section(sources).sentences == ["The ledger of jobs cannot be read: KeyError: 'rows'"]
