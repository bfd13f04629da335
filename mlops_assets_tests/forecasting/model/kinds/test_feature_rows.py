"""A regressor of somebody's own: it is given standard columns, and what it gets wrong is told with its name."""

import numpy as np
import pytest

from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.extensions import ExtensionError
from mlops_assets.forecasting.model.kinds import FeatureModel
from mlops_assets.forecasting.model.kinds.feature_rows import Regressor
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets.testing.models import example_series

X = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
TASK = Task("D", 6, (7,), (0.1, 0.5, 0.9), model=ModelSettings(f"{__name__}:Middle", max_training_rows=500))


class Middle(FeatureModel):
    """The mean of what it has learnt from."""

    @staticmethod
    def learn(X, y, task):
        return float(y.mean())

    @staticmethod
    def answer(learnt, X):
        return np.full(len(X), learnt)


class Seen(Middle):
    @staticmethod
    def learn(X, y, task):
        return X

    @staticmethod
    def answer(learnt, X):
        return X.sum(axis=1)


def test_columns_have_mean_zero_and_deviation_one_and_one_that_never_differs_is_zero():
    made = Regressor(Seen, TASK).fit(X, np.ones(2, dtype=np.float32))
    assert made.learnt.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert made.predict(np.array([[5.0, 6.0]])).tolist() == [4.0], "by what was learnt, not by the rows that are asked"


def test_it_is_a_kind_on_feature_rows_with_importances_and_quantiles_of_its_errors():
    assert kinds.draws(TASK.model.kind)
    history = example_series()
    model = kinds.fit(kinds.rows(history, TASK), TASK)
    assert isinstance(model, Middle)
    found = kinds.importances(model)
    assert found is not None
    assert found["importance"].nunique() == 1, "a mean rests on no feature more than on another"
    busy = kinds.rebuild(kinds.state_of(model)).predict(history, items=["busy"])
    assert (busy["q10"] < busy["q90"]).all()


@pytest.mark.parametrize(
    ("method", "does", "words"),
    [
        ("learn", lambda X, y, task: 1 / 0, "failed: ZeroDivisionError"),
        ("answer", lambda learnt, X: learnt, r"answer gives shape \(\), not a number for each of the rows"),
        ("answer", lambda learnt, X: X[:, 0] / 0 * np.nan, "answer gives a value that is not finite"),
        ("answer", lambda learnt, X: ["much"] * len(X), "failed: ValueError"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_it_gets_wrong_is_told_with_its_name(monkeypatch, method, does, words):
    monkeypatch.setattr(Middle, method, staticmethod(does))
    with pytest.raises(ExtensionError, match=rf"the model kind '{__name__}:Middle'.*{words}"):
        Regressor(Middle, TASK).fit(X, np.ones(2, dtype=np.float32)).predict(X)
