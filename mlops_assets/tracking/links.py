"""Addresses of pages of MLflow's web UI."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    """Makes links.

    Attributes:
        ui: address of the web UI; empty: every link is an empty text.
    """

    ui: str = ""

    def to(self, path: str) -> str:
        """Return the address of a page, or an empty text."""
        return f"{self.ui.rstrip('/')}/#/{path}" if self.ui else ""

    def run(self, experiment_id: str, run_id: str) -> str:
        """Return the address of a run's page."""
        return self.to(f"experiments/{experiment_id}/runs/{run_id}")

    def version(self, name: str, number: int) -> str:
        """Return the address of the page of a model's version."""
        return self.to(f"models/{name}/versions/{number}")

    def model(self, name: str) -> str:
        """Return the address of the page of a model, as machine learning: MLflow opens models as GenAI otherwise."""
        return self.to(f"models/{name}?workflowType=machine_learning")
