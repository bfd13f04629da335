"""The page of all odd inputs, docs/inputs.md."""

from mlops_assets_tests.sources.inputs import KINDS
from mlops_assets_tests.sources.inputs.input import Input

_START = """# Odd inputs

What sources really hold, and what becomes of it. Each line is a test; this page is written from them
(`python -m mlops_assets_tests.sources.inputs > docs/inputs.md`). Nothing is silent: what is no plain value is read with
a note (in the output of `run`, and in the metadata as `notes`), quarantined with its reason, counted, or refused with a
message that names the way out. How rows are judged is told in [spec.md](spec.md#the-contract-of-a-row).
"""


def to_markdown() -> str:
    """Write the page."""
    every = [one for inputs in KINDS.values() for one in inputs]
    lines = [_START, "| kind | inputs | read | read and told | quarantined | counted | refused |", "|---|" + "--:|" * 6]
    for kind, inputs in {**KINDS, "together": every}.items():
        lines.append(f"| {kind} | {len(inputs)} | {' | '.join(map(str, _counts(inputs)))} |")
    for kind, inputs in KINDS.items():
        lines += ["", f"## {kind}", "", "| input | what becomes of it |", "|---|---|"]
        lines += [f"| {_cell(one.what)} | {_cell(str(one.outcome))} |" for one in inputs]
    return "\n".join(lines) + "\n"


def _counts(inputs: list[Input]) -> list[int]:
    found = [one.outcome for one in inputs]
    told = sum(1 for one in found if one.note is not None)
    rejected, counted, refused = (
        sum(1 for one in found if getattr(one, name) is not None) for name in ("reason", "counted", "refused")
    )
    return [len(found) - told - rejected - counted - refused, told, rejected, counted, refused]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("\0", "NUL")
