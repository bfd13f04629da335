"""Asking a service of Amazon by boto3 once, and what its answer means for the job: the poller is who tries again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from typing import Any

from mlops_assets.errors import MissingExtraError
from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    RefusedByServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets.resources.secrets import scrub
from mlops_assets.spec.external import filled

_BUSY = {
    "LimitExceededException", "ResourceInUseException", "ResourceLimitExceeded", "ResourceInUse",
    "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "ServiceUnavailable", "ServiceUnavailableException", "SlowDown",
}  # fmt: skip
_NOT_THERE = {"ResourceNotFoundException", "ResourceNotFound"}
_NO_LOGIN = {
    "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "ExpiredToken",
    "AccessDeniedException", "AccessDenied", "InvalidClientTokenId", "MissingAuthenticationTokenException",
    "IncompleteSignature", "RequestExpired", "NotAuthorized", "OptInRequired",
}  # fmt: skip
_THERE_ALREADY = "ResourceAlreadyExistsException"
_KEYS = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or the profile or role that boto3 finds"
_TIMEOUT_SECONDS = 30
_ONE_AT_A_TIME = Lock()


@dataclass(frozen=True)
class AwsClient:
    """One service of Amazon in one region; keys come from the cloud's own variables.

    Attributes:
        service: as boto3 calls it: `forecast`, `sagemaker`.
        region: of it.
        endpoint_url: another address than Amazon's, perhaps with `${VARIABLE}`; None: Amazon's.
        environ: of the variables.
        missing: the beginning of messages that mean: no such thing, where the service has no error of its own for it.
    """

    service: str
    region: str
    endpoint_url: str | None
    environ: Mapping[str, str]
    missing: str = "Could not find"

    def read(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Ask what changes nothing.

        Raises:
            NotThereError: there is no such thing.
        """
        with self._meaning(operation, changes=False):
            return getattr(self._client, operation)(**parameters)

    def make(self, operation: str, arn: str, **parameters: Any) -> str | None:
        """Make a thing and return its ARN; None if there is one of that name already.

        Args:
            operation: as boto3 calls it.
            arn: field of the answer that has the ARN.
            parameters: of the operation.

        Raises:
            RefusedByServiceError: wrong input, or something that it is made of is gone.
            WrongAnswerError: the answer has no ARN.
        """
        from botocore.exceptions import ClientError

        try:
            with self._meaning(operation, changes=True):
                try:
                    answer = getattr(self._client, operation)(**parameters)
                except ClientError as error:
                    if error.response.get("Error", {}).get("Code") == _THERE_ALREADY:
                        return None
                    raise
        except NotThereError as error:
            raise RefusedByServiceError(error.message) from None
        return str(_field(answer, arn, f"{self.service} ({operation})"))

    def stop(self, operation: str, **parameters: Any) -> None:
        """Stop a thing that may have ended, or never been there."""
        try:
            with self._meaning(operation, changes=False):
                getattr(self._client, operation)(**parameters)
        except (NotThereError, RefusedByServiceError):
            return

    def listed(self, operation: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the summaries of a list, page after page."""
        with self._meaning(operation, changes=False):
            for page in self._client.get_paginator(operation).paginate(**parameters):
                yield from _field(page, key, f"{self.service} ({operation})")

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3  # noqa: F401, whether it is there
            from botocore.config import Config
            from botocore.exceptions import UnknownServiceError
        except ImportError:
            raise MissingExtraError.of(f"the service {self.service}", "boto3", "aws") from None
        once = Config(
            retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=_TIMEOUT_SECONDS, max_pool_connections=1
        )
        region, url = filled([self.region, self.endpoint_url or ""], self.environ)
        try:
            with _ONE_AT_A_TIME:  # a session is not for several threads, its clients are
                return _session().client(self.service, region_name=region, endpoint_url=url or None, config=once)
        except UnknownServiceError:
            raise RefusedByServiceError(
                f"the installed boto3 knows no service {self.service} any more; install an older release of it"
            ) from None

    @contextmanager
    def _meaning(self, operation: str, *, changes: bool) -> Iterator[None]:
        from botocore import exceptions as known

        name = f"{self.service} ({operation})"
        lost = UnsureError if changes else UnreachableError
        try:
            yield
        except known.ClientError as error:
            raise self._of_code(error, name, lost) from None
        except (known.NoCredentialsError, known.PartialCredentialsError, known.CredentialRetrievalError) as error:
            raise UnreachableError(f"{name}: no keys: {scrub(str(error))}; see {_KEYS}") from None
        except known.ParamValidationError as error:
            raise RefusedByServiceError(f"{name}: {' '.join(str(error).split())}") from None
        except (known.EndpointConnectionError, known.ConnectTimeoutError, known.SSLError, known.ProxyConnectionError):
            raise UnreachableError(f"{name}: it cannot be reached") from None
        except known.HTTPClientError as error:  # read time-outs, connections that break off
            raise lost(f"{name}: its answer did not come ({type(error).__name__})") from None
        except known.BotoCoreError as error:
            if "parse" in type(error).__name__.lower():
                raise WrongAnswerError(f"{name}: its answer makes no sense: {_short(error)}") from None
            raise RefusedByServiceError(f"{name}: {_short(error)}") from None
        except (ValueError, KeyError) as error:  # botocore's parsers, of a body that is no JSON
            raise WrongAnswerError(f"{name}: its answer makes no sense: {_short(error)}") from None

    def _of_code(self, error: Any, name: str, lost: type[UnsureError] | type[UnreachableError]) -> Exception:
        answer = error.response
        code, said = answer.get("Error", {}).get("Code", ""), scrub(answer.get("Error", {}).get("Message", ""))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"{name}: {code}: {said[:300]}"
        if code in _BUSY or status in (429, 503):
            after = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", "")
            return BusyError.asking(text, float(after) if after.isdigit() else None)
        if code in _NOT_THERE or said.startswith(self.missing):
            return NotThereError(text)
        if code in _NO_LOGIN or status in (401, 403):
            return UnreachableError(f"{text}: it does not let us in; see {_KEYS}")
        return lost(text) if status >= 500 else RefusedByServiceError(text)


def _field(answer: Mapping[str, Any], name: str, what: str) -> Any:
    """Return a field that an answer must have: boto3 makes an empty answer of a body that is no JSON."""
    if name not in answer:
        raise WrongAnswerError(f"{what}: its answer makes no sense: it has no {name}")
    return answer[name]


@cache
def _session() -> Any:
    """Return one session for all clients: each reads a megabyte of Amazon's descriptions."""
    import boto3

    return boto3.Session()


def _short(error: Exception) -> str:
    return scrub(" ".join(str(error).split()))[:200]
