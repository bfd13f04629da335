"""Whole rounds of a forecast in one process: ingest, train, forecast, score."""
