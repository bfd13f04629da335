"""Who is answered: hosts, tokens, other sites' pages; and what no answer gives away."""

import hashlib
import logging

import pytest

from mlops_assets.serving.tokens import COOKIE, Tokens
from mlops_assets.settings import Settings, SettingsError

READ, WRITE = "reading-secret-123", "anna:writing-secret-1,ben:writing-secret-2"
TOKENS = {"MLOPS_API_TOKEN": READ, "MLOPS_API_WRITE_TOKEN": WRITE}
DATA = "/v1/forecasts/demo"


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def _guarded(clients):
    return clients(**TOKENS)


@pytest.fixture
def guarded(_guarded):
    _guarded.cookies.clear()
    return _guarded


@pytest.mark.parametrize("path", [DATA, "/metrics", "/v1/forecasts/nobody", "/v1/nothing"])
def test_without_a_token_nothing_is_told(guarded, path):
    answer = guarded.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "demo" not in answer.text


@pytest.mark.parametrize("secret", ["", "wrong", READ[:-1], READ + "x", "anna", WRITE, "ü" * 9])
def test_a_wrong_token_is_none(guarded, secret):
    assert guarded.get(DATA, headers={"authorization": f"Bearer {secret}".encode()}).status_code == 401


@pytest.mark.parametrize("secret", [READ, "writing-secret-1", "writing-secret-2"])
def test_who_may_write_may_read(guarded, secret):
    assert guarded.get(DATA, headers=bearer(secret)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/docs", "/openapi.json", "/static/style.css"])
def test_what_tells_nothing_of_forecasts_is_open(guarded, path):
    assert guarded.get(path).status_code == 200


def test_a_browser_keeps_a_cookie_that_is_not_its_token(guarded):
    assert guarded.post("/v1/session", json={"token": "wrong"}).status_code == 401
    answer = guarded.post("/v1/session", json={"token": READ})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert READ not in cookie
    assert guarded.get(DATA).status_code == 200
    assert guarded.post("/v1/events", content="{}").status_code == 403
    assert (
        guarded.post("/v1/session", json={"token": READ}, headers={"origin": "https://evil.example"}).status_code == 403
    )
    guarded.delete("/v1/session")
    assert guarded.get(DATA).status_code == 401


def test_a_cookie_ends_by_itself_and_with_its_token(monkeypatch):
    tokens = Tokens(Settings.read(TOKENS))
    cookie = tokens.cookie("writing-secret-2")
    assert tokens.session(cookie).name == "ben"
    assert (
        Tokens(Settings.read({**TOKENS, "MLOPS_API_WRITE_TOKEN": "anna:a-new-one,ben:another"})).session(cookie) is None
    )
    for wrong in ("", "0", "..", "9.9.9", cookie[:-1], "0" + cookie[1:], cookie.replace(".", "..", 1)):
        assert tokens.session(wrong) is None
    monkeypatch.setattr("mlops_assets.serving.tokens.time.time", lambda: 4e9)
    assert tokens.session(cookie) is None


@pytest.mark.parametrize("given", ["a b", "anna:", "x,y", "anna:one,anna:two", "anna:same-one,ben:same-one", ",", "\n"])
def test_a_list_of_tokens_that_cannot_be_is_refused_without_being_shown(given):
    with pytest.raises(SettingsError) as error:
        Tokens(Settings.read({"MLOPS_API_TOKEN": given}))
    assert "MLOPS_API_TOKEN" in error.value.message
    assert "same-one" not in error.value.message


def test_no_token_is_in_a_log(guarded, caplog):
    with caplog.at_level(logging.DEBUG):
        guarded.get(DATA, headers=bearer(READ))
        guarded.post("/v1/session", json={"token": READ})
        guarded.get(DATA, headers=bearer(READ + "-wrong"))
    assert READ not in caplog.text


def test_writing_is_off_without_its_own_token(clients, guarded):
    reading = clients(MLOPS_API_TOKEN=READ)
    answer = reading.post("/v1/events", headers=bearer(READ), content="{}")
    assert answer.status_code == 403
    assert "MLOPS_API_WRITE_TOKEN" in answer.json()["error"]
    assert guarded.post("/v1/events", headers=bearer(READ), content="{}").status_code == 403
    assert guarded.post("/v1/events", content="{}").status_code == 401
    assert clients().post("/v1/events", content="{}").status_code == 403


HERE = ("host", "127.0.0.1:8000")
PAGE = ("origin", "http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "headers",
    [
        [HERE, ("sec-fetch-site", "cross-site")],
        [HERE, ("origin", "https://evil.example")],
        [HERE, ("origin", "http://127.0.0.1:9000")],  # another server of this machine: cookies know no ports
        [HERE, ("origin", "null")],
        [HERE, ("origin", "http://[evil")],
        [HERE, ("origin", "https://evil.example"), PAGE],
        [HERE, PAGE, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    ],
)
def test_a_page_of_another_site_writes_nothing(guarded, headers):
    sent = [*bearer("writing-secret-1").items(), *headers]
    answer = guarded.post("/v1/events", headers=sent, content="{}")
    assert (answer.status_code, "a page of another site" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "headers",
    [
        [HERE],
        [HERE, PAGE],
        [("host", "LOCALHOST:8000"), ("origin", "http://localhost:8000")],
        [("host", "127.0.0.1"), ("origin", "https://127.0.0.1:8443"), ("sec-fetch-site", "same-origin")],
    ],
)
def test_our_own_page_and_programs_may(guarded, headers):
    sent = [*bearer("writing-secret-1").items(), *headers]
    assert guarded.post("/v1/events", headers=sent, content='{"job": "none"}').status_code == 202


def test_a_name_that_points_here_is_no_host_of_ours(client, clients):
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "[::1",
        "evil@127.0.0.1",
        "localhost/evil",
        "localhost?a",
    ):
        assert client.get("/healthz", headers={"host": host}).status_code == 400
    for hosts in (("evil.example", "127.0.0.1"), ("127.0.0.1", "evil.example")):
        assert client.get("/healthz", headers=[("host", host) for host in hosts]).status_code == 400
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200
    named = clients(host="0.0.0.0", MLOPS_API_HOSTS="Forecasts.example, 10.0.0.5", **TOKENS)
    assert named.get("/healthz", headers={"host": "forecasts.example"}).status_code == 200
    assert named.get("/healthz", headers={"host": "other.example"}).status_code == 400


def test_other_pages_read_only_where_they_are_named(client, clients):
    assert "access-control-allow-origin" not in client.get(DATA, headers={"origin": "https://dash.example"}).headers
    named = clients(MLOPS_API_ORIGINS="https://dash.example", MLOPS_API_TOKEN=READ)
    asked = {"origin": "https://dash.example", "access-control-request-method": "GET"}
    assert named.options(DATA, headers=asked).headers["access-control-allow-origin"] == "https://dash.example"
    assert "access-control-allow-origin" not in named.get(DATA, headers={"origin": "https://evil.example"}).headers


@pytest.mark.parametrize("path", ["/healthz", DATA, "/v1/nothing", "/docs"])
def test_every_answer_keeps_browsers_safe(client, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["x-content-type-options"] == "nosniff"
    assert COOKIE not in headers.get("set-cookie", "")


@pytest.mark.parametrize("path", ["/v1/session", "/v1/forecasts/demo/what-if", "/v1/forecasts/demo/adjustments"])
def test_a_large_body_is_not_kept_in_memory(clients, path):
    headers = {**bearer("writing-secret-2"), "content-type": "application/json"}
    answer = clients(MLOPS_API_WRITE_TOKEN=WRITE).post(path, content=b" " * (2 << 20), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "a request may have 1,048,576 bytes")


def test_who_decides_may_write_here_with_the_same_key_or_its_hash(monkeypatch):
    key = "a-key-of-anna-1234"
    hashed = f"anna:sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    for listed in (f"anna:{key}", hashed):
        tokens = Tokens(Settings.read({"MLOPS_APPROVERS": listed, "MLOPS_API_WRITE_TOKEN": "ben:another"}))
        assert (tokens.of(key).name, tokens.of(key).right) == ("anna", "writing")
        assert tokens.session(tokens.cookie(key)).name == "anna"
    other = Tokens(Settings.read({"MLOPS_APPROVERS": hashed}))
    assert other.session(tokens.cookie(key)) is None  # who knows the hash alone makes no cookie
    same = Tokens(Settings.read({"MLOPS_APPROVERS": f"anna:{key}", "MLOPS_API_WRITE_TOKEN": f"anna:{key}"}))
    assert same.of(key).name == "anna"
