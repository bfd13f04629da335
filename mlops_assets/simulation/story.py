"""The page that tells a journal day by day: one html file, which asks nothing of anybody."""

from pathlib import Path

from mlops_assets import explorer
from mlops_assets.simulation.journal import Journal

PAGE = Path(__file__).parent / "page"
ENTRY = "year.js"


def page(journal: Journal, vendor: Path = explorer.VENDOR) -> str:
    """Return the page of a journal.

    Args:
        journal: what it tells.
        vendor: folder of the charting library; without it charts are SVG.
    """
    code = explorer.joined(explorer.needed(ENTRY, explorer.module_texts() | explorer.module_texts(PAGE)))
    styles = [explorer.style(), (PAGE / "year.css").read_text(encoding="utf-8")]
    return explorer.sealed({"/journal": journal.to_json()}, title_of(journal), code, styles, vendor)


def title_of(journal: Journal) -> str:
    """Return what the page is called."""
    whose = "its own history" if journal.seed is None else f"seed {journal.seed}"
    return f"{journal.forecast}: {len(journal.days)} days, {whose}"
