"""Spans of time within which a service trains once."""

import pandas as pd

from mlops_assets.spec.external import Every


def span_of(every: Every, moment: pd.Timestamp) -> str:
    """Return the span that a moment lies in, such as `2026-W48`: two moments of one span have one text."""
    if every == "never":
        return "once"
    return moment.strftime({"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}[every])
