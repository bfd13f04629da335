"""A source of our own."""

import pandas as pd


class Erp:
    """Sales of the ERP system."""

    def __init__(self, system, shops=2, token=""):
        self.system, self.shops, self.token = system, shops, token

    def read(self, columns, time_column, start, end):
        """Ask the system for the rows of a span."""
        days = pd.date_range(start, end, freq="D", inclusive="left")
        rows = [
            {"shop": f"s{shop}", "day": day, "sold": 20.0 + 5 * shop + 3 * day.dayofweek + (day.day == 25) * 10}
            for shop in range(self.shops)
            for day in days
        ]
        return pd.DataFrame(rows, columns=["shop", "day", "sold"])

    def version(self, start, end):
        """Say what tells this content from another."""
        return f"{self.system} {end}"
