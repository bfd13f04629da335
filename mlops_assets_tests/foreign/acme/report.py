"""A section of our own in the report."""

from mlops_assets.api.extensions import Section, Table


def stock(stored, overview):
    """Say how much is to be ordered."""
    newest = stored.partitions("forecasts")[-1:]
    rows = stored.delivered("forecasts", newest, ["item_id", "mean"])
    wanted = rows.groupby("item_id", as_index=False)["mean"].sum()
    return Section("Stock", [f"Order for {overview.forecast} until {newest[0]}."], [Table("By item", wanted)])
