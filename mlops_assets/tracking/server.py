"""An MLflow server's front door: whether it answers at all, and whether it lets us in."""

import re
from typing import Any

from mlops_assets.resources.secrets import scrub
from mlops_assets.tracking.errors import TrackingUnavailableError, refused_entry

_SECONDS = 5
_CAUSE = re.compile(r"\[Errno -?\d+\] [^\"')]+|\[SSL[^\"')]+|timed? ?out|Name or service not known")


def knock(address: str, where: str) -> None:
    """Ask a server for its health with the login that MLflow's client would send.

    A dead server would hang that client for minutes; and a proxy may want the login on every path.

    Args:
        address: of the server, with its login if it has one.
        where: the address as it may be shown.

    Raises:
        TrackingUnavailableError: nobody answers, or the server says that it cannot.
        TrackingError: it lets nobody in without another login.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer: Any = http_request(
            get_default_host_creds(address),
            "/health",
            "GET",
            max_retries=0,
            timeout=_SECONDS,
            raise_on_status=False,
        )
    except MlflowException as error:
        text = " ".join(str(error).split())
        cause = _CAUSE.search(text)
        reason = cause[0].strip() if cause is not None else text
        raise TrackingUnavailableError(
            f"MLflow at {where} does not answer ({scrub(reason)}); see MLFLOW_TRACKING_URI"
        ) from None
    if answer.status_code in (401, 403):
        raise refused_entry(where, f"{answer.status_code} {answer.reason}")
    if answer.status_code >= 500:
        raise TrackingUnavailableError(
            f"MLflow at {where} does not answer ({answer.status_code} {answer.reason}); see MLFLOW_TRACKING_URI"
        )
