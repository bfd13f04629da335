import numpy as np

from mlops_assets.forecasting.sampling import sample_triples


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
