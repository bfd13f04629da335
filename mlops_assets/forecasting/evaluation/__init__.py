"""How good forecasts are: metrics, backtest, comparison, the ledger beside what came."""
