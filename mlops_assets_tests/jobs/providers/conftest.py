"""A stand-in for each test, and keys that any service of Amazon's is asked with."""

from collections.abc import Iterator

import pytest

from mlops_assets.jobs.stand_in import StandIn
from mlops_assets_tests.io_managers import servers

CANARY = "canary-4711-secret"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with StandIn() as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    with servers.s3(tmp_path_factory.mktemp("s3")) as place:
        yield place


@pytest.fixture
def bucket(s3: tuple[str, dict[str, str]], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a bucket that the cloud's own variables open."""
    url, options = s3
    for name, variable in {"endpoint": "AWS_ENDPOINT", "region": "AWS_REGION", "allow_http": "AWS_ALLOW_HTTP"}.items():
        monkeypatch.setenv(variable, options[name])
    return url
