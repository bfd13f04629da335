import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.model.features.sampling import (
    ROWS_PER_ORIGIN,
    SMALL,
    Triples,
    recency,
    uniform,
    within_bound,
)


def draw(*lengths: int, horizon: int, rows: int = 10**6, seed: int = 0, observed=None, weight=None, keys=None):
    """Triples of items of so many cells, any of which may be an origin: item, cell within it, lead."""
    edges = np.concatenate([[0], np.cumsum(lengths)])
    item = np.repeat(np.arange(len(lengths)), lengths)
    keys = np.arange(len(lengths), dtype=np.uint64) if keys is None else np.asarray(keys, dtype=np.uint64)
    observed = np.ones(edges[-1], dtype=bool) if observed is None else observed
    triples = Triples.of(np.arange(edges[-1]), item, keys, observed, edges[item + 1], horizon=horizon, weight=weight)
    place, lead = triples.draw(within_bound(triples.wanted, rows, keys, seed), seed)
    return item[place], place - edges[item[place]], lead


def test_all_triples_with_a_target_when_there_are_few():
    observed = np.array([True, True, False, True, True])
    _, cell, lead = draw(5, horizon=2, observed=observed)
    assert list(zip(cell.tolist(), lead.tolist(), strict=True)) == [(0, 1), (1, 2), (2, 1), (2, 2), (3, 1)]


def test_samples_are_even_over_leads_and_time_and_seeded():
    cells = 5_000
    _, cell, lead = draw(cells, horizon=14, seed=3)
    _, again, _ = draw(cells, horizon=14, seed=3)
    _, other, _ = draw(cells, horizon=14, seed=4)
    assert len(cell) == ROWS_PER_ORIGIN * cells
    np.testing.assert_array_equal(cell, again)
    assert not np.array_equal(cell, other)
    assert np.bincount(lead, minlength=15)[1:].min() > 600
    assert np.bincount(cell * 10 // cells).min() > 980
    assert (cell + lead < cells).all()
    assert len({*zip(cell.tolist(), lead.tolist(), strict=True)}) == len(cell)


def test_a_missing_target_is_no_triple_and_takes_no_other_ones_place():
    observed = np.random.default_rng(0).random(2_000) < 0.3
    _, cell, lead = draw(2_000, horizon=10, observed=observed)
    assert len(cell) == ROWS_PER_ORIGIN * 2_000
    assert observed[cell + lead].all()


def test_each_half_life_halves_the_draws_and_no_triple_is_drawn_for_more_than_it_is():
    cells, half_life, horizon = 4000, 1000, 5
    weight = recency(cells - 1 - np.arange(cells), half_life)
    observed = np.ones(cells, dtype=bool)
    _, cell, lead = draw(cells, horizon=horizon, rows=4000, observed=observed, weight=weight)
    by_age = np.bincount((cells - 1 - cell) // half_life)
    np.testing.assert_allclose(by_age / by_age[0], [1, 1 / 2, 1 / 4, 1 / 8], rtol=0.03)
    assert 3990 <= len(cell) <= 4000
    assert np.bincount(lead, minlength=6)[1:].min() > 700


SHAPES = st.lists(st.integers(1, 200), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(1, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_what_is_drawn_of_an_item_depends_on_it_alone(lengths, horizon, seed, weighted):
    weight = [recency(np.arange(length)[::-1], 30.0) if weighted else np.ones(length) for length in lengths]
    item, cell, lead = draw(*lengths, horizon=horizon, seed=seed, weight=np.concatenate(weight) if weighted else None)
    for number, length in enumerate(lengths):
        own = weight[number] if weighted else None
        _, alone, its = draw(length, horizon=horizon, seed=seed, weight=own, keys=[number])
        np.testing.assert_array_equal(cell[item == number], alone)
        np.testing.assert_array_equal(lead[item == number], its)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(1, 2000), st.integers(0, 2**32 - 1))
def test_with_too_many_every_item_has_the_same_share_of_its_own(lengths, rows, seed):
    whole = np.bincount(draw(*lengths, horizon=7, seed=seed)[0], minlength=len(lengths))
    drawn = np.bincount(draw(*lengths, horizon=7, rows=rows, seed=seed)[0], minlength=len(lengths))
    assert drawn.sum() <= rows
    share = min(1.0, rows / max(whole.sum(), 1))
    assert (np.abs(drawn - share * whole) <= 1 + 0.01 * SMALL).all()


def test_chances_are_even_and_differ_by_key_number_and_seed():
    keys, number = np.arange(20_000, dtype=np.uint64), np.zeros(20_000, dtype=np.int64)
    found = uniform(keys, number, 0)
    assert ((found >= 0) & (found < 1)).all()
    np.testing.assert_allclose(np.bincount((found * 10).astype(int)) / len(found), 0.1, atol=0.01)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.02
    assert not np.isin(uniform(keys, number, 1), found).any()
    assert not np.isin(uniform(keys, number + 1, 0), found).any()
