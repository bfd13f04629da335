"""Environments beside the present one, each named by the file of its variables: `.env.staging`."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.errors import UnknownNameError, UsageError

PREFIX = ".env."
_OURS = ("MLOPS_", "MLFLOW_")
"""What begins so says where things are kept: an environment takes nothing of another's."""
_PERSONAL = ("MLOPS_KEY",)
"""But for what is a person's, wherever they work."""


@dataclass(frozen=True)
class NamedEnvironment:
    """Variables under a name that people know.

    Attributes:
        name: of the environment.
        variables: the whole environment of a process that works there.
    """

    name: str
    variables: Mapping[str, str]

    @classmethod
    def present(cls, name: str) -> "NamedEnvironment":
        """Return the environment of this process."""
        return cls(name, dict(os.environ))

    @classmethod
    def find(cls, name: str) -> "NamedEnvironment":
        """Read the environment of a name: the file `.env.NAME` of the working folder, or a path to one.

        What the file does not say is taken from this process, but for variables that begin with MLOPS_ or MLFLOW_.

        Raises:
            UsageError: there is no such file, or it holds no variables.
        """
        from dotenv import dotenv_values

        is_path = any(sign in name for sign in ("/", os.sep)) or name.startswith(".env")
        file = Path(name if is_path else f"{PREFIX}{name}")
        if not file.is_file():
            if is_path:
                raise UsageError(f"there is no file {file} with the variables of an environment")
            there = [one.name.removeprefix(PREFIX) for one in sorted(Path.cwd().glob(f"{PREFIX}*")) if one.is_file()]
            known = [one for one in there if one != "example"]
            raise UnknownNameError.of(f"environment (a file {PREFIX}NAME in the working folder)", name, known)
        try:
            values = {key: value for key, value in dotenv_values(file).items() if value is not None}
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}") from None
        if not any(key.startswith(_OURS) for key in values):
            raise UsageError(f"{file} says nothing of an environment: it sets no variable that begins with MLOPS_")
        kept = {key: value for key, value in os.environ.items() if key in _PERSONAL or not key.startswith(_OURS)}
        return cls(file.name.removeprefix(PREFIX), {**kept, **values})

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this process have the variables meanwhile."""
        before = dict(os.environ)
        _become(self.variables)
        try:
            yield
        finally:
            _become(before)


def _become(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
