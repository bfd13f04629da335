"""What is asked of a service, as plain JSON types; and templates that it is filled into."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from mlops_assets.jobs.providers.protocol import Request

_PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")

Values = Mapping[str, Callable[[], Any]]
"""Values by placeholder, each made when it is needed."""


def asked(request: Request) -> dict[str, Any]:
    """Return a request as plain JSON types: the parameters of a job, and the values of placeholders."""
    task = request.task
    return {
        "forecast": request.forecast,
        "partition": request.partition,
        "origin": request.origin.isoformat(),
        "frequency": task.frequency,
        "horizon": task.horizon,
        "quantiles": list(task.quantiles),
        "known": list(task.known),
        "static": list(task.static),
        "exchange": request.exchange,
    }


def fill(template: Any, values: Values) -> Any:
    """Return JSON with its placeholders replaced: a text that is one by its value, within a text by its text."""
    if isinstance(template, dict):
        return {key: fill(part, values) for key, part in template.items()}
    if isinstance(template, list):
        return [fill(part, values) for part in template]
    if not isinstance(template, str):
        return template
    whole = _PLACEHOLDER.fullmatch(template)
    if whole and whole[1] in values:
        return values[whole[1]]()
    return fill_text(template, values)


def fill_text(template: str, values: Values, quote: Callable[[str], str] = str) -> str:
    """Return a text with its placeholders replaced; what is none of ours stays.

    Args:
        template: the text.
        values: by placeholder.
        quote: of each value's text, as for an address.
    """

    def value(found: "re.Match[str]") -> str:
        return quote(str(values[found[1]]())) if found[1] in values else found[0]

    return _PLACEHOLDER.sub(value, template)
