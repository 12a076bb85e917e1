"""A locked room for programs that nobody vouches for: bubblewrap with no network, no host files and hard limits.

Inside there is the Python runtime (or what the caller mounts), read-only, and nothing else of this machine: no home, no
`FLR_HOME`, no socket of the database, no other process. Everything ends with the process that opened it.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from app.canon.errors import Coded

ENTRY = Path(__file__).with_name("sandbox_entry.py")
INSIDE_ENTRY = "/run/flr/sandbox_entry.py"
TEMPORARY_BYTES = 64 << 20
SHARED_BYTES = 16 << 20
WATCH_SECONDS = 0.05
PROBE_SECONDS = 20
FIRST_USER = 1_000_000
"""As root each sandbox gets a user of its own from here on, so that its processes are counted apart."""

INSTALL = "install bubblewrap on the machine that runs the worker (on Debian and Ubuntu: apt-get install bubblewrap)"
_LIBRARY = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x[0-9a-f]+\)")


class NoSandbox(Coded):
    """Nothing can be locked away on this machine; the message says why and what to install."""


@dataclass(frozen=True)
class Limits:
    """Hard limits. `memory_bytes` is for each process and for all together, `data_bytes` what each may fill (for
    programs that reserve far more than they use), `seconds` is wall time, `kept_bytes` what may lie in a writable mount
    in all."""

    memory_bytes: int | None = 512 << 20
    data_bytes: int | None = None
    processes: int = 24
    cpu_seconds: int | None = 60
    seconds: float = 60
    file_bytes: int = 32 << 20
    kept_bytes: int = 64 << 20
    open_files: int = 256


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine at `inside`; read-only unless `writable`."""

    outside: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True)
class Ended:
    """How a program ended. `stopped` says which limit ended it, else it is empty. What was written beyond the cap of
    an output is dropped, and `cut` says so."""

    code: int
    output: bytes
    errors: bytes
    stopped: str
    cut: bool


@cache
def bubblewrap() -> str:
    """The path of a `bwrap` that works here. Raises `NoSandbox`. Asked once for each process."""
    found = shutil.which("bwrap")
    if found is None:
        raise NoSandbox(f"there is no sandbox on this machine: {INSTALL}", code="sandbox.none")
    argv = sandboxed(found, python("-c", "print(6*7)"), mounts=())
    probe = subprocess.run(argv, capture_output=True, stdin=DEVNULL, timeout=PROBE_SECONDS, check=False, env={})
    if probe.returncode != 0 or probe.stdout.strip() != b"42":
        last = " ".join(probe.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]) or str(probe.returncode)
        raise NoSandbox(
            f"bubblewrap is installed and cannot lock anything away here ({last}): "
            "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, or the "
            "container's seccomp profile), or run the worker as root",
            code="sandbox.blocked",
            said=last,
        )
    return found


