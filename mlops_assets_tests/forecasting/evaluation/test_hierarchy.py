"""Sums of items: what belongs where, histories that add up, and forecasts whose means do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.evaluation import hierarchy
from mlops_assets.forecasting.evaluation.hierarchy import Tree
from mlops_assets.forecasting.model import features, fitting
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel

LEVELS = pd.DataFrame(
    {"region": ["east", "east", "west", "west"], "town": ["a", "b", "a", "a"]},
    index=[f"item {number}" for number in range(4)],
)


def test_every_prefix_of_the_levels_is_a_node():
    tree = Tree.of(LEVELS)
    assert tree.nodes.tolist() == ["sum:*", "sum:east", "sum:west", "sum:east/a", "sum:east/b", "sum:west/a"]
    assert tree.level.tolist() == ["total", "region", "region", "town", "town", "town"]
    assert tree.member.sum(axis=1).tolist() == [4, 2, 2, 1, 1, 2]


def test_a_level_of_single_items_is_left_out_and_missing_values_are_a_group():
    alone = Tree.of(LEVELS.assign(shop=["1", "2", "3", "4"]))
    assert set(alone.level) == {"total", "region", "town"}
    unknown = Tree.of(LEVELS.assign(region=["east", None, "west", None]))
    assert "sum:?" in unknown.nodes
    with pytest.raises(ValueError, match="has the id of a sum, 'sum:east'"):
        Tree.of(LEVELS.rename(index={"item 0": "sum:east"}))


def test_values_that_look_like_paths_make_nodes_of_their_own():
    items = [f"item {number}" for number in range(5)]
    tree = Tree.of(
        pd.DataFrame({"x": ["a/b", "a", "a", "*", "*"], "y": ["c", "b/c", "b/c", "d", "d"]}, index=pd.Index(items))
    )
    assert tree.nodes.tolist() == [
        "sum:*",
        *("sum:%2A", "sum:a", "sum:a%2Fb"),
        *("sum:%2A/d", "sum:a%2Fb/c", "sum:a/b%2Fc"),
    ]
    assert tree.member.sum(axis=1).tolist() == [5, 2, 2, 1, 2, 1, 2]


def test_histories_add_up_and_small_gaps_do_not_hide_the_sum():
    frame = daily_panel(items=4, days=60)
    tree = Tree.of(LEVELS)
    table = hierarchy.summed_history(frame, tree, DAILY)
    target = table.set_index(["item_id", "timestamp"])["target"]
    day = pd.Timestamp("2024-02-20")
    own = frame[frame["timestamp"] == day].set_index("item_id")["target"]
    assert target["sum:*", day] == pytest.approx(own.sum())
    assert target["sum:west", day] == pytest.approx(own["item 2"] + own["item 3"])
    large, small = "item 2", "item 0"  # of about 1000 and of about 10 a day
    for item, hidden in ((large, True), (small, False)):
        gap = frame[~((frame["item_id"] == item) & (frame["timestamp"] == day))]
        again = hierarchy.summed_history(gap, tree, DAILY).set_index(["item_id", "timestamp"])["target"]
        assert np.isnan(again["sum:*", day]) == hidden
    assert again["sum:*", day] == pytest.approx(own.sum(), rel=0.02)


def test_covariates_are_means_and_static_ones_are_kept_where_shared():
    task = replace(DAILY, known=("price",), static=("region", "town"))
    frame = daily_panel(items=4, days=60, price=1.0).merge(LEVELS, left_on="item_id", right_index=True)
    table = hierarchy.summed_history(frame, Tree.of(LEVELS), task).set_index(["item_id", "timestamp"])
    day = pd.Timestamp("2024-02-20")
    own = frame[frame["timestamp"] == day].set_index("item_id")["price"]
    assert table.loc[("sum:east", day), "price"] == pytest.approx((own["item 0"] + own["item 1"]) / 2)
    assert table.loc[("sum:east", day), "region"] == "east"
    assert table.loc[("sum:east", day), "town"] is None
    assert table.loc[("sum:*", day), "region"] is None


def test_a_sum_has_what_its_items_share_at_the_time():
    task = replace(DAILY, static=("region",))
    frame = daily_panel(items=4, days=60).merge(LEVELS, left_on="item_id", right_index=True)
    move = pd.Timestamp("2024-02-10")
    frame.loc[(frame["timestamp"] >= move) & (frame["region"] == "west"), "region"] = "east"
    frame.loc[(frame["timestamp"] > move) & (frame["item_id"] == "item 3"), "region"] = None
    levels = hierarchy.level_values(frame.sample(frac=1, random_state=0), ["region"], ["shop"])
    assert levels["region"].tolist() == ["east"] * 4
    table = hierarchy.summed_history(frame, Tree.of(LEVELS), task).set_index(["item_id", "timestamp"])["region"]
    assert table["sum:*", move - pd.Timedelta(days=1)] is None
    assert table["sum:*", move] == table["sum:*", pd.Timestamp("2024-02-28")] == "east"


@pytest.fixture(scope="module")
def forecasts():
    frame = daily_panel(items=4, days=150)
    model = fitting.fit(features.training_rows(frame, DAILY), DAILY)
    tree = Tree.of(LEVELS)
    summed = hierarchy.summed_history(frame, tree, DAILY)
    return model.predict(frame), model.predict(summed, items=list(tree.nodes)), tree


@pytest.mark.parametrize("method", ["bottom_up", "min_trace"])
def test_means_add_up_and_quantiles_move_with_them(forecasts, method):
    if method == "min_trace":
        pytest.importorskip("hierarchicalforecast", reason="the extra `hierarchy` is not installed")
    bottom, sums, tree = forecasts
    items, nodes = hierarchy.reconcile(bottom, sums, tree, DAILY, method)
    own = items.pivot(index="item_id", columns="lead", values="mean").loc[tree.items].to_numpy()
    total = nodes.pivot(index="item_id", columns="lead", values="mean").loc[tree.nodes].to_numpy()
    np.testing.assert_allclose(total, tree.member @ own, rtol=1e-9)
    assert set(nodes["source"]) == {"aggregate"}
    for before, after in ((bottom, items), (sums, nodes)):
        moved = (after["mean"] - before["mean"]).to_numpy()
        for name in DAILY.quantile_columns:
            np.testing.assert_allclose(after[name] - before[name], moved, atol=1e-6)
    if method == "bottom_up":
        pd.testing.assert_frame_equal(items, bottom)
    else:
        assert not np.allclose(items["mean"], bottom["mean"])


def test_minimum_trace_is_the_projection_that_its_paper_gives(forecasts):
    pytest.importorskip("hierarchicalforecast", reason="the extra `hierarchy` is not installed")
    bottom, sums, tree = forecasts
    items, _ = hierarchy.reconcile(bottom, sums, tree, DAILY, "min_trace")
    S = np.vstack([tree.member.astype(float), np.eye(len(tree.items))])
    width = pd.concat([sums, bottom]).assign(width=lambda rows: rows["q90"] - rows["q10"])
    width = width.groupby("item_id")["width"].mean().loc[[*tree.nodes, *tree.items]]
    weight = np.diag(1 / width**2)
    base = np.vstack(
        [
            rows.pivot(index="item_id", columns="lead", values="mean").loc[names].to_numpy()
            for rows, names in ((sums, tree.nodes), (bottom, tree.items))
        ]
    )
    expected = np.linalg.solve(S.T @ weight @ S, S.T @ weight @ base)
    found = items.pivot(index="item_id", columns="lead", values="mean").loc[tree.items].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_small_item_is_not_moved_by_what_the_total_lacks(forecasts):
    pytest.importorskip("hierarchicalforecast", reason="the extra `hierarchy` is not installed")
    bottom, sums, tree = forecasts
    raised = sums.assign(mean=sums["mean"] + np.where(sums["item_id"] == "sum:*", 300.0, 0.0))
    items, _ = hierarchy.reconcile(bottom, raised, tree, DAILY, "min_trace")
    moved = (items["mean"] - bottom["mean"]).abs().groupby(items["item_id"]).mean()
    assert moved["item 2"] > 100 * moved["item 0"]  # of about 1000 and of about 10 a day


def test_whole_quantiles_stay_whole(forecasts):
    bottom, sums, tree = forecasts
    names = DAILY.quantile_columns
    _, nodes = hierarchy.reconcile(bottom, sums.assign(**{name: sums[name].round() for name in names}), tree, DAILY)
    quantiles = nodes[names].to_numpy()
    assert (quantiles == np.rint(quantiles)).all()


def test_an_unknown_method_is_refused(forecasts):
    with pytest.raises(ValueError, match="known are bottom_up and min_trace"):
        hierarchy.reconcile(*forecasts, DAILY, "top_down")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), complete=st.booleans())
def test_targets_of_sums_are_known_where_all_items_are(seed, complete):
    random = np.random.default_rng(seed)
    rows = pd.DataFrame({"item_id": np.tile(LEVELS.index, 3), "lead": np.repeat([1, 2, 3], 4)})
    rows["target"] = np.where(random.random(12) < 0.2, np.nan, random.integers(0, 9, 12))
    tree = Tree.of(LEVELS)
    found = hierarchy.summed_predictions(rows, tree, ["lead"], complete).set_index(["item_id", "lead"])["target"]
    for node, member in zip(tree.nodes, tree.member, strict=True):
        for lead in (1, 2, 3):
            own = rows[(rows["lead"] == lead) & rows["item_id"].isin(tree.items[member])]["target"]
            known = own.notna().all() if complete else own.notna().any()
            assert ((node, lead) in found.index) == known
            if known:
                assert found[node, lead] == own.sum()
