"""Dagster's files of what steps print, shown as it comes by a thread: chosen by `compute_logs` in dagster.yaml.

Dagster's own way starts four processes for it in each run. Files are the same: either can go on where the other was.
"""

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, BinaryIO

import dagster as dg
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.instance.ref import compute_logs_directory
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._utils import ensure_file, touch_file

LOOK_SECONDS = 0.1
"""After so long at most, what a step has printed is shown."""


class ComputeLogs(LocalComputeLogManager):
    """Keeps what steps print in a file each, written by the process itself, and shows it where it was meant for.

    By default files are in `storage` of DAGSTER_HOME, where Dagster has them too.
    """

    def __init__(self, base_dir: str = "", polling_timeout: float | None = None, inst_data: Any = None) -> None:
        super().__init__(base_dir, polling_timeout, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        """Return what dagster.yaml may say."""
        return {
            "base_dir": dg.Field(dg.StringSource, is_required=False),
            "polling_timeout": dg.Field(float, is_required=False),
        }

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "ComputeLogs":
        """Return what dagster.yaml asks for."""
        return cls(inst_data=inst_data, **config_value)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Find the folder of an instance, where none is given."""
        self._base_dir = self._base_dir or compute_logs_directory(instance.root_directory)
        super().register_instance(instance)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Keep what is printed meanwhile, by this process and those that it starts."""
        out, err = (
            self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind])
            for kind in (ComputeIOType.STDOUT, ComputeIOType.STDERR)
        )
        with _kept(sys.stdout, out), _kept(sys.stderr, err):
            yield CapturedLogContext(log_key)
        touch_file(self.complete_artifact_path(log_key))


@contextmanager
def _kept(stream: Any, file: str) -> Iterator[None]:
    """Let all that goes to a stream go to a file, and from there to where the stream went."""
    ensure_file(file)
    try:
        shown = os.dup(stream.fileno())
    except (AttributeError, io.UnsupportedOperation):  # no stream of the system, as under a test's runner
        yield
        return
    ended, printed = Event(), Path(file).open("rb")  # noqa: SIM115 -- the thread closes it
    printed.seek(0, io.SEEK_END)
    thread = Thread(target=_show, args=(printed, shown, ended), daemon=True)
    try:
        with redirect_to_file(stream, file):
            thread.start()
            yield
    finally:
        ended.set()
        thread.join()
        os.close(shown)


def _show(printed: BinaryIO, shown: int, ended: Event) -> None:
    """Write what comes to a file to a descriptor, until it has ended and all is written."""
    with printed:
        last = False
        while not last:
            last = ended.wait(LOOK_SECONDS)
            try:
                while data := printed.read(io.DEFAULT_BUFFER_SIZE):
                    written = 0
                    while written < len(data):
                        written += os.write(shown, data[written:])
            except OSError:  # nobody reads any more
                return
