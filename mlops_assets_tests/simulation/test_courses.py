"""What other policies would have done, in words: better and worse only where that is more than chance."""

import pytest

from mlops_assets.simulation.courses import verdict

LIVED = [0.10, None, 0.12, 0.11, 0.10, 0.12]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ([0.11, None, 0.11, 0.10, 0.11, 0.12], "about as good: 0.0% worse over 5 origins"),
        ([0.09, None, 0.10, 0.12, 0.08, 0.13], "about as good: 5.5% better over 5 origins"),
        ([0.08, None, 0.10, 0.09, 0.08, 0.09], "20.0% better over 5 origins, which is beyond chance"),
        ([0.20, None, 0.23, 0.22, 0.21, 0.24], "100.0% worse over 5 origins, which is beyond chance"),
        ([None, 0.10, None, None, None, 0.12], "not comparable"),
    ],
)
def test_a_difference_is_told_as_what_it_is(other: list[float | None], words: str) -> None:
    assert verdict(LIVED, other).startswith(words)
