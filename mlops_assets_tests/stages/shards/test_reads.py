"""How often the stages of a training read what is stored: the looks that docs/scale.md says, and no more."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.resources.rows import Only
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import backtest, judge, register
from mlops_assets.stages.shards import learning
from mlops_assets.stages.shards.history import Histories, Part, Reading
from mlops_assets_tests.stages.shards.panels import Panel, intermittent
from mlops_assets_tests.stages.shards.test_learning import task_of

READ: Counter[str] = Counter()


class CountedTables(MemoryTables):
    """Tables that count, of the observations, the rows of each column that are read."""

    def _load(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None, only: Only | None = None
    ) -> pa.Table:
        found = super()._load(key, partitions, columns, only)
        if key[-1] == "observations":
            READ.update(dict.fromkeys(found.column_names, found.num_rows))
        return found


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    one = intermittent(tmp_path_factory.mktemp("reads"))
    return replace(one, tables=CountedTables(store=one.tables.store))


@contextmanager
def looks(panel: Panel) -> Iterator[dict[str, float]]:
    """Yield how often the observations are read in the meantime, by column."""
    READ.clear()
    found: dict[str, float] = {}
    yield found
    rows = panel.tables.row_count(panel.stored("observations"))
    found |= {name: round(READ[name] / rows, 1) for name in ("item_id", "target", "kind", "promo")}


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where the folder of what is kept is not seen, as on another machine."""
    real = Reading.part

    def part(self: Reading, *given: Any) -> Part:
        return real(replace(self, kept=self.kept and replace(self.kept, folder="/no/such/folder")), *given)

    monkeypatch.setattr(Reading, "part", part)


def histories(panel: Panel) -> Histories:
    observations = panel.table("observations", panel.tables.partitions(panel.stored("observations")))
    return Histories(panel.graph, Engine.local(), observations, 3)


def test_a_training_reads_each_shard_once_where_its_workers_see_its_disk_and_else_twice(panel, monkeypatch):
    with looks(panel) as found:
        learning.training_set(panel.graph, histories(panel), None, task_of(panel))
    assert found == {"item_id": 2, "target": 1, "kind": 1, "promo": 1}
    elsewhere(monkeypatch)
    with looks(panel) as found:
        learning.training_set(panel.graph, histories(panel), None, task_of(panel))
    assert found == {"item_id": 3, "target": 2, "kind": 2, "promo": 1}


@pytest.mark.parametrize("here", [True, False])
def test_a_backtest_looks_once_more_however_many_windows_it_has(panel, here, monkeypatch):
    if not here:
        elsewhere(monkeypatch)
    task, until = task_of(panel), pd.Timestamp(panel.keys[-1])
    origins = [until - pd.Timedelta(days=task.horizon * back) for back in (4, 3, 2, 1)]
    items = histories(panel)
    with looks(panel) as found, items.kept():
        drawings = [learning.Drawing(task, origin, origin) for origin in origins]
        assert len(list(learning.rows_of(items, drawings))) == len(origins)
        windows = backtest.Windows(task, until, origins, [panel.model] * len(origins), None)
        assert len(list(items.each(backtest.forecast, windows))) == 3
    more = 0 if here else 1
    assert found == {"item_id": 2 + 2 * more, "target": 1 + 2 * more, "kind": 1 + 2 * more, "promo": 1 + more}


def test_a_full_disk_costs_a_second_look(panel, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("pyarrow.feather.write_feather", full)
    whole = learning.training_set(panel.graph, histories(panel), None, task_of(panel))
    monkeypatch.undo()
    pd.testing.assert_frame_equal(
        learning.training_set(panel.graph, histories(panel), None, task_of(panel)).rows, whole.rows, check_exact=True
    )


def test_of_the_items_in_the_pictures_alone_everything_is_read(panel):
    with looks(panel) as found:
        shown = register.largest(histories(panel), pd.Timestamp(panel.keys[-1]), items=1)
    share = round(len(shown) / panel.tables.row_count(panel.stored("observations")), 1)
    assert found == {"item_id": 2 + share, "target": 1 + share, "kind": 1 + share, "promo": share}


def test_a_trial_reads_what_a_forecast_sees(panel, monkeypatch):
    monkeypatch.setattr("mlops_assets.stages.shards.history.reach_of", lambda _: 9)
    origin, key = pd.Timestamp(panel.keys[0]), panel.stored("observations")
    seen = [name for name in panel.tables.partitions(key) if name <= panel.keys[0]][-10:]
    share = round(panel.tables.row_count(key, seen) / panel.tables.row_count(key), 1)
    with looks(panel) as found:
        tried = list(histories(panel).seen_from(origin).each(judge._tried, panel.model, origin))
    assert sum(one.made for one in tried) > 0
    assert found == {"item_id": 2 * share, "target": share, "kind": share, "promo": share}
