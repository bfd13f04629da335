"""What the machine refuses: folders that cannot be written, disks that are full or broken.

Whatever writes can meet it, each library in words of its own, so it is known by its text, in one place.
"""

import errno
import os
import re

from mlops_assets.errors import TerminalError
from mlops_assets.resources.secrets import scrub

_REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOTDIR, errno.EEXIST),
    *(errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE),
}
_NUMBER = re.compile(r"(?:\[Errno |\(os error )(\d+)[])]")
_SQLITE = re.compile(
    r"attempt to write a readonly database|unable to open database file|database or disk is full|disk I/O error"
    r"|database is locked|database disk image is malformed|file is not a database"
)
_SERVER = re.compile(
    r"cannot execute [\w ]+ in a read-only transaction"
    r"|running with the --(?:super-)?read-only option"
    r"|could not (?:extend|write)[^\n]*: (?:No space left on device|Disk quota exceeded)"
    r"|The table '[^']*' is full"
    r"|permission denied for (?:table|schema|relation|database|sequence) \S+"
    r"|Cannot execute statement of type \"\w+\" on database \"[^\"]*\" which is attached in read-only mode"
)
"""What servers of databases say: PostgreSQL, MySQL and MariaDB, DuckDB."""
_PATH = re.compile(r"'(/[^']*)'")


class RefusedError(TerminalError):
    """A folder, a file or a database cannot be written or read: no permission, a full disk, a read-only server."""


def refusal(text: str) -> RefusedError | None:
    """Return what an error's text says that the machine refuses; None if the error is another.

    Args:
        text: of an error of the system (`[Errno 13] ...`), of obstore (`... (os error 13)`) or of a database.
    """
    of_server = _SERVER.search(text)
    if of_server is not None:
        return RefusedError(
            scrub(
                f"the database can be read and not be written: {of_server[0]}; what was stored before is kept. When it "
                "takes writes again (see MLOPS_DATABASE_URL, MLFLOW_TRACKING_URI), run the same once more"
            )
        )
    number = next((int(found) for found in _NUMBER.findall(text) if int(found) in _REFUSALS), None)
    in_sqlite = _SQLITE.search(text)
    if number is None and in_sqlite is None:
        return None
    reason = os.strerror(number) if number is not None else f"SQLite: {in_sqlite[0]}" if in_sqlite else ""
    if reason.endswith("disk I/O error"):
        reason += ", as it says on a full disk, too"
    path = _PATH.search(text)
    where = path[1] if path else "a file of ours"
    return RefusedError(scrub(f"{where} cannot be written or read: {reason}; see MLOPS_DATA and DAGSTER_HOME"))
