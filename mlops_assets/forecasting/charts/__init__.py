"""Pictures of forecasts, scores and decisions."""
