"""Questions that a forecast has no answer to; each message names the parameter and what can be asked instead."""

from mlops_assets.errors import UsageError


class QuestionError(UsageError):
    """A question that this forecast has no answer to; the message says what can be asked."""


class UnknownItemError(QuestionError, LookupError):
    """There is no such item."""


class UnknownOriginError(QuestionError, LookupError):
    """Nothing was forecast from there."""


class TooEarlyError(QuestionError, LookupError):
    """Nothing was stored yet at the moment that is asked about."""
