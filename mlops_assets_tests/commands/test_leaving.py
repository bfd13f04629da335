"""What retire and rename say where they cannot know which forecasts are declared."""

import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
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
