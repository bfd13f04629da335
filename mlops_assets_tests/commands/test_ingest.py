"""ingest: partitions are read again, and what was forecast stays."""

import pytest

from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets_tests.worlds import declare, panel


@pytest.fixture
def call(call):
    """Call the command line over a sandbox in which partitions of three days are ingested."""
    assert call("ingest", "demo", "--partition", "2024-03-01...2024-03-03").exit_code == 0
    return call


def test_deletions_are_kept_back_told_and_carried_out_by_the_command_that_is_told(call, tmp_path):
    tables = ObjectTables(base=str(tmp_path / "data" / "tables"))
    declare(tmp_path / "forecasts", panel().query("shop != 'shop 1'"))
    kept = call("ingest", "demo", "--partition", "2024-03-02")
    assert kept.exit_code == 0, kept.output
    assert "3 rows have come where 4 are stored (nothing of shop 1); the stored rows are kept" in kept.output
    assert "3 accepted" in kept.output
    assert "what was stored of 2024-03-02 stays" in kept.output
    assert len(tables.read(["demo", "observations"])) == 12
    status = call("status", "demo")
    assert "what was stored of 2024-03-02 stays" in status.output
    (advice,) = [line for line in kept.output.splitlines() if "mlops-assets ingest demo" in line]
    gone = call(*advice.partition("mlops-assets ")[2].rstrip(".").split())
    assert gone.exit_code == 0, gone.output
    assert len(tables.read(["demo", "observations"], ["2024-03-02"])) == 3
    assert tables.partitions(["demo", "observations"]) == ["2024-03-01", "2024-03-02", "2024-03-03"]


def test_what_becomes_of_rows_is_counted(call, tmp_path):
    data = panel().query("day <= '2024-03-04'").astype({"sales": "object"})
    data.loc[data.index[-1], "sales"] = "many"
    declare(tmp_path / "forecasts", data, quarantine={"max_share": 0.3})
    result = call("ingest", "demo", "--partition", "2024-03-04")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "16 rows read of" in words
    assert "3 accepted, 1 in quarantine, 12 of other times" in words
