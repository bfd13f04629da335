"""MLflow behind a small typed face: runs, registry, studies, the logged model."""
