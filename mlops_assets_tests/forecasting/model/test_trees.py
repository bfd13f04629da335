import numpy as np

from mlops_assets.forecasting.model.trees import Trees, known_codes


def test_compact_trees_send_rows_where_scikit_learn_does():
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(0)
    X = random.integers(0, 30, size=(800, 6)).astype(np.float32)
    X[random.random(X.shape) < 0.2] = np.nan
    X[:, 5] = np.nan_to_num(X[:, 5])
    y = np.where(np.isnan(X[:, 0]), 3, X[:, 0]) + random.normal(size=800)
    codes = known_codes(X)
    model = RandomForestRegressor(10, min_samples_leaf=2, random_state=0).fit(codes, y)
    trees = Trees.of(model.estimators_, codes, y.astype(np.float32))
    np.testing.assert_allclose(trees.mean[trees.locate(X)].mean(axis=1), model.predict(codes), rtol=1e-5, atol=1e-6)
    assert trees.missing_left[np.isin(trees.feature, range(5))].all()
    never_missing = trees.missing_left[trees.feature == 5]
    assert 0 < never_missing.mean() < 1, "what was never missing goes where most rows went, not where the lowest did"
