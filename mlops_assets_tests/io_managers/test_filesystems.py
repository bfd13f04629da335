"""Object storage that lets us not in is told so at once; one that does not answer may answer later."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pandas as pd
import pytest

from mlops_assets.errors import TransientError
from mlops_assets.io_managers import ObjectModels, ObjectTables
from mlops_assets.io_managers.errors import StorageError
from mlops_assets_tests.io_managers import servers

REFUSALS = {
    403: "<Error><Code>InvalidAccessKeyId</Code><Message>hunter2planted is not known</Message></Error>",
    401: "<Error><Code>AccessDenied</Code></Error>",
}


@pytest.fixture(params=REFUSALS)
def refusing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Let all S3 be a server that refuses everything, and return by which code."""

    class Door(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(request.param)
            self.end_headers()
            self.wfile.write(REFUSALS[request.param].encode())

        do_GET = do_PUT = do_HEAD = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "a-key",
            "AWS_SECRET_ACCESS_KEY": "hunter2planted",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield request.param
        server.shutdown()


def test_a_refusal_is_not_tried_again_and_names_the_variables(refusing):
    with pytest.raises(StorageError) as raised:
        ObjectTables(base="s3://bucket/prefix").partitions(["demo", "observations"])
    assert not isinstance(raised.value, TransientError), refusing
    assert raised.value.message.startswith("s3://bucket/prefix lets us not in: ")
    for name in ("MLOPS_OBJECT_STORAGE", "AWS_ACCESS_KEY_ID"):
        assert name in raised.value.message
    assert "hunter2planted" not in raised.value.message


def test_a_bucket_that_is_missing_is_told_whatever_is_asked(tmp_path):
    with servers.s3(tmp_path) as (_, options):
        tables = ObjectTables(base="s3://bucket/prefix", options=options)
        models = ObjectModels(base="s3://bucket/prefix", options=options)
        asked = (
            lambda: tables.partitions(["demo", "observations"]),
            lambda: tables.write(["demo", "observations"], pd.DataFrame({"x": [1]})),
            lambda: models.children(["demo"]),
            lambda: models.save(["demo", "random_forest"], {"x": 1}),
        )
        for question in asked:
            with pytest.raises(StorageError, match="there is no s3://bucket: make that bucket") as raised:
                question()
            assert not isinstance(raised.value, TransientError)
