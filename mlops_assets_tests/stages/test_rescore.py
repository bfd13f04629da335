"""Late and corrected data: which partitions are read again."""

from mlops_assets.stages.rescore import reread_keys
from mlops_assets_tests.worlds import declare


def test_the_partitions_before_the_round_are_read_again_as_many_as_the_spec_says(tmp_path):
    partitions = {"kind": "daily", "start": "2024-03-01", "end": "2024-06-01"}
    spec = declare(tmp_path, partitions={**partitions, "reread": 2})
    assert reread_keys(spec, "2024-03-10") == ["2024-03-08", "2024-03-09"]
    assert reread_keys(spec, "2024-03-02") == ["2024-03-01"]
    assert reread_keys(spec, "2024-03-01") == []
    assert reread_keys(declare(tmp_path / "off", partitions={**partitions, "reread": 0}), "2024-03-10") == []
