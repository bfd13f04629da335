"""An MLflow server that does not answer, or lets nobody in without a login."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import dagster as dg
import pytest

from mlops_assets.errors import TransientError
from mlops_assets.io_managers import MemoryTables
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.tracking.errors import TrackingError, TrackingUnavailableError
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.test_staging import mlflow_server

TOKEN, PASSWORD = "a-token-of-a-proxy", "hunter2planted"
BASIC = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()


@contextmanager
def server(code: int, *logins: str, open_paths: tuple[str, ...] = (), page: str = "{}") -> Iterator[str]:
    """Serve one page; without one of the logins, answer with a code on all but some paths. Yield the address."""

    class Door(BaseHTTPRequestHandler):
        def answer(self) -> None:
            allowed = self.path.partition("?")[0] in open_paths or self.headers.get("Authorization") in logins
            self.send_response(200 if allowed else code)
            self.end_headers()
            self.wfile.write(page.encode())

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


@pytest.mark.parametrize(
    ("open_paths", "page"),
    [((), "{}"), (("/health",), '{"message": "Unauthorized"}'), (("/health",), "<html>please log in</html>")],
)
@pytest.mark.parametrize("code", [401, 403])
def test_a_server_that_lets_nobody_in_names_the_variables_of_the_login(code, open_paths, page, monkeypatch):
    with server(code, BASIC, open_paths=open_paths, page=page) as address:
        for login, said in (({}, "no login is set"), ({"MLFLOW_TRACKING_TOKEN": "wrong"}, "TOKEN is refused")):
            for name, value in login.items():
                monkeypatch.setenv(name, value)
            with pytest.raises(TrackingError, match="lets nobody in") as raised:
                Tracking(uri=address).registry("demo").versions()
            assert said in raised.value.message
            assert "API request to" not in raised.value.message, "each path would be a line of its own in status"
            assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN" in str(
                raised.value
            )
            assert not isinstance(raised.value, TransientError)


def test_versions_that_a_login_may_not_see_are_not_taken_for_lost():
    searched = "/api/2.0/mlflow/model-versions/search"  # lists what may be seen, and nothing is no error
    with server(403, open_paths=("/health", searched)) as address:
        life = Lifecycle(MemoryTables(), Tracking(uri=address), Clock(), "demo")
        life.log.append(lambda log: Entry("gate", "promoted", 7, None, 7, "gate", "good"), life._clock.now())
        assert life.registry.versions() == []
        with pytest.raises(TrackingError):
            life.settle()
        assert life.log.all()["outcome"].tolist() == ["promoted"]


@pytest.mark.parametrize(
    "login",
    [
        {"MLFLOW_TRACKING_TOKEN": TOKEN},
        {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": PASSWORD},
    ],
    ids=["token", "password"],
)
def test_a_login_is_shown_on_every_path_as_mlflow_shows_it(login, monkeypatch):
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    with server(401, f"Bearer {TOKEN}", BASIC) as address:
        assert Tracking(uri=address).ping() == f"{address} answers, 0 registered models"


def test_a_login_in_the_address_is_shown_and_never_told():
    with server(401, BASIC) as address:
        told = Tracking(uri=address.replace("//", f"//ann:{PASSWORD}@")).ping()
    assert told == f"{address} answers, 0 registered models"


@pytest.mark.parametrize(("code", "page"), [(200, "<html>please log in</html>"), (503, ""), (500, "oh")])
def test_a_server_that_answers_something_else_may_answer_later(code, page):
    open_paths = () if code >= 500 else ("/health",)
    with (
        server(code, open_paths=open_paths, page=page) as address,
        pytest.raises(TrackingUnavailableError, match=r"MLflow at .* does not answer") as raised,
    ):
        Tracking(uri=address).registry("demo").versions()
    assert "MLFLOW_TRACKING_URI" in raised.value.message


@pytest.mark.process
def test_a_server_that_dies_while_a_training_is_logged_is_no_bug(tmp_path, empty_mlflow):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    raised: list[Exception] = []

    @dg.asset
    def logged(context: dg.AssetExecutionContext) -> None:
        tracking = Tracking(uri=address)
        try:
            with tracking.run(context, "exp", "a run", {}) as run:
                run.log_params({"a": 1})
                stop.close()
                run.log_params({"b": 2})
        except Exception as error:
            raised.append(error)

    with ExitStack() as stop:
        address = stop.enter_context(mlflow_server(tmp_path))
        dg.materialize([logged])
    (error,) = raised
    assert isinstance(error, TrackingUnavailableError)
    assert error.message.startswith(f"MLflow at {address} does not answer as it should: ")
