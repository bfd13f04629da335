"""The forecasting engine: pure functions over pandas frames and NumPy arrays.

Nothing in here imports Dagster, MLflow, a database or the rest of the package, so that a logged model can carry
this folder along and be used by a stranger.
"""
