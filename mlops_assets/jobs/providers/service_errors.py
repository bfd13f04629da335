"""What can go wrong with a service: each error says what the poller has to do next."""

from mlops_assets.errors import MlopsAssetsError, TerminalError, TransientError


class ServiceError(MlopsAssetsError):
    """Something is wrong with an external forecasting service; the message names it and shows no secret."""


class BusyError(ServiceError, TransientError):
    """The service has too much to do, for us or at all (429, 503, quotas): ask again later; no attempt is used up.

    Attributes:
        after: seconds that the service asks us to wait; None where it says nothing.
    """

    after: float | None = None

    @classmethod
    def asking(cls, message: str, after: float | None) -> "BusyError":
        """Make the error of a service that asks for a pause."""
        error = cls(message)
        error.after = after
        return error


class UnreachableError(ServiceError, TransientError):
    """The service was not reached at all, so nothing happened there: the same again later."""


class UnsureError(ServiceError, TransientError):
    """A request went out and no answer came: the work may have been done. Describe by name before anything else."""


class NotThereError(ServiceError, LookupError):
    """The service knows no such thing: what was asked for by name was never made, or is gone."""


class RefusedByServiceError(ServiceError, TerminalError):
    """The service will never do this, whatever the time: wrong input, no permission, no such model."""


class WrongAnswerError(ServiceError, ValueError):
    """An answer that makes no sense: no JSON, a state that nobody knows, rows that are no forecast."""
