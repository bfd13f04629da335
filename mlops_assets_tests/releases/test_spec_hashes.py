"""The hash of a spec is the one that release 0.1.0 gave it: another one would have everything trained anew."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.spec import parse_spec

SPEC = {
    "name": "s",
    "source": {"kind": "file", "path": "x.csv"},
    "columns": {"item_id": "a", "timestamp": "t", "target": "y"},
    "frequency": "D",
    "partitions": {"kind": "daily", "start": "2024-01-01"},
    "horizon": 5,
}
COVARIATES = {"known": ["p"], "past": ["q"], "static": ["r"]}
HASHES: list[tuple[str, dict[str, Any]]] = [
    ("d59c91aace885b08592deaa73818b111", {}),
    (
        "9c3c1d247320d743c066ee03328f634b",
        {"frequency": "h", "partitions": {"kind": "hourly", "start": "2024-01-01"}, "model": {"kind": "extra_trees"}},
    ),
    ("ba9adbcfd811473868f717c78c1c516f", {"model": {"kind": "sklearn.linear_model.Ridge"}, "covariates": COVARIATES}),
    (
        "f483d8ecc8cdf81556a7e4fc66b16cfc",
        {
            "frequency": "MS",
            "partitions": {"kind": "monthly", "start": "2024-01-01"},
            "model": {"kind": "random_forest", "parameters": {"n_estimators": 7}},
            "backtest": {"windows": 2, "conformal": 0.05},
        },
    ),
    (
        "767abf5abbd149224377a8cc2c696ba4",
        {
            "frequency": "W-SUN",
            "partitions": {"kind": "weekly", "start": "2024-01-01"},
            "model": {"kind": "random_forest", "recency": 30},
            "fill": "zero",
        },
    ),
]
"""As that release printed them."""


@pytest.mark.parametrize(("spec_hash", "changes"), HASHES)
def test_a_spec_has_the_hash_of_the_first_release(spec_hash: str, changes: dict[str, Any]):
    assert parse_spec(json.dumps({**SPEC, **changes}), Path("s.yaml")).fingerprint() == spec_hash
