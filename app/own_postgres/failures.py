"""What can befall our own PostgreSQL, in sentences a founder can act on."""

import errno
import os
import pwd
import shutil
from pathlib import Path

INITDB_BYTES = 120_000_000


class DatabaseUnusable(Exception):
    """Our own PostgreSQL cannot run here. The message is one sentence for the founder, with the way out."""


class AlreadyServed(DatabaseUnusable):
    """Another living process serves this home."""


def explain(output: str, data: Path) -> str:
    """One sentence for what initdb or the server printed before it gave up."""
    known = {
        "No space left on device": f"The disk of {data} is full: free some space, nothing is lost.",
        "could not create any Unix-domain sockets": f"The socket of {data} cannot be made: set a shorter FLR_HOME.",
        "has invalid permissions": f"{data} can be read by others, so PostgreSQL refuses it: run `chmod 700 {data}`.",
        "has wrong ownership": f"{data} belongs to another user: run as that user, or set another FLR_HOME.",
        "Permission denied": f"PostgreSQL may not read {data}: run as the user it belongs to, or set another FLR_HOME.",
        "incompatible with server": (
            f"{data} was made by another major version of PostgreSQL: move the data with pg_dump, or set DATABASE_URL."
        ),
        "lock file": f"{data} is already being served by another PostgreSQL: stop it first, or set another FLR_HOME.",
        "could not map anonymous shared memory": "There is not enough memory for PostgreSQL: it needs about 200 MB.",
    }
    for sign, sentence in known.items():
        if sign in output:
            return sentence
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
    return f"PostgreSQL did not start in {data}: {last.strip()}"


def explain_os(error: OSError, folder: Path) -> str:
    """One sentence for what the file system refused."""
    if error.errno == errno.ENOSPC:
        return no_room(folder)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename or folder} cannot be written: run as the user it belongs to, or set another FLR_HOME."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{error.filename or folder} is in the way, it is not a folder: move it, or set another FLR_HOME."
    return f"{folder} cannot be used: {error.strerror or error}."


def no_room(folder: Path) -> str:
    """The sentence for a disk without the space a first start needs."""
    free = shutil.disk_usage(existing(folder)).free // 1_000_000
    needed = INITDB_BYTES // 1_000_000
    return f"{folder} needs about {needed} MB of free disk and has {free} MB: free some, or set another FLR_HOME."


def existing(path: Path) -> Path:
    """The path itself or the nearest of its parents that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def not_ours(folder: Path) -> str:
    """The sentence for a folder of another user."""
    owner = name_of(folder.stat().st_uid)
    return f"{folder} belongs to the user {owner}: run as {owner}, or set another FLR_HOME."


def name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}" if uid != os.geteuid() else "running this"
