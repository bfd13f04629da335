"""Commands for those who read forecasts."""
