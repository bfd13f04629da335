"""The forecasting engine: pure functions over pandas frames and NumPy arrays.

Nothing in here imports Dagster, MLflow, a database or the rest of the package. `model/` is what travels inside a logged
model: it imports nothing else of the engine either, so that a stranger can use it.
"""
