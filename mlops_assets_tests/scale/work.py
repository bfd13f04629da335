"""What workers do in these tests; light, for every process of theirs imports it."""

import os
import signal
from pathlib import Path

from mlops_assets.errors import DataError


def double(number: int) -> int:
    return 2 * number


def whole(number: int) -> int:
    if number == 3:
        raise DataError("three is odd", advice=["mlops-assets list"])
    return os.getpid()


def deadly(folder: str, times: int, number: int) -> int:
    """Kill the process of task 2 so many times, and answer then."""
    if number == 2:
        for trial in range(times):
            file = Path(folder) / f"killed {trial}"
            if not file.exists():
                file.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return number
