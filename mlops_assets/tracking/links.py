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
        """Return the address of a page, or an empty text.

        It opens as machine learning: MLflow asks the browser what it opened last, and takes GenAI for what it knows.
        """
        return f"{self.ui.rstrip('/')}/#/{path}?workflowType=machine_learning" if self.ui else ""

    def run(self, experiment_id: str, run_id: str, artifact: str = "") -> str:
        """Return the address of a run's page, or of an artifact of the run."""
        return self.to(f"experiments/{experiment_id}/runs/{run_id}{artifact and f'/artifacts/{artifact}'}")

    def version(self, name: str, number: int) -> str:
        """Return the address of the page of a model's version."""
        return self.to(f"models/{name}/versions/{number}")

    def model(self, name: str) -> str:
        """Return the address of the page of a model."""
        return self.to(f"models/{name}")
