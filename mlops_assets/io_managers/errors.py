"""What can go wrong with a stored table or model, one class per way out."""


class StorageError(Exception):
    """A table or model could not be stored or read; the message says what, where, and the way out."""


class MissingTableError(StorageError, LookupError):
    """Nothing is stored under this key, or none of the partitions asked for."""


class UnstorableFrameError(StorageError, ValueError):
    """The frame has something that no place could give back unchanged."""


class SchemaDriftError(StorageError, ValueError):
    """The columns of a partition differ from those of the partitions that are already there."""


class ForeignRowsError(StorageError, ValueError):
    """Rows that belong to none of the partitions being written."""


class StaleWriteError(StorageError):
    """A writer that started earlier tried to replace what a later one has written."""


class AlreadyStoredError(StorageError):
    """A partition that was to be created is there already: somebody was faster."""
