"""Rules of our own for the gate."""


def no_wild_totals(backtest, task):
    """Hold the sum of all forecasts against the sum of what came."""
    own = backtest[backtest["model"] == "challenger"]
    share = own["mean"].sum() / own["target"].sum()
    return 0.5 < share < 2.0, f"the total is {share:.0%} of what came"
