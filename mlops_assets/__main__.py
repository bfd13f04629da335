"""The process of the command line: `mlops-assets`, and `python -m mlops_assets`."""

import atexit
import gc
import os
import sys

_NEW_OBJECTS = 1_000_000
"""Of so many more objects the collector looks for cycles: a daily round makes half of them, and 8,000 that are garbage.
Python's 700 has it look at each class of each import; 100,000 still took a twentieth of a daily round."""


class _Leaving:
    """Ends the process at its very end, instead of taking two thousand modules apart that the system frees at once."""

    code: int | None = None
    """With which the command has ended; None: not by itself."""

    def __call__(self) -> None:
        """Leave, once everything that is written has arrived."""
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody reads any more, and Python says so itself
            return
        os._exit(self.code)


def main() -> None:
    """Run a command in a process of its own.

    Importing Dagster, MLflow and pandas makes objects that stay until the end. Looking for garbage among them, while
    they come and once more when the process ends, took two fifths of a short command's processor time.
    """
    gc.set_threshold(_NEW_OBJECTS)
    leaving = _Leaving()
    atexit.register(gc.freeze)
    atexit.register(leaving)  # before all else, and so after all threads have ended and others have tidied up

    from mlops_assets.commands.main import main as commands

    try:
        commands()
    except SystemExit as end:
        leaving.code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


if __name__ == "__main__":
    main()
