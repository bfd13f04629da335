"""What every engine beyond this process is, and how results come back in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from mlops_assets.scale.worker import Outcome

Future = TypeVar("Future")


class Backend(Protocol):
    """Workers that have been started, or found."""

    def map(self, packed: bytes, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield the outcomes of a packed function's tasks in their order; a bounded number of them is ahead.

        Raises:
            EngineUnavailableError, WorkerReleaseError, WorkerLostError: see there.
        """
        ...

    def close(self) -> None:
        """Give back what was opened for this."""
        ...


def ahead(submit: Callable[[Any], Future], tasks: Iterable[Any], most: int) -> Iterator[tuple[Any, Future]]:
    """Yield tasks with their futures, in order; so many at most are submitted and not yet asked for.

    Args:
        submit: begins a task.
        tasks: in their order.
        most: of them begin before the first has been yielded.
    """
    waiting: deque[tuple[Any, Future]] = deque()
    for task in tasks:
        waiting.append((task, submit(task)))
        if len(waiting) >= most:
            yield waiting.popleft()
    yield from waiting
