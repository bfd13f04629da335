"""A channel of our own."""

import logging


def page(alert):
    """Tell the one who is on call."""
    logging.getLogger("pager").error(f"{alert.title}: {alert.what}")
