"""Every odd input ends where its list says, with the right values, none ends in silence."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.data.contract import Window, check
from mlops_assets.sources.base import SourceError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.sources.inputs import KINDS
from mlops_assets_tests.sources.inputs.input import GAP, Input
from mlops_assets_tests.sources.inputs.page import to_markdown
from mlops_assets_tests.sources.reading import NOW
from mlops_assets_tests.worlds import declare

WINDOW = Window(pd.Timestamp(2023, 1, 1), pd.Timestamp(2024, 5, 1))
PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
EVERY = [pytest.param(one, id=f"{kind}: {one.what[:50]}") for kind, inputs in KINDS.items() for one in inputs]


def checked(one: Input, folder: Path):
    """Read an input by a spec, as a round does; also what the reader has noted."""
    (folder / "in").mkdir()
    for name, content in one.files.items():
        (folder / "in" / name).write_bytes(content)
    path = f"in/{next(iter(one.files))}" if len(one.files) == 1 else "in"
    spec = declare(
        folder,
        source={"kind": "file", "path": path, **one.source},
        covariates={"past": ["rain"], "static": ["kind"]},
        **{"columns": {"item_id": "item", "timestamp": "day", "target": "sales"}, **one.spec},
    )
    reader, contract = open_source(spec), Graph(spec).contract
    found = check(read_all(reader, contract.columns, "day", WINDOW), contract, WINDOW, NOW)
    return found, [*reader.notes, *found.notes]


@pytest.mark.parametrize("one", EVERY)
def test_an_odd_input_ends_where_it_should(one, tmp_path):
    outcome = one.outcome
    if outcome.refused is not None:
        with pytest.raises(SourceError) as error:
            checked(one, tmp_path)
        assert outcome.refused in str(error.value)
        return
    found, notes = checked(one, tmp_path)
    targets = [GAP if pd.isna(value) else value for value in found.accepted["target"]]
    assert Counter(targets) == Counter(target for target in outcome.targets if target is not None)
    assert set(found.reasons) == ({outcome.reason} if outcome.reason else set())
    left = {name for name, count in found.counts.items() if count} - {"rows_read", "rows_accepted", "rows_quarantined"}
    assert left == ({outcome.counted} if outcome.counted else set())
    if outcome.note is not None:
        assert any(outcome.note in note for note in notes)
    elif outcome.reason is None:
        assert notes == []


def test_the_list_is_long_and_its_lines_differ():
    every = [(kind, one.what) for kind, inputs in KINDS.items() for one in inputs]
    assert len(every) >= 150
    assert len(set(every)) == len(every)


def test_the_page_of_inputs_is_current():
    assert PAGE.read_text(encoding="utf-8") == to_markdown(), (
        "renew it: python -m mlops_assets_tests.sources.inputs > docs/inputs.md"
    )
