"""The process of the command line: `mlops-assets`, and `python -m mlops_assets`."""

import atexit
import gc

_NEW_OBJECTS = 100_000
"""Of so many more objects the collector looks for cycles; Python's 700 has it look at each class of each import, and
10,000 still at everything imported so far, ten times."""


def main() -> None:
    """Run a command in a process of its own.

    Importing Dagster, MLflow and pandas makes objects that stay until the end. Looking for garbage among them, while
    they come and once more when the process ends, took two fifths of a short command's processor time.
    """
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)  # before all else, and so the last at the exit

    from mlops_assets.commands.main import main as commands

    commands()


if __name__ == "__main__":
    main()
