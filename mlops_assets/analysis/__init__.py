"""Questions to a forecast, answered without changing it: evaluate, explain, what if, tune, replay, status, check."""
