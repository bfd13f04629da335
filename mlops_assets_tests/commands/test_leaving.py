"""What is said of forecasts that are no longer declared, where it cannot be known which are, and where none is."""

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.io_managers import ObjectTables
from mlops_assets_tests.spec.declared import MINIMAL


@pytest.mark.parametrize("command", [["retire", "gone"], ["rename", "before", "gone"]])
def test_a_broken_spec_beside_is_named_with_the_reason_and_the_way_out(tmp_path, command):
    (tmp_path / "demo.yaml").write_text(MINIMAL)
    (tmp_path / "other.yaml").write_text(
        MINIMAL.replace("horizon: 3", "horizon: 0").replace("name: demo", "name: other")
    )
    told = CliRunner().invoke(
        main, command, env={"MLOPS_FORECASTS": str(tmp_path), "MLOPS_DATA": str(tmp_path / "data")}
    )
    assert told.exit_code == 2
    assert "horizon (line 6): found 0" in told.output
    assert "it may be gone: mend it, or move it out of the folder" in told.output


def test_what_the_last_spec_has_left_is_listed(tmp_path):
    (tmp_path / "forecasts").mkdir()
    env = {"MLOPS_FORECASTS": str(tmp_path / "forecasts"), "MLOPS_DATA": str(tmp_path / "data"), "COLUMNS": "200"}
    env |= {"DAGSTER_HOME": str(tmp_path / "data" / "dagster")}
    told = CliRunner().invoke(main, ["status"], env=env)
    assert (told.exit_code, "no forecast declared here" in told.output) == (2, True)
    tables = ObjectTables(base=str(tmp_path / "data" / "tables"))
    tables.write(["gone", "observations"], pd.DataFrame({"item_id": ["a"]}), "2024-03-01")
    told = CliRunner().invoke(main, ["status"], env=env)
    assert told.exit_code == 0, told.output
    assert "no longer declared" in told.output
    assert "mlops-assets retire gone" in " ".join(told.output.split())


@pytest.mark.parametrize("command", [["retire", "gone", "--delete"], ["rename", "gone", "demo"]])
def test_with_approvers_nothing_is_deleted_or_renamed_without_a_key(tmp_path, command):
    (tmp_path / "demo.yaml").write_text(MINIMAL)
    env = {"MLOPS_FORECASTS": str(tmp_path), "MLOPS_DATA": str(tmp_path / "data"), "MLOPS_APPROVERS": "a:" + "x" * 16}
    told = CliRunner().invoke(main, [*command, "--yes"], env=env)
    assert (told.exit_code, "put your key into MLOPS_KEY" in told.stderr) == (4, True)
