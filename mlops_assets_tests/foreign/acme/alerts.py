"""A channel of our own."""

TOLD = []


def page(alert):
    """Tell the one who is on call."""
    TOLD.append(f"{alert.title}: {alert.what}")
