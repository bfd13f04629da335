"""Secrets in texts: planted in every way that a library may print them, found in none."""

from time import process_time

import pytest
from pydantic import BaseModel, SecretStr

from mlops_assets.resources.secrets import keep, reveal, scrub, secrets_of

SECRET = "hunter2-%40-secret"
PLAIN = "hunter2-@-secret"


@pytest.mark.parametrize(
    "text",
    [
        f"could not connect to postgresql://mlops:{SECRET}@db.example.org:5432/tables",
        f"could not connect to postgresql://mlops:{PLAIN}@db.example.org/tables",
        f"GET https://api.example.org/v1?day=1&api_key={SECRET}&x=1 answered 403",
        f"headers {{'Authorization': 'Bearer {SECRET}', 'X': 1}}",
        f'{{"password": "{PLAIN}", "user": "mlops"}}',
        f"connection string host=db password={PLAIN} user=mlops",
        f"token: {SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text):
    shown = scrub(text, environ={})
    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOP_TOKEN", PLAIN),
        ("AWS_SECRET_ACCESS_KEY", PLAIN),
        ("PGPASSWORD", PLAIN),
        ("MLOPS_DATABASE_URL", f"postgresql://mlops:{SECRET}@db/tables"),
        ("MLOPS_NOTIFY", f"slack://{PLAIN}/B"),
        ("GOOGLE_CREDENTIALS", f'{{"key": "{PLAIN}", "uri": "https://accounts.example.org/o/oauth2/auth"}}'),
    ],
)
def test_values_of_the_environment_are_hidden_wherever_they_stand(name, value):
    assert "hunter2" not in scrub(f"said {value!r} to nobody", environ={name: value})


def test_a_secret_is_hidden_as_it_stands_in_an_address_and_within_a_file_of_credentials():
    environ = {
        "SHOP_TOKEN": "zebra/cross+ing",
        "GOOGLE_CREDENTIALS": '{"id": "1234567890abcdef1234", "at": "https://a.b"}',
    }
    shown = scrub("GET /sales?t=zebra%2Fcross%2Bing by 1234567890abcdef1234 answered 403", environ=environ)
    assert shown == "GET /sales?t=*** by *** answered 403"


def test_a_long_text_is_read_in_no_time():
    start = process_time()
    assert len(scrub("x" * 100_000, environ={})) == 100_000
    assert process_time() - start < 1


def test_a_password_of_an_address_is_hidden_by_itself_too():
    environ = {"MLFLOW_TRACKING_URI": f"https://mlops:{SECRET}@mlflow.example.org"}
    assert scrub(f"login with {PLAIN} or {SECRET} refused", environ=environ) == "login with *** or *** refused"


def test_what_is_known_of_a_spec_is_hidden():
    class Source(BaseModel):
        url: SecretStr
        headers: dict[str, SecretStr]
        path: str

    source = Source(
        url=SecretStr(f"postgresql://mlops:{SECRET}@db/tables"),
        headers={"Authorization": SecretStr("Bearer zebra-crossing")},
        path="sales.csv",
    )
    text = f"sales.csv: {PLAIN}, {SECRET} and zebra-crossing"
    assert scrub(text, secrets_of(source), {}) == "sales.csv: ***, *** and ***"


def test_ordinary_words_and_links_stay_as_they_are():
    environ = {"PWD": "/somewhere/demo", "KEYBOARD": "german", "A_KEY": "a", "MLOPS_URL": "http://127.0.0.1:5000"}
    environ |= {"MLFLOW_TRACKING_URI": "sqlite:////data/mlflow.db"}
    text = "sqlite:////data/mlflow.db: see http://127.0.0.1:5000/#/runs/1, /somewhere/demo, german: 3.2% (a)"
    assert scrub(text, environ=environ) == text


def test_a_kept_secret_has_a_name_that_says_nothing_and_is_the_same_in_every_process():
    first, second = SecretStr("hunter2kept"), SecretStr("hunter2other")
    reference = keep(first, "A_TEST")
    assert (reference, keep(SecretStr("hunter2kept"), "A_TEST")) == ("secret:A_TEST", "secret:A_TEST")
    assert keep(second, "A_TEST") == "secret:A_TEST 2"
    assert reveal(reference) == first
    assert reveal("secret:A_TEST 2") == second
    assert reveal("plain") == SecretStr("plain")
    assert keep("plain") == "plain"
    assert scrub("said hunter2kept", environ={}) == "said ***"
