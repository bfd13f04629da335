"""What can go wrong with an engine."""

from mlops_assets.errors import MlopsAssetsError, TerminalError, TransientError, UsageError
from mlops_assets.resources.rows import Span


class EngineError(MlopsAssetsError):
    """The engine that works on shards cannot do it; the message says which, why, and the way out."""


class EngineAddressError(EngineError, UsageError):
    """What MLOPS_ENGINE says cannot be, or cannot work on the tables that are meant."""


class EngineUnavailableError(EngineError, TransientError):
    """The engine does not answer, has gone away, or has no workers now; a later try may succeed."""


class WorkerReleaseError(EngineError, TerminalError):
    """A worker does not have this package, or has another release of it."""


class WorkerLostError(EngineError, TerminalError):
    """Whatever worker does this task ends without an answer, again and again."""

    @classmethod
    def of(cls, task: object, times: int, memory: str = "") -> "WorkerLostError":
        """Make the error.

        Args:
            task: that ended its workers; a `Span` if it is a shard.
            times: that it was tried.
            memory: that a worker has, if that is known.
        """
        what, way = "a task", "give workers more memory"
        if isinstance(task, Span):
            what = f"items {task.first} to {task.last}"
            if task.first == task.last:
                what = f"item {task.first}"
                way += "; the rows of an item are never parted: does its id lack a column that tells series apart?"
        limit = f"the {memory} of a worker" if memory else "a worker has"
        return cls(f"{what}: {times} workers died of it, most likely since it takes more memory than {limit}; {way}")
