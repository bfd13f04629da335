"""What can go wrong with a stored table or model, one class per way out."""

from collections.abc import Callable

from mlops_assets.errors import DataError, MlopsAssetsError, TerminalError, TransientError
from mlops_assets.resources.refusals import refusal


class StorageError(MlopsAssetsError):
    """A table or model could not be stored or read; the message says what, where, and the way out."""


class MissingTableError(StorageError, LookupError):
    """Nothing is stored under this key, or none of the partitions asked for."""


class UnstorableFrameError(StorageError, DataError):
    """The frame has something that no store could give back unchanged."""


class SchemaDriftError(StorageError, DataError):
    """The columns of a partition differ from those of the partitions that are already there."""


class ForeignRowsError(StorageError, DataError):
    """Rows that belong to none of the partitions being written."""


class StaleWriteError(StorageError):
    """A writer that started earlier tried to replace what a later one has written."""


class AlreadyStoredError(StorageError):
    """A partition that was to be created is there already: somebody was faster."""


class OldLayoutError(StorageError, TerminalError):
    """A table is stored as an earlier release did it, and has to be brought into today's form first."""


class LockTimeoutError(StorageError, TransientError, TimeoutError):
    """Another writer holds the table for longer than we wait."""


class StorageUnavailableError(StorageError, TransientError):
    """Object storage does not answer now; a later try may succeed."""


def told(put: Callable[[], int]) -> int:
    """Write, and let what a driver says of a full disk or a read-only server be an error of ours: it is no bug."""
    try:
        return put()
    except Exception as error:
        refused = None if isinstance(error, MlopsAssetsError) else refusal(str(error))
        if refused is None:
            raise
        raise refused from error
