"""What docs/external_jobs.md shows can be declared, and its service over HTTP answers."""

import re
from pathlib import Path

import pytest

from mlops_assets.jobs.providers.registry import exchange_of, provider_of
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import FAULTS
from mlops_assets.spec import parse_spec
from mlops_assets_tests.jobs.providers.conftest import CANARY
from mlops_assets_tests.jobs.providers.shop import Shop
from mlops_assets_tests.spec.declared import FILE, plus

TEXT = (Path(__file__).parents[3] / "docs" / "external_jobs.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "{…}" not in block]
ENVIRON = {"FORECAST_TOKEN": CANARY, "DATABRICKS_TOKEN": CANARY, "FORECAST_ROLE": "arn:aws:iam::1:role/a"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[2])
def test_an_example_is_a_spec(block: str):
    external = parse_spec(plus(block.replace("dynamic_features: [price]", "")), FILE, ENVIRON).external
    assert external is not None
    assert provider_of(external).name == external.service


def test_the_service_over_http_answers_as_it_is_declared(stand_in: StandIn, tmp_path: Path):
    (block,) = [block for block in BLOCKS if "service: rest" in block]
    text = block.replace("http://127.0.0.1:8765", stand_in.url)
    rows, _ = Shop(text, tmp_path, **ENVIRON).run()
    assert len(rows) == 12


def test_every_fault_and_every_field_is_documented():
    assert [name for name in FAULTS if f"`{name}`" not in TEXT] == []


def test_the_exchange_starts_at_the_spec_unless_it_is_somewhere_else():
    def place(exchange: str, **environ: str) -> str:
        spec = parse_spec(
            plus(
                f"external: {{service: databricks, exchange: '{exchange}', "
                "databricks: {host: 'https://a', token: '${T}', job_id: 1}}"
            ),
            FILE,
            {"T": CANARY, **environ},
        )
        return exchange_of(spec, environ)

    assert place("shared") == str(FILE.resolve().parent / "shared" / "demo")
    assert place("/mnt/shared/") == "/mnt/shared/demo"
    assert place("s3://${BUCKET}/prefix", BUCKET="ours") == "s3://ours/prefix/demo"
    assert exchange_of(parse_spec(plus(""), FILE, {})) == ""
