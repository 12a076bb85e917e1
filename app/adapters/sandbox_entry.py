"""The first program inside a sandbox: gives up what rights are left, sets the limits, and becomes the real one.

Run as `python -I -S sandbox_entry.py LIMITS PROGRAM ARGUMENT...` with `LIMITS` a JSON object. It imports nothing of the
application.
"""

import json
import os
import resource
import sys

LIMITS = {
    "memory_bytes": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "cpu_seconds": resource.RLIMIT_CPU,
    "file_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "data_bytes": resource.RLIMIT_DATA,
}


def main() -> None:
    limits, command = json.loads(sys.argv[1]), sys.argv[2:]
    for name, kind in LIMITS.items():
        if limits.get(name) is not None:
            resource.setrlimit(kind, (limits[name], limits[name]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    user = limits.get("user")
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    os.umask(0o022)
    try:
        os.execv(command[0], command)  # noqa: S606 - this is what it is for
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.exit(127)


main()
