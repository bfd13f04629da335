"""The errors that are expected: a person can understand them and act on them. Everything else is a bug.

Every class is defined where it is raised, those that many rooms raise here; this is their address and their tree:

    MlopsAssetsError                    the root: message, advice (commands to run), exit code
    ├── TransientError                  the same may succeed later
    │   ├── SourceUnavailableError      a source does not answer (also a SourceError)
    │   ├── TrackingUnavailableError    MLflow does not answer (also a TrackingError)
    │   ├── DatabaseUnavailableError    a database lets nobody in (also a DatabaseError)
    │   ├── BusyError                   an external service has too much to do (also a ServiceError)
    │   ├── BusyAnswerError             our own server has
    │   ├── UnreachableError            an external service was not reached (also a ServiceError)
    │   ├── UnsureError                 it was, and its answer is lost (also a ServiceError)
    │   ├── StorageUnavailableError     nor object storage (also a StorageError)
    │   ├── ReplacedError               an object was replaced while it was read
    │   ├── LockTimeoutError            another writer holds the table (also a StorageError)
    │   └── NotYetError                 what was asked for is not there yet: come back (exit code 3)
    ├── TerminalError                   it fails until somebody changes something
    │   ├── UsageError                  what was asked for, or declared, cannot be (exit code 2)
    │   │   ├── UnknownNameError        nothing of that name, with the nearest right one
    │   │   ├── SettingsError           an environment variable
    │   │   ├── SpecError               a forecast's file; YamlTextError: no YAML
    │   │   ├── QuestionError           a question to a forecast
    │   │   │   └── UnknownItemError, UnknownOriginError, TooEarlyError
    │   │   ├── NotAcceptableError      a format of answers that there is not
    │   │   ├── AdjustmentError         what a person wants to change; LockedError: of what is locked (exit code 4)
    │   │   ├── ReplayError             a policy that cannot be replayed
    │   │   ├── SimulationError         a year that cannot be lived as asked
    │   │   ├── RevisionsError          a question to the past that cannot be answered
    │   │   ├── NotKeptError            a question about what was removed (`retention`)
    │   │   ├── ExclusiveError          a job that would hold alone what another one holds
    │   │   ├── EngineAddressError      an engine that cannot be, or cannot see the tables (also an EngineError)
    │   │   ├── UnprovenError           who decides has not proven who they are (exit code 4)
    │   │   └── DecisionError           a person's decision on a version (exit code 4)
    │   ├── ExtensionError              code of others that a spec names
    │   ├── DataError                   the data do not allow it
    │   │   ├── ContractError           the source as a whole breaks the contract
    │   │   ├── RefusedAnswerError      a service has sent what it was not asked for
    │   │   ├── ChangedSpecError        observations are stored that were ingested under another spec
    │   │   └── UnstorableFrameError, SchemaDriftError, ForeignRowsError (also StorageErrors)
    │   ├── NoChampionError             a forecast has no champion yet (exit code 4)
    │   ├── OldLayoutError              a table is stored as an earlier release did it (also a StorageError)
    │   ├── UnguardedError              Dagster's web server does not stand behind its guard
    │   ├── RefusedError                the machine lets nobody write there, or its disk is full
    │   ├── UnknownSecretError          a worker lacks the variable of a secret
    │   ├── ModelFileError              a stored model is not what was saved
    │   └── MissingExtraError           a library is not installed
    │       ├── MissingDriverError      a database's (also a DatabaseError)
    │       └── MissingChannelError     of alerts (also a NotificationError)
    ├── DatabaseError                   a database cannot be opened as asked
    ├── SourceError                     a source cannot be read
    ├── TrackingError                   MLflow, or what it holds, cannot be used
    │   ├── VersionGoneError            a version is not in it any more (also a TerminalError)
    │   └── ModelCodeError              the code that a version has to be run by (also a TerminalError)
    ├── GitError                        git is not installed, or refuses what it is asked
    ├── ServiceError                    an external forecasting service
    │   ├── NotThereError               knows no such job
    │   ├── WrongAnswerError            answers what makes no sense
    │   └── RefusedByServiceError       will never do it (also a TerminalError)
    ├── NotificationError               the channel of alerts cannot be used
    ├── EngineError                     the engine that works on shards
    │   ├── EngineUnavailableError      does not answer, or has gone away (also a TransientError)
    │   ├── WorkerReleaseError          has workers of another release (also a TerminalError)
    │   └── WorkerLostError             has a task that ends every worker (also a TerminalError)
    ├── StorageError                    a table or model cannot be stored or read
    │   └── MissingTableError, StaleWriteError, AlreadyStoredError
    ├── RunFailedError                  a Dagster run failed
    │   └── UndeliveredError            forecasts, for only a champion may make them (exit code 4)
    ├── InterruptedRunError             a command was told to end
    ├── RefusedRowsError                too many rows of a simulated day are rejected for any to be stored
    └── ModelCheckError                 a kind of model does not keep its promises

A step that fails is tried again by Dagster only if its error is a `TransientError`. How commands end is `ExitCode`.
"""

from enum import IntEnum
from typing import ClassVar

from mlops_assets.forecasting.model.errors import (
    DataError,
    MissingExtraError,
    MlopsAssetsError,
    ModelFileError,
    TerminalError,
    TransientError,
    UnknownNameError,
    UsageError,
    nearest,
)

__all__ = [
    "DataError",
    "ExitCode",
    "MissingExtraError",
    "MlopsAssetsError",
    "ModelFileError",
    "NotYetError",
    "TerminalError",
    "TransientError",
    "UnknownNameError",
    "UsageError",
    "nearest",
]


class ExitCode(IntEnum):
    """How every command ends, for schedulers and scripts; docs/exit_codes.md has the same table for people.

    Attributes:
        DONE: what was asked for is there (of a round: its forecast, whatever the gate has said), or nothing was to do.
        FAILED: it has not been done.
        WRONG_USAGE: what was asked for, or declared, cannot be; nothing was done.
        NOT_YET: rows, or a service's forecast, are not there yet: the same command again, later.
        NOT_ALLOWED: only a champion may forecast and there is none; a person's decision that cannot be taken, or of
            somebody who has not proven who they are; an adjustment of what is locked.
    """

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    NOT_YET = 3
    NOT_ALLOWED = 4


class NotYetError(TransientError):
    """What was asked for is not there yet, and nobody has done anything wrong: the same command again, later."""

    exit_code: ClassVar[int] = ExitCode.NOT_YET
