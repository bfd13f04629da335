"""A web service that stumbles, leads elsewhere, is slow, is not there, or says our secrets back."""

import logging
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from mlops_assets.sources import http_client
from mlops_assets.sources.base import SourceError, SourceUnavailableError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.sources.web_service import (
    COLUMNS,
    PLANTED,
    ROWS,
    WINDOW,
    Asked,
    answer_of,
    expected,
    moved,
)
from mlops_assets_tests.worlds import declare


def test_a_service_that_stumbles_is_asked_again(service, read):
    def answer(asked: Asked) -> Any:
        trouble = {
            1: (429, {"Retry-After": "0"}, {"error": "slow down"}),
            2: (500, {}, {}),
            3: (200, {"Content-Type": "application/json", "Content-Length": "100"}, b'[{"shop": '),
            4: (302, {"Location": "/v2/sales"}, b""),
        }
        return trouble.get(asked.number) or ROWS

    service.answer = answer
    pd.testing.assert_frame_equal(read()[COLUMNS], expected())
    assert [asked.path for asked in service.asked] == ["/v1/sales"] * 4 + ["/v2/sales"]


def test_retry_after_is_waited_for(service, read):
    service.answer = lambda asked: ROWS if asked.number > 1 else (503, {"Retry-After": "1"}, {})
    start = time.monotonic()
    assert len(read()) == len(ROWS)
    assert time.monotonic() - start >= 1


def test_a_host_that_is_named_may_be_led_to(service, read):
    port = service.host.rpartition(":")[2]
    service.answer = lambda asked: ROWS if asked.path == "/else" else moved(asked)
    assert len(read(hosts=f"localhost:{port}")) == len(ROWS)


def test_a_slow_service_is_given_up(service, read):
    def dribble() -> Iterator[bytes]:
        for _ in range(100):
            yield b" "
            time.sleep(0.05)

    service.answer = lambda _: (200, {"Content-Type": "application/json"}, dribble())
    start = time.monotonic()
    with pytest.raises(SourceUnavailableError, match=r"took longer than 1 s \(source.max_seconds\)"):
        read(max_seconds=1)
    service.answer = lambda _: time.sleep(3) or []
    with pytest.raises(SourceUnavailableError):
        read(max_seconds=1)
    assert time.monotonic() - start < 4


def test_nobody_there(tmp_path, monkeypatch):
    monkeypatch.setattr(http_client, "BACK_OFF_SECONDS", 0.01)
    spec = declare(tmp_path, source={"kind": "http", "url": "http://127.0.0.1:9/x"})
    with pytest.raises(SourceUnavailableError, match=r"http://127\.0\.0\.1:9/x: it cannot be reached, 5 times"):
        read_all(open_source(spec), COLUMNS, "day", WINDOW)


def test_secrets_are_nowhere(service, tmp_path, monkeypatch, caplog, world):
    """The worst service there is: it says the key back in every place it can."""
    monkeypatch.setenv("KEY", PLANTED)
    caplog.set_level(logging.DEBUG)
    source = {"kind": "http", "url": service.url, "headers": {"X-Api-Key": "${KEY}", "Authorization": "Bearer ${KEY}"}}
    spec = declare(tmp_path / "said", source=source)
    said = [repr(spec), str(spec.model_dump()), spec.model_dump_json(), repr(open_source(spec)), spec.fingerprint()]
    answers: list[Any] = [
        answer_of(401, PLANTED.encode()),
        answer_of(200, PLANTED.encode(), Content_Type=f"text/{PLANTED}"),
        answer_of(200, b"[" + PLANTED.encode()),
        answer_of(302, Location=f"http://{PLANTED}.example.com/"),
        answer_of(302, Location=f"/{PLANTED}"),
        lambda _: {PLANTED: 1},
        lambda _: [{PLANTED: 1}],
        answer_of(503, PLANTED.encode()),
        lambda _: iter([]),
    ]
    for answer in answers:
        service.answer = lambda asked, answer=answer: answer(asked) if asked.number % 9 else (404, {}, b"")
        try:
            read_all(open_source(spec), COLUMNS, "day", WINDOW)
        except SourceError:
            said.append(traceback.format_exc())
    assert len(said) == 5 + len(answers)

    service.answer = lambda _: {PLANTED: ROWS}
    made = world(source=source, partitions={"kind": "daily", "start": "2024-03-01", "end": "2024-06-01"})
    for service.answer, success in ((lambda _: {PLANTED: 1}, False), (lambda _: ROWS, True)):
        result = made.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
        assert result.success is success
        said += [str(event) for event in made.instance.all_logs(result.run_id)]
    assert made.metadata(result, "observations")["source"] == service.url
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert PLANTED.encode() not in file.read_bytes(), file
    # A service's own redirect may hold what it likes; that is the one line the HTTP library logs, below warning.
    logged = [record.getMessage() for record in caplog.records if "GET /" + PLANTED not in record.getMessage()]
    for text in [*said, *logged]:
        assert PLANTED not in text


def test_the_ingested_asset_says_where_its_rows_are_from(service, world):
    service.answer = lambda _: ROWS
    made = world(source={"kind": "http", "url": service.url})
    made.run("observations", "quarantine", partition="2024-03-01...2024-03-04")
    assert len(made.table("observations")) == 8
    specs = [spec for asset in made.assets for spec in asset.specs if spec.key == made.key("observations")]
    assert [spec.kinds for spec in specs] == [{"pandas", "http"}]