def sandboxed(
    bwrap: str,
    command: Sequence[str],
    *,
    mounts: Sequence[Mount],
    environment: Mapping[str, str] | None = None,
    folder: str = "/tmp",  # noqa: S108 - inside
    limits: Limits | None = None,
    network: bool = False,
    user: int | None = None,
) -> list[str]:
    """The command line that runs `command` locked away. `command[0]` is a path inside. With `network` the program
    shares this machine's network, loopback included. Variables of the calling process come along: give it none but
    those that are meant. As root, the program runs as `user`, else as a user that nothing else runs as."""
    argv = [bwrap, "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    argv += ["--die-with-parent", "--new-session", *([] if network else ["--unshare-net"])]
    as_root = os.geteuid() == 0
    if as_root:
        argv += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        argv += ["--unshare-user", "--cap-drop", "ALL"]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += ["--perms", "1777", "--size", str(SHARED_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    argv += ["--perms", "1777", "--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    mounted = (*mounts, *_python_runtime(), Mount(ENTRY, INSIDE_ENTRY))
    # Made by itself, a folder on the way to a mount would be root's alone.
    for folder_on_the_way in sorted({str(above) for mount in mounted for above in Path(mount.inside).parents} - {"/"}):
        argv += ["--dir", folder_on_the_way]
    for mount in mounted:
        argv += ["--bind" if mount.writable else "--ro-bind", str(mount.outside), mount.inside]
    for hidden in _hidden():
        argv += ["--tmpfs", hidden, "--remount-ro", hidden]
    argv += ["--remount-ro", "/dev", "--remount-ro", "/"]
    inside = {"HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", **(environment or {})}  # noqa: S108
    for name, value in sorted(inside.items()):
        argv += ["--setenv", name, value]
    for name in _UNWANTED:
        argv += ["--unsetenv", name]
    nobody = FIRST_USER + secrets.randbelow(1 << 30)
    said = asdict(limits or Limits()) | {"user": (user or nobody) if as_root else None}
    return [*argv, "--chdir", folder, "--", *python(INSIDE_ENTRY, json.dumps(said)), *command]


_UNWANTED = ("LOGNAME", "USER", "SHELL", "TERM")


def python(*arguments: str) -> list[str]:
    """The Python behind this environment, without any environment's packages, as a command inside a sandbox."""
    return [str(_interpreter()), "-I", "-S", *arguments]


def _interpreter() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


@cache
def _python_runtime() -> tuple[Mount, ...]:
    """The interpreter, its standard library, and the shared libraries that these load; no installed package."""
    standard = _standard_library()
    modules = sorted((standard / "lib-dynload").glob("*.so"))
    libraries = set(_libraries([_interpreter(), *modules]))
    own = (_interpreter(), standard)
    return (
        *(Mount(path, str(path)) for path in own),
        *(Mount(Path(path).resolve(), path) for path in sorted(libraries)),
    )


def _standard_library() -> Path:
    return Path(os.__file__).resolve().parent


@cache
def program_mounts(program: str) -> tuple[Mount, ...]:
    """What a program needs to start: itself, its virtual environment if it has one, the shared libraries of both."""
    path = Path(program)
    home = path.parent.parent
    if (home / "pyvenv.cfg").is_file():
        return (
            Mount(home, str(home)),
            *_links(path, home),
            *_mounted(set(_libraries(sorted(home.rglob("*.so"))))),
        )
    return (Mount(path.resolve(), program), *_links(path, None), *_mounted(set(_libraries([path.resolve()]))))


def _mounted(libraries: set[str]) -> list[Mount]:
    return [Mount(Path(one).resolve(), one) for one in sorted(libraries) if Path(one).exists()]


def _links(path: Path, home: Path | None) -> list[Mount]:
    """Stations of a chain of links that lie outside of `home`, each as the file itself."""
    found: list[Mount] = []
    while path.is_symlink():
        target = path.readlink()
        path = target if target.is_absolute() else path.parent / target
        if home is None or home not in path.parents:
            found.append(Mount(path.resolve(), str(path)))
    return found


def _hidden() -> list[str]:
    """Installed packages that lie inside the standard library's folder."""
    standard = _standard_library()
    return [str(standard / name) for name in ("site-packages", "dist-packages") if (standard / name).is_dir()]


def _libraries(programs: Sequence[Path]) -> Iterator[str]:
    """Where the loader looks for the shared libraries of `programs`, the loader itself among them."""
    asked = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    for line in asked.stdout.splitlines():
        found = _LIBRARY.search(line.strip())
        if found is not None:
            yield found.group(1)


async def run_locked(
    command: Sequence[str],
    *,
    mounts: Sequence[Mount],
    limits: Limits,
    folder: str = "/tmp",  # noqa: S108 - inside
    most_output_bytes: int = 1 << 20,
) -> Ended:
    """Run a program to its end, or to the first limit that it meets. Raises `NoSandbox`."""
    bwrap = await asyncio.to_thread(bubblewrap)
    argv = sandboxed(bwrap, command, mounts=mounts, folder=folder, limits=limits)
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={}, start_new_session=True
    )
    kept = [mount.outside for mount in mounts if mount.writable]
    try:
        watching = asyncio.create_task(_watch(process, limits, kept))
        output, errors, stopped, code = await asyncio.gather(
            _read(process.stdout, most_output_bytes), _read(process.stderr, most_output_bytes), watching, process.wait()
        )
    finally:
        await _end(process)
    return Ended(code, output[0], errors[0], stopped, output[1] or errors[1])


async def _end(process: Process) -> None:
    """What runs inside dies with the outermost process."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _read(stream: asyncio.StreamReader | None, most: int) -> tuple[bytes, bool]:
    kept, cut = bytearray(), False
    while stream is not None and (chunk := await stream.read(1 << 16)):
        room = most - len(kept)
        kept += chunk[:room]
        cut = cut or len(chunk) > room
    return bytes(kept), cut


async def _watch(process: Process, limits: Limits, kept: Sequence[Path]) -> str:
    """Ends the program at a limit that the kernel doesn't know for all of its processes together; says which."""
    end = time.monotonic() + limits.seconds
    while process.returncode is None:
        if time.monotonic() > end:
            process.kill()
            return f"it ran longer than {limits.seconds:g} seconds"
        used, written = await asyncio.to_thread(_usage, process.pid, kept)
        if limits.memory_bytes is not None and used > limits.memory_bytes:
            process.kill()
            return f"it used more than {limits.memory_bytes >> 20} MB of memory"
        if written > limits.kept_bytes:
            process.kill()
            return f"it wrote more than {limits.kept_bytes >> 20} MB of files"
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), WATCH_SECONDS)
    return ""


def _usage(pid: int, kept: Sequence[Path]) -> tuple[int, int]:
    """Bytes of memory of all processes inside, and bytes on disk below the writable mounts."""
    import psutil

    used = 0
    with suppress(psutil.Error):
        for one in (root := psutil.Process(pid)).children(recursive=True) or [root]:
            with suppress(psutil.Error):
                memory = one.memory_info()
                used += max(0, memory.rss - memory.shared)
    return used, sum(_bytes_below(folder) for folder in kept)


def _bytes_below(folder: Path) -> int:
    """An entry counts a little even when it is empty, so that there cannot be millions."""
    total = 0
    for path, folders, files in os.walk(folder, followlinks=False):
        for name in (*folders, *files):
            with suppress(OSError):
                total += 512 + (Path(path) / name).lstat().st_blocks * 512
    return total
