"""What is looked at beside the forecasts: drift and anomalies of the data, and why a forecast has changed."""
