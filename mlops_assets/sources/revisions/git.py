"""Git, asked by its own command: commits, revisions, and the content of files at one of them."""

import os
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from mlops_assets.errors import MlopsAssetsError, UnknownNameError, nearest

_SECONDS = 60


class GitError(MlopsAssetsError):
    """Git is not installed, or refuses what it is asked."""


def ask(folder: Path, arguments: Sequence[str], seconds: float = _SECONDS) -> bytes:
    """Return what git answers.

    Args:
        folder: that it is asked in.
        arguments: of `git`.
        seconds: that it may take.

    Raises:
        GitError: it is not installed, takes too long, or refuses; the message is its own.
    """
    command = ["git", "--no-optional-locks", *arguments]
    try:
        return subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=seconds, check=True, cwd=folder, env={**os.environ, "LC_ALL": "C"}
        ).stdout
    except FileNotFoundError:
        raise GitError("git is not installed") from None
    except subprocess.CalledProcessError as error:
        raise GitError(" ".join(error.stderr.decode(errors="replace").split())) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise GitError(f"git does not answer: {error}") from None


@lru_cache
def described(folder: Path) -> str:
    """Return the commit that a folder is at, with `-dirty` behind it after local changes; empty outside git."""
    try:
        answer = ask(folder, ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], seconds=10)
    except GitError:
        return ""
    return answer.decode().strip()


def root_of(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in.

    Raises:
        GitError: it is in none, or git does not trust it.
    """
    return Path(os.fsdecode(ask(folder, ["rev-parse", "--show-toplevel"]).rstrip(b"\n")))


def commit_of(root: Path, revision: str) -> str:
    """Return the commit (40 hex digits) that a revision stands for: a tag, a branch, the beginning of a commit.

    Raises:
        UnknownNameError: there is none such, with the nearest right name.
        GitError: git cannot be asked.
    """
    try:
        return ask(root, ["rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"]).decode().strip()
    except GitError:
        known = ask(root, ["for-each-ref", "--format=%(refname:short)", "refs/tags", "refs/heads", "refs/remotes"])
        near = nearest(revision, known.decode().split())
        hint = f"; did you mean {near[0]}?" if near else "; git tag and git branch list those that there are"
        raise UnknownNameError(f"no revision {revision!r} in {root}{hint}") from None
