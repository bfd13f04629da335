"""What the company Acme adds to its forecasts."""
