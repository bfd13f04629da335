"""What git and DVC have in common: repositories, and the files that they keep."""

import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol


@dataclass(frozen=True)
class TrackedFile:
    """A file as a repository keeps it.

    Attributes:
        path: below the top folder of the repository.
        revision: that it is read at, for messages.
        id: of its content, the same for the same content.
        size: in bytes; 0 where it is not known before it is read.
        content: gives its bytes.
        modified: a revision keeps no time of modification.
    """

    path: str
    revision: str
    id: str
    size: int
    content: Callable[[], bytes]
    modified: float = 0.0

    def __str__(self) -> str:
        return f"{self.path} at {self.revision}"

    @property
    def suffixes(self) -> list[str]:
        """Endings of the name, as of a `Path`."""
        return PurePosixPath(self.path).suffixes

    def open(self) -> IO[bytes]:
        """Open it for reading; all of it is in memory."""
        return io.BytesIO(self.content())


class Repository(Protocol):
    """Who keeps versions of files.

    Attributes:
        root: its top folder, without symbolic links.
        way_in: the command by which a file gets its first version.
    """

    root: Path
    way_in: str

    def files(self, below: str, revision: str | None) -> Mapping[str, TrackedFile]:
        """Return the files that it keeps, by their paths below the root.

        Args:
            below: a file, or a folder that all are in; empty: the root.
            revision: at which; None: as they would be without local changes.

        Raises:
            UnknownNameError: there is no such revision.
            SourceError: the repository cannot be read.
        """
        ...

    def changed(self, below: str, paths: Collection[str]) -> bool:
        """Whether some of the files that it keeps are otherwise on the disk.

        Args:
            below: as above.
            paths: of the files, below the root.

        Raises:
            SourceError: the repository cannot be read.
        """
        ...
