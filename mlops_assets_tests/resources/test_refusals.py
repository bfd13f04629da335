"""What the machine refuses is an expected error, whichever library met it."""

import pytest

from mlops_assets.resources.refusals import refusal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (str(PermissionError(13, "Permission denied", "/data/a b")), "/data/a b cannot be written or read: Permission"),
        (str(OSError(28, "No space left on device")), "a file of ours cannot be written or read: No space left"),
        ("Generic LocalFileSystem error: Unable to open file: Read-only file system (os error 30)", "Read-only file"),
        ("[Errno 24] Too many open files: '/data/a'", "/data/a cannot be written or read: Too many open files"),
        ("Generic LocalFileSystem error: Input/output error (os error 5)", "Input/output error"),
        ("(sqlite3.OperationalError) disk I/O error\n[SQL: PRAGMA", "SQLite: disk I/O error, as it says on a full"),
        ("(sqlite3.DatabaseError) database disk image is malformed", "SQLite: database disk image is malformed"),
        ("(sqlite3.OperationalError) attempt to write a readonly database", "SQLite: attempt to write a readonly"),
    ],
)
def test_the_machine_refuses(text, message):
    error = refusal(text)
    assert error is not None
    assert message in error.message
    assert error.message.endswith("; see MLOPS_DATA and DAGSTER_HOME")


@pytest.mark.parametrize("text", ["'origin'", "", "[Errno 111] Connection refused", "line 13] of a file"])
def test_anything_else_is_none(text):
    assert refusal(text) is None
