import numpy as np

from mlops_assets.forecasting.model.features.sampling import recency, sample_triples


def test_all_triples_with_a_target_when_there_are_few():
    observed = np.array([True, True, False, True, True])
    place, lead = sample_triples(np.array([0, 1, 3]), observed, np.full(3, 5), horizon=2, rows=100, seed=0)
    assert list(zip(place.tolist(), lead.tolist(), strict=True)) == [(0, 1), (1, 2), (2, 1)]


def test_samples_are_even_over_leads_and_time_seeded_and_bounded():
    cells = 50_000
    arguments = np.arange(cells), np.ones(cells, dtype=bool), np.full(cells, cells)
    place, lead = sample_triples(*arguments, horizon=14, rows=7000, seed=3)
    again = sample_triples(*arguments, horizon=14, rows=7000, seed=3)
    other = sample_triples(*arguments, horizon=14, rows=7000, seed=4)
    assert 6900 <= len(place) <= 7000
    np.testing.assert_array_equal(place, again[0])
    np.testing.assert_array_equal(lead, again[1])
    assert not np.array_equal(place, other[0])
    assert np.bincount(lead, minlength=15)[1:].min() > 400
    assert np.bincount(place * 10 // cells).min() > 650
    assert (place + lead < cells).all()


def test_missing_targets_are_made_up_for_by_more_draws():
    random = np.random.default_rng(0)
    observed = random.random(20_000) < 0.3
    place, lead = sample_triples(np.arange(20_000), observed, np.full(20_000, 20_000), horizon=10, rows=5000, seed=0)
    assert 4800 <= len(place) <= 5000
    assert observed[place + lead].all()


def test_each_half_life_halves_the_draws_and_no_triple_is_drawn_for_more_than_it_is():
    cells, half_life, horizon = 4000, 1000, 5
    arguments = np.arange(cells), np.ones(cells + horizon, dtype=bool), np.full(cells, cells + horizon)
    weight = recency(cells - 1 - np.arange(cells), half_life)
    place, lead = sample_triples(*arguments, horizon=horizon, rows=4000, seed=0, weight=weight)
    by_age = np.bincount((cells - 1 - place) // half_life)
    np.testing.assert_allclose(by_age / by_age[0], [1, 1 / 2, 1 / 4, 1 / 8], rtol=0.02)
    assert len(place) == 4000
    assert np.bincount(lead, minlength=6)[1:].min() > 700
    place, _ = sample_triples(*arguments, horizon=horizon, rows=10**6, seed=0, weight=weight)
    assert len(place) == int(np.ceil(weight.sum() * horizon)), "room for more rows does not bring the old ones back"
