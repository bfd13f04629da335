"""What is sent to workers, and what they do with it; the same on every engine."""

import io
import pickle
import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import SecretStr

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.io_managers.errors import MissingTableError
from mlops_assets.resources.meter import give_memory_back
from mlops_assets.resources.release import package_version
from mlops_assets.scale.failures import WorkerReleaseError


@dataclass(frozen=True)
class Outcome:
    """What a worker answers to a task.

    Attributes:
        value: what the function returned; None if it failed.
        seconds: processor time that the worker spent on it.
        error: what the function raised; None if it did not.
        trace: the traceback of the error on the worker.
    """

    value: Any
    seconds: float
    error: Exception | None = None
    trace: str = ""

    def answer(self) -> Any:
        """Return the value, or raise the error, caused by its traceback on the worker."""
        if self.error is None:
            return self.value
        raise self.error from RuntimeError(f"on the worker:\n{self.trace}")


def pack(function: Callable[[Any], Any]) -> bytes:
    """Return a function with all that it holds, and the release that it needs, as bytes that are sent once.

    No secret is sent. A store holds references to its secrets, which a worker has in variables of its own
    (`resources.secrets.reveal`); those of a spec's source are left out, for workers read what is stored.
    """
    packed = io.BytesIO()
    _Pickler(packed, pickle.HIGHEST_PROTOCOL).dump(function)
    return pickle.dumps((package_version(), packed.getvalue()))


def perform(packed: bytes, task: Any) -> Outcome:
    """Do a task of a packed function."""
    began = time.process_time()
    try:
        return Outcome(_unpack(packed)(task), time.process_time() - began)
    except Exception as raised:
        return Outcome(None, time.process_time() - began, _sendable(raised), traceback.format_exc())
    finally:
        give_memory_back()


def require_release(found: str | None, where: str, wanted: str | None = None) -> None:
    """Refuse a worker of another release.

    Args:
        found: its release of this package; None: it has none.
        where: it is.
        wanted: the release here.

    Raises:
        WorkerReleaseError: the two differ.
    """
    here = wanted or package_version()
    if found != here:
        has = "does not have mlops-assets" if found is None else f"has mlops-assets {found}"
        raise WorkerReleaseError(
            f"the worker {where} {has}, here is {here}: workers run the same image, or the same locked packages, "
            "as this process",
            advice=[f"pip install mlops-assets=={here}"],
        )


class _Pickler(pickle.Pickler):
    """Pickles a secret as one that is not known."""

    def reducer_override(self, obj: Any) -> Any:
        """Replace secrets, and nothing else."""
        return (SecretStr, ("",)) if isinstance(obj, SecretStr) else NotImplemented


@lru_cache(maxsize=2)
def _unpack(packed: bytes) -> Callable[[Any], Any]:
    """Return the packed function, unpacked once for all its tasks."""
    wanted, function = pickle.loads(packed)  # noqa: S301  (sent by the process that this one works for)
    require_release(package_version(), platform.node(), wanted)
    return pickle.loads(function)  # noqa: S301


def _sendable(error: Exception) -> Exception:
    if isinstance(error, MissingTableError):
        error = error.about(
            f"on the worker {platform.node()}, which may not see the folder of the tables (put MLOPS_DATA on a disk "
            "that all share, or set MLOPS_TABLES=sql or object_storage)"
        )
    if isinstance(error, MlopsAssetsError):
        return error
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
