"""What `dagster dev` starts, with its web server behind a guard, and a look whether the guard stands."""

import http.client
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from mlops_assets.errors import TerminalError

GUARDED = "mlops_assets.serving.dagster_webserver"
_SERVER, _SPAWN = "dagster_webserver", "open_ipc_subprocess"
_NOBODY = "guard.invalid"
"""A name that no server has (RFC 2606): who answers to it answers to every one."""
_SECONDS = 0.2


class UnguardedError(TerminalError):
    """Dagster's web server cannot be put behind the guard, or does not stand behind it."""


class Dev:
    """Dagster's web server, daemon and code server on this machine, until somebody ends them.

    Args:
        host: address that the web server listens at.
        port: its port.
        arguments: further ones of `dagster dev`.
    """

    def __init__(self, host: str, port: int, arguments: Sequence[str] = ()) -> None:
        self._host, self._port = host, port
        self._arguments = ["--host", host, "--port", str(port), *arguments]
        self._open = threading.Event()

    def run(self) -> None:
        """Start them, and wait until they have ended.

        Raises:
            UnguardedError: the web server could not be started behind the guard, or has answered without it.
        """
        from dagster._cli import dev

        # What `dagster dev` says to who called it by that name; nobody here has.
        warnings.filterwarnings("ignore", message="Function `dev_command` is superseded")
        spawn = replaceable(dev, _SPAWN)
        setattr(dev, _SPAWN, _guarded(spawn))
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what is not to hold it up
            signal.signal(signal.SIGINT, signal.default_int_handler)
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            dev.dev_command.main(self._arguments, prog_name="dagster dev", standalone_mode=False)
        except BaseException:  # however it takes the interrupt of `_watch`
            if not self._open.is_set():
                raise
        finally:
            setattr(dev, _SPAWN, spawn)
        if self._open.is_set():
            raise UnguardedError(
                f"Dagster's web server has answered at port {self._port} without its guard, and was ended: another "
                "server is there (--port takes another), or this release of Dagster is not known"
            )

    def _watch(self) -> None:
        """Ask the web server, as soon as it answers, by a name that it must not know."""
        while (status := self._status()) is None:
            time.sleep(_SECONDS)
        if status != http.HTTPStatus.BAD_REQUEST:
            self._open.set()
            os.kill(os.getpid(), signal.SIGINT)

    def _status(self) -> int | None:
        """Return how the web server answers to a name that is not its own; None: not yet."""
        asked = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            asked.request("GET", "/server_info", headers={"Host": _NOBODY})
            return asked.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            asked.close()


def replaceable(module: ModuleType, name: str) -> Callable[..., Any]:
    """Return a function of Dagster's that the guard is put around.

    Raises:
        UnguardedError: it is not there.
    """
    found = getattr(module, name, None)
    if not callable(found):
        import dagster

        raise UnguardedError(
            f"Dagster {dagster.__version__} starts its web server in another way than this release knows: "
            f"{module.__name__} has no {name}. `dagster dev` starts it without a guard (docs/security.md)"
        )
    return found


def _guarded(spawn: Callable[..., Any]) -> Callable[..., Any]:
    """Return what starts a process, the guarded web server in the place of Dagster's own."""

    def spawned(parts: list[str], **options: Any) -> Any:
        is_server = parts[:3] == [sys.executable, "-m", _SERVER]
        return spawn([*parts[:2], GUARDED, *parts[3:]] if is_server else parts, **options)

    return spawned
