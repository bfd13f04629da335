"""The process of the command line: `mlops-assets`, and `python -m mlops_assets`."""

import atexit
import gc

_NEW_OBJECTS = 1_000_000
"""Of so many more objects the collector looks for cycles: a daily round makes half of them, and 8,000 that are garbage.
Python's 700 has it look at each class of each import; 100,000 still took a twentieth of a daily round."""


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
