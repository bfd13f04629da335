"""Requests that cannot be answered: each is told what is wrong with which parameter, and nothing breaks."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mlops_assets_tests.io_managers.laws import law

DEMO = "/v1/forecasts/demo"
WORDS = [
    (f"{DEMO}?itme=x", 422, "itme", "did you mean item?"),
    (f"{DEMO}?item=shop%201", 404, "item", "such as shop 0"),
    (f"{DEMO}?item={'x' * 10_240}", 422, "item", "10,240 characters; at most 4,096"),
    (f"{DEMO}?" + "&".join(["item=x"] * 1_001), 422, "item", "at most 1,000"),
    (f"{DEMO}?limit=1000000", 422, "limit", "at most 100,000 as json"),
    (f"{DEMO}?limit=many", 422, "limit", "found 'many'"),
    (f"{DEMO}?offset=-1", 422, "offset", "greater than or equal to 0"),
    (f"{DEMO}?format=yaml", 422, "format", "'csv'"),
    (f"{DEMO}?limit=5&limit=7", 422, "limit", "given 2 times ('5', '7')"),
    (f"{DEMO}?start=tomorrow", 422, "start", "start='tomorrow'"),
    (f"{DEMO}?start=2024-03-09&end=2024-03-01", 422, "end", "lies before start"),
    (f"{DEMO}?as_of=2023-01-01", 404, "as_of", "the first forecast was made on 2024-03-02 06:00 UTC"),
    (f"{DEMO}?as_of=2199-01-01", 422, "as_of", "still to come"),
    (f"{DEMO}?origin=2024-02-01", 404, "origin", "the nearest"),
    (f"{DEMO}?quantiles=0.33", 422, "quantiles", "0.1, "),
    (f"{DEMO}?role=king", 422, "role", "'shadow'"),
    (f"{DEMO}?lead=0.5", 422, "lead.0", "integer"),
    (f"{DEMO}/accuracy?by=colour", 422, "by", "'lead'"),
    (f"{DEMO}/items?sort=size", 422, "sort", "'volume'"),
    ("/v1/forecasts/demi", 404, "", "did you mean demo?"),
    ("/v1/forecast/demo", 404, "", "/docs"),
    ("/static/..%2f..%2f..%2fsettings.py", 404, "", ""),
    ("/v1/forecasts/..%2f..%2fetc%2fpasswd", 404, "", ""),
]


@pytest.mark.parametrize(("url", "status", "parameter", "words"), WORDS, ids=[url[:60] for url, *_ in WORDS])
def test_the_words_name_the_parameter_and_what_would_be_right(client, url, status, parameter, words):
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert words in said["error"]
    assert said.get("parameter", "") == parameter.partition(".")[0] or not parameter
    assert len(answer.content) < 2_000


def test_head_is_get_without_the_body(client):
    for path in (DEMO, f"{DEMO}?item=shop%200&lead=1&lead=2", f"{DEMO}?limit=x", "/v1/forecasts/demi", "/healthz", "/"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-length"] == get.headers["content-length"]
        assert head.headers.get("etag") == get.headers.get("etag")


def test_no_method_but_get(client):
    for method in ("put", "patch", "delete"):
        assert getattr(client, method)(DEMO).status_code == 405


anything = st.text(max_size=60)
NAMES = ["item", "start", "end", "origin", "as_of", "lead", "role", "version", "quantiles", "limit", "offset", "format"]


@law
@given(params=st.dictionaries(st.sampled_from(NAMES), anything, max_size=3))
def test_whatever_is_asked_is_answered(client, params):
    answer = client.get(DEMO, params=params)
    assert answer.status_code in (200, 404, 406, 422), (params, answer.text)
    if answer.status_code != 200:
        assert answer.json()["error"]


@law
@given(name=anything.filter(lambda text: text not in (".", "..")), path=st.sampled_from(["", "/items", "/accuracy"]))
def test_whatever_a_forecast_is_called(client, name, path):
    from urllib.parse import quote

    answer = client.get(f"/v1/forecasts/{quote(name, safe='')}{path}")
    assert answer.status_code in (404, 422, 307), (name, answer.text)
