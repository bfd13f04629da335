"""Single cells of tables."""


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for a cell; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
