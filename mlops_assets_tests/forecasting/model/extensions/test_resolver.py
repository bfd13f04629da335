"""Names of others: a path and an entry point lead to the same; what is wrong is said with the package and the names."""

import pytest

from mlops_assets import Settings, load_spec
from mlops_assets.errors import UnknownNameError
from mlops_assets.forecasting.model import extensions
from mlops_assets.forecasting.model.extensions import METRICS, ExtensionError, resolve

pytestmark = pytest.mark.usefixtures("acme")


@pytest.mark.parametrize("name", ["shortfall", "acme.metrics:Shortfall", "acme.metrics.Shortfall"])
def test_a_path_and_an_entry_point_mean_the_same(name):
    assert resolve(METRICS, name).__name__ == "Shortfall"
    assert extensions.module_of(METRICS, name) == "acme.metrics"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("shortfal", UnknownNameError, "no metric 'shortfal'; did you mean shortfall? There are: wql, shortfall, torn"),
        ("acme.metrics:Shortfal", UnknownNameError, "acme.metrics has no Shortfal; did you mean Shortfall?"),
        ("acne.metrics:Shortfall", UnknownNameError, "cannot be imported: No module named 'acne'. Install its package"),
        (
            "torn",
            ExtensionError,
            "the metric 'torn' of acme-forecasting 1.2.0: importing acme.torn failed: RuntimeError: the licence of "
            "acme has expired",
        ),
        ("acme.torn:Metric", ExtensionError, "torn.py, line 3"),
        (":Metric", ExtensionError, "importing  failed"),
    ],
)
def test_what_cannot_be_found_is_told(name, error, words):
    with pytest.raises(error) as caught:
        resolve(METRICS, name, ["wql"])
    assert words in str(caught.value)


def test_what_somebodys_code_raises_is_told_with_its_name():
    with pytest.raises(ExtensionError, match=r"the feature 'paydays' failed: ZeroDivisionError.*line \d+"):
        extensions.called(extensions.FEATURES, "paydays", lambda: 1 / 0)


def test_a_spec_of_names_that_we_know_looks_for_no_package(monkeypatch):
    monkeypatch.setattr(extensions.resolver, "entry_points", lambda **_: pytest.fail("a scan of all packages"))
    load_spec("nyc_departures", Settings())
