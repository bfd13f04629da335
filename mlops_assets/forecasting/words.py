"""Results in a few words, for people."""

from collections.abc import Sequence


def some(items: Sequence[str], most: int = 5) -> str:
    """Name a few of the items."""
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
