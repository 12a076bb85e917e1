"""Which address each kind of process connects to.

Embedded: the home's socket, no password. With `DATABASE_URL`: the same address with user and password replaced. The
login roles' passwords are HMAC-SHA256 of `keys/database.key` over the role's name: the migrator sets them, and every
host that has the key file knows them.
"""

import hmac
import os
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from app.own_postgres import url as embedded_url
from app.settings import InvalidSetting, Settings

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

LOGIN_ROLES = ("flr_app", "flr_sealer")
KEY_BYTES = 32


def owner_url(settings: Settings) -> str:
    """The administrator's address, for the migrator alone."""
    return settings.database_url or embedded_url(settings.home, "postgres")


def app_url(settings: Settings) -> str:
    """The address of API and workers. Raises `InvalidSetting` when the key of the passwords is missing."""
    return _login_url(settings, "flr_app")


def sealer_url(settings: Settings) -> str:
    """The address of the sealer. Raises `InvalidSetting` when the key of the passwords is missing."""
    return _login_url(settings, "flr_sealer")


def passwords(settings: Settings) -> dict[str, str]:
    """What the migrator sets: role to password; none for the embedded database. Makes the key when there is none."""
    if settings.database_url is None:
        return {}
    path = settings.keys / "database.key"
    if not path.exists():
        settings.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    return {role: _password(settings, role) for role in LOGIN_ROLES}


def without_password(url: str) -> str:
    """The address as it may be shown."""
    split = urlsplit(url)
    host = split.netloc.rpartition("@")[2]
    user = f"{split.username}@" if split.username else ""
    return urlunsplit((split.scheme, user + host, split.path, "", ""))


def why_unusable(url: str, error: BaseException) -> str:
    """One sentence, without the password, for what asyncpg raised when it tried this address."""
    import asyncpg

    where = f"The database at {without_password(url)}"
    match error:
        case asyncpg.InvalidCatalogNameError():
            return f"{where} does not exist: create it, or correct DATABASE_URL."
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{where} refuses the user or the password: correct DATABASE_URL."
        case asyncpg.InsufficientPrivilegeError():
            return f"{where} lets this user not do what is needed ({error}): use an administrator who may create roles."
        case TimeoutError():
            return f"{where} does not answer: start it, or correct DATABASE_URL."
        case OSError():
            return f"{where} cannot be reached ({error.strerror or error}): start it, or correct DATABASE_URL."
        case asyncpg.PostgresError():
            return f"{where} cannot be used: {error}."
        case _:
            return f"DATABASE_URL is no address of a PostgreSQL database: {error}."


async def refuse_pooler(connection: "asyncpg.Connection | PoolConnectionProxy", url: str) -> None:
    """Raises `InvalidSetting` when a connection pooler answers instead of PostgreSQL.

    Seats, leadership and LISTEN live as long as a session, which a pooler shares out. A pooler hands out cancellation
    keys of its own, so the process id that came with the connection is not the one that PostgreSQL names.
    """
    if connection.get_server_pid() == await connection.fetchval("SELECT pg_backend_pid()"):
        return
    raise InvalidSetting(
        f"DATABASE_URL leads through a connection pooler ({without_password(url)}): give the address of PostgreSQL "
        "itself. Workers and sealer hold session locks and listen, which a pooler breaks; each process pools by itself."
    )


def _login_url(settings: Settings, role: str) -> str:
    if settings.database_url is None:
        return embedded_url(settings.home, role)
    split = urlsplit(settings.database_url)
    if split.username == role:
        return settings.database_url
    return urlunsplit(_as(split, role, _password(settings, role)))


def _as(split: SplitResult, role: str, password: str) -> SplitResult:
    query = [(name, value) for name, value in parse_qsl(split.query) if name not in ("user", "password")]
    host = split.netloc.rpartition("@")[2]
    return split._replace(netloc=f"{quote(role)}:{password}@{host}", query=urlencode(query))


def _password(settings: Settings, role: str) -> str:
    path = settings.keys / "database.key"
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        raise InvalidSetting(
            f"{path} is missing: run `flr migrate` here, or bring the keys of the first host"
        ) from None
    return hmac.new(key, role.encode(), sha256).hexdigest()
