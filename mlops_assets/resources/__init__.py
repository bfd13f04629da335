"""What assets stand on: sources, MLflow, databases, the clock; and what they may ask of a store."""
