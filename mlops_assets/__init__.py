"""Batch forecasts that look after themselves, as a Dagster project."""
