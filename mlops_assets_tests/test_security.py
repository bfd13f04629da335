"""docs/security.md: every line of the threat model names tests, and they are there."""

import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mlops_assets_tests.io_managers.servers import answers, free_port

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
THREATS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| who | what")]


@pytest.mark.parametrize("line", THREATS, ids=lambda line: line.strip("| ")[:60])
def test_every_line_names_tests_that_are_there(line):
    shown = re.findall(r"`(\S+\.py)::(test_\w+)`", line.rsplit(" | ", 1)[1])
    assert shown
    for file, name in shown:
        assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), (file, name)


def test_the_page_is_whole():
    assert len(THREATS) > 12
    for file in re.findall(r"\]\((deployment/[\w.]+)\)", PAGE):
        assert (DOCS / file).is_file(), file


def test_the_proxy_passes_on_no_question_of_another_site():
    text = (DOCS / "deployment" / "nginx.conf").read_text(encoding="utf-8")
    (graphql,) = re.findall(r"location = /graphql \{(.*?)\n    \}", text, re.DOTALL)
    assert [*re.findall(r"if \((\S+)\) \{ return 4\d\d; \}", graphql)] == [
        "$mlops_question",
        "$mlops_origin",
        "$mlops_site",
    ]
    assert all(
        re.search(rf"^map .*\{name} \{{\n    default 1;", text, re.MULTILINE)
        for name in ("$mlops_origin", "$mlops_site", "$mlops_question")
    )
    assert "return 421" in text


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., int]]:
    """Run nginx with the file before a server that answers everything, and return a function that asks it."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/bin:/usr/bin")
    if nginx is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=example.com"]
    subprocess.run([*made, "-keyout", folder / "key", "-out", folder / "pem"], check=True, capture_output=True)
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "pw"], check=True, capture_output=True, text=True).stdout
    (folder / "passwords").write_text(f"ann:{hashed}")
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        Thread(target=upstream.serve_forever, daemon=True).start()
        text = (DOCS / "deployment" / "nginx.conf").read_text(encoding="utf-8")
        for said, here in (
            (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            (r"/etc/ssl/certs/dagster.pem", f"{folder}/pem"),
            (r"/etc/ssl/private/dagster.key", f"{folder}/key"),
            (r"/etc/nginx/dagster.htpasswd", f"{folder}/passwords"),
            (r"http://127.0.0.1:(3000|5000|8080)", f"http://127.0.0.1:{upstream.server_port}"),
        ):
            text, found = re.subn(said, here, text)
            assert found, said
        places = "".join(
            f"{one}_temp_path {folder}/{one};\n" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{places}{text}}}\n"
        )
        process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
        try:
            while not answers(port):
                assert process.poll() is None
            yield lambda *asked, **headers: ask(port, *asked, **headers)
        finally:
            process.terminate()
            process.wait()
            upstream.shutdown()


class Upstream(BaseHTTPRequestHandler):
    """Answers everything."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = do_PATCH = answer

    def log_message(self, format: str, *args: object) -> None:
        pass


def ask(port: int, name: str, path: str, method: str = "GET", *, login: bool = True, **headers: str) -> int:
    """Return how the proxy answers a question to one of its names; `_` in the names of headers is `-`."""
    given = {"Host": name, **{key.replace("_", "-"): value for key, value in headers.items()}}
    if login:
        given["Authorization"] = f"Basic {b64encode(b'ann:pw').decode()}"
    body = b"{}" if method != "GET" else None
    asked = urllib.request.Request(f"https://127.0.0.1:{port}{path}", body, given, method=method)
    try:
        with urllib.request.urlopen(asked, context=ssl._create_unverified_context(), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


JSON = {"Content_Type": "application/json"}


def test_the_proxy_serves_its_own_pages_and_refuses_those_of_others(proxy):
    dagster, mlflow, api = (f"{name}.example.com" for name in ("dagster", "mlflow", "forecasts"))
    for name in (dagster, mlflow):
        own, other = {**JSON, "Origin": f"https://{name}"}, {**JSON, "Origin": "https://evil.example.com"}
        path = "/graphql" if name == dagster else "/ajax-api/2.0/mlflow/experiments/search"
        assert proxy(name, "/") == 200
        assert proxy(name, "/", login=False) == 401
        assert proxy(name, "/", Sec_Fetch_Site="cross-site") == 200, "a link from elsewhere"
        assert proxy(name, path, "POST", **own, Sec_Fetch_Site="same-origin") == 200
        assert proxy(name, path, "POST", **JSON) == 200, "a program"
        assert proxy(name, path, "POST", **other) == 403
        assert proxy(name, path, "POST", **JSON, Sec_Fetch_Site="cross-site") == 403
        assert proxy(name, path, "POST", **JSON, Origin=f"https://{api}") == 403, "each name is a site of its own"
    assert proxy(dagster, "/graphql?query={version}") == 405
    assert proxy(dagster, "/graphql", "POST", Content_Type="text/plain") == 405
    assert proxy(dagster, "/report_asset_materialization/x", "POST") == 403
    assert proxy(dagster, "/assets", "POST") == 403
    assert proxy(mlflow, "/x", "DELETE", Origin="https://evil.example.com") == 403
    assert proxy(api, "/v1/forecasts", login=False) == 200, "it asks for tokens of its own"
    assert proxy("127.0.0.1", "/") == 421
