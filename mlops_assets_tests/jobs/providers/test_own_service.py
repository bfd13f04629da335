"""A service of somebody else behind the protocol of ours."""

from dataclasses import replace
from importlib import import_module

import pytest

from mlops_assets.jobs.providers.service_errors import (
    NotThereError,
    RefusedByServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets_tests.jobs.providers.shop import Shop
from mlops_assets_tests.spec.declared import plus, problem

pytestmark = pytest.mark.usefixtures("acme")


def test_a_chain_runs_to_its_rows():
    shop = Shop("external: {service: oracle, parameters: {bonus: 1.5}}", "")
    rows, (job,) = shop.run()
    assert len(rows) == 3 * 4
    assert (job.service, job.step) == ("oracle", "forecast")
    assert rows.loc[rows["item_id"] == "hats", "mean"].unique().tolist() == [10.0 + 59 % 7 + 1.5]


@pytest.mark.parametrize(
    ("raised", "on_submit", "on_describe"),
    [
        (ConnectionResetError("gone"), UnsureError, UnreachableError),
        (ValueError("password=hush no"), RefusedByServiceError, WrongAnswerError),
        (NotThereError("no such job"), NotThereError, NotThereError),
    ],
)
def test_what_the_class_raises_is_told_in_our_words(monkeypatch, raised, on_submit, on_describe):
    shop = Shop("external: {service: 'acme.services:Oracle'}", "")
    (job,) = shop.jobs()

    def fails(*_):
        raise raised

    for name in ("submit", "describe"):
        monkeypatch.setattr(import_module("acme.services").Oracle, name, fails)
    with pytest.raises(on_submit) as error:
        shop.provider.submit(job, shop)
    assert "hush" not in str(error.value)
    with pytest.raises(on_describe):
        shop.provider.describe(replace(job, external_id="1"))


@pytest.mark.parametrize(
    ("external", "words"),
    [
        ("{service: oracl}", "external.service (line 7): found 'oracl'; did you mean 'oracle'?"),
        ("{service: oracle, parameters: {bones: 1}}", "got an unexpected keyword argument 'bones'"),
        ("{service: oracle, rest: {submit: {url: 'https://a', body: {}}}}", "belongs to service: rest"),
        (
            "{service: rest, rest: {submit: {url: 'https://a', body: {}}}, parameters: {a: 1}}",
            "belong to a class of your",
        ),
    ],
)
def test_a_service_that_cannot_be_is_refused(external, words):
    assert words in problem(plus(f"external: {external}"))
