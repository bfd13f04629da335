"""The comparison of two models as the gate tells it: in words, and as the numbers that a decision keeps."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isinf

from mlops_assets.forecasting.evaluation.compare import OUTLYING, Comparison
from mlops_assets.forecasting.formatting import counted


def percent(found: Comparison) -> str:
    """Return the change with its interval."""
    high = "any" if isinf(found.high) else f"{found.high:+.1%}"
    return f"{found.change:+.1%}, {found.low:+.1%} to {high}"


def sign(found: Comparison) -> str:
    """Return on which side of the second model the first is."""
    return "below" if found.change < 0 else "not below" if found.change > 0 else "no lower than, but equal to,"


def sides(found: Comparison) -> tuple[str, str]:
    """Return the metric of both sides with four decimals, or as many digits as tell them apart."""
    values = found.first, found.second
    for digits in (".4f", ".4g", ".8g"):
        told = tuple(format(value, digits) for value in values)
        if all(map(float, told)) and len({*told}) == len({*values}):
            break
    return told[0], told[1]


def left_out(found: Comparison) -> str:
    """Return that rows do not count, as the end of a sentence; empty if all do."""
    if not found.outlying:
        return ""
    return (
        f"; {counted(found.outlying, 'row')} missed by more than {OUTLYING} times the usual left out: look at the data"
    )


def numbers(found: Comparison) -> dict[str, float]:
    """Return what a decision keeps."""
    return {name: float(value) for name, value in asdict(found).items()}


def comparison(kept: Mapping[str, float]) -> Comparison:
    """Return the comparison of which a decision has kept the numbers."""
    counts = {name: int(kept[name]) for name in ("rows", "blocks", "outlying") if name in kept}
    measured = {name: value for name, value in kept.items() if name not in counts}
    return Comparison(**counts, **measured)  # pyright: ignore[reportArgumentType]
