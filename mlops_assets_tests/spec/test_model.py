"""The models and parameters that a spec may name are those that the engine can fit and store."""

import inspect

import pytest

from mlops_assets.spec import BOOSTING_PARAMETERS, FOREST_PARAMETERS, parse_spec
from mlops_assets.spec.model import LIGHTGBM_PARAMETERS
from mlops_assets_tests.spec.declared import FILE, plus, problem


def test_the_forest_takes_every_parameter_that_the_spec_allows_and_no_other():
    from sklearn.ensemble import RandomForestRegressor

    assert set(FOREST_PARAMETERS) | {"random_state"} == set(inspect.signature(RandomForestRegressor).parameters)


def test_boosting_takes_every_parameter_that_the_spec_allows_and_no_other():
    from sklearn.ensemble import HistGradientBoostingRegressor

    taken = set(inspect.signature(HistGradientBoostingRegressor).parameters)
    assert set(BOOSTING_PARAMETERS) | {"random_state"} == taken


def test_lightgbm_takes_every_parameter_that_the_spec_allows_and_no_other():
    from lightgbm import LGBMRegressor

    assert {*LIGHTGBM_PARAMETERS, "random_state", "kwargs"} == set(inspect.signature(LGBMRegressor).parameters)


@pytest.mark.parametrize(
    "kind", ["extra_trees", "hist_gradient_boosting", "sklearn.linear_model.Ridge", "seasonal_naive"]
)
def test_a_kind_that_is_known_may_be_named(kind):
    assert parse_spec(plus(f"model: {{kind: {kind}}}"), FILE).task.model.kind == kind


def test_members_are_part_of_what_a_model_depends_on_only_where_they_are_named():
    plain, named = (
        parse_spec(plus(f"model: {{kind: ensemble{more}}}"), FILE) for more in ("", ", members: [extra_trees]")
    )
    assert "members" not in plain.task.to_dict()["model"]
    assert named.task.model.members == ("extra_trees",)
    assert plain.fingerprint() != named.fingerprint()
    assert type(plain.task).from_dict(named.task.to_dict()) == named.task


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("{kind: prophet}", "found 'prophet'; allowed: random_forest, extra_trees"),
        ("{kind: extra_tree}", "did you mean 'extra_trees'?"),
        ("{kind: sklearn.linear_model.Rigde}", "did you mean 'sklearn.linear_model.Ridge'?"),
        ("{kind: sklearn.neighbors.KNeighborsRegressor}", "that a model file can hold"),
        ("{kind: json.JSONDecoder}", "lacks rows, fit, predict, state, from_state"),
        ("{kind: json.Decoder}", "cannot be imported"),
        ("{kind: theta, parameters: {modle: DOTM}}", "did you mean 'model'?"),
        ("{kind: seasonal_nave}", "did you mean 'seasonal_naive'?"),
        ("{kind: seasonal_naive, parameters: {window: 3}}", "model.parameters.window"),
        ("{kind: seasonal_naive, accelerator: intelex}", "only forests"),
        ("{members: [extra_trees]}", "only auto and ensemble have members"),
        ("{kind: ensemble, members: [extra_tree]}", "model.members.0 (line 7): found 'extra_tree'; did you mean 'ext"),
        ("{kind: auto, members: [random_forest, ensemble]}", "model.members.1"),
        ("{kind: auto, parameters: {window: 3}}", "did you mean 'windows'?"),
        ("{kind: extra_trees, parameters: {max_iter: 3}}", "model.parameters.max_iter (line 7): found 3; unknown"),
        ("{kind: hist_gradient_boosting, parameters: {n_estimators: 3}}", "unknown parameter; allowed: loss"),
        ("{kind: sklearn.linear_model.Ridge, parameters: {alfa: 3}}", "did you mean 'alpha'?"),
        ("{kind: theta, parameters: {decomposition_type: mult}}", "found 'mult'; did you mean 'multiplicative'?"),
        ("{kind: theta, parameters: {model: ARIMA}}", "It may be DOTM, DSTM, OTM, STM, null"),
        ("{kind: ets, parameters: {model: ZZ}}", "model.parameters.model (line 7): found 'ZZ'; three letters"),
        ("{kind: ets, parameters: {damped: 1}}", "It may be True, False, null"),
        ("{kind: tsb, parameters: {alpha_p: true}}", "a number from 0 to 1 is needed"),
        ("{kind: auto, parameters: {windows: 1.5}}", "a whole number from 1 to 100 is needed"),
    ],
)
def test_a_regressor_that_is_not_known_or_not_so_is_refused(model, words):
    assert words in problem(plus(f"model: {model}"))
