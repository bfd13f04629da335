"""Student's distribution: importing scipy for it took a round an eighth of its processor time."""

import math

_TINY, _PRECISE, _MOST = 1e-300, 1e-15, 10_000
"""What stands for a denominator of zero; the step at which a fraction has come close enough; the most steps."""


def student(degrees: int, value: float) -> float:
    """Return the probability of a value at most so large, by Student's distribution.

    It is a regularized incomplete beta function (Abramowitz and Stegun, *Handbook of mathematical functions*, 26.7.1),
    by its continued fraction: small probabilities are as exact as large ones.

    Args:
        degrees: of freedom, at least 1.
        value: of the statistic; NaN gives NaN.
    """
    if math.isnan(value):
        return math.nan
    if value == 0:
        return 0.5
    square = value * value
    below, beyond = degrees / (degrees + square), square / (degrees + square)
    if below < (degrees + 2) / (degrees + 5):  # where the fraction comes close soon
        tail = _beta(degrees / 2, 0.5, below, beyond) / 2
    else:
        tail = 0.5 - _beta(0.5, degrees / 2, beyond, below) / 2
    return 1 - tail if value > 0 else tail


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularized incomplete beta function of `x`, where `rest` is `1 - x`; by Lentz's method."""
    if x == 0:
        return 0.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest or _TINY)
    )
    upper, lower = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1) or _TINY)
    fraction = lower
    for m in range(1, _MOST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1.0 / (1.0 + term * lower or _TINY)
            upper = 1.0 + term / upper or _TINY
            fraction *= lower * upper
        if abs(lower * upper - 1.0) < _PRECISE:
            break
    return front * fraction / a
