"""Databases for tests: one template for each content of `db/`, cloned for each test that asks, a few ahead of need."""

import asyncio
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import psycopg

from app import database_urls
from app.own_postgres import AlreadyServed, running
from app.own_postgres import url as embedded_url
from app.settings import Settings
from db.migrate import DATABASE, migrate

SCHEMA = Path(__file__).parent.parent / "db"
CHECKOUT = sha256(str(SCHEMA).encode()).hexdigest()[:6]
HOMES = Path(tempfile.gettempdir()) / f"flr-tests-{os.geteuid()}-{CHECKOUT}"
"""Each checkout has clusters of its own, so that two with other schemas don't drop each other's templates."""
STOCK = 2
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}


class Cluster:
    """A running PostgreSQL with a template; `take` clones, `give_back` drops, both in a thread of its own."""

    def __init__(self, settings: Settings, mark: str) -> None:
        self.settings = settings
        self._clones = f"flr_test_{mark}_"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="databases")
        self._stock: deque[Future[str]] = deque()
        self._template = f"flr_template_{_schema_digest()}"
        self._admin = psycopg.connect(self.url(None, "postgres"), autocommit=True)
        self._drop_leftovers()
        self._ensure_template()

    def url(self, role: str | None, database: str) -> str:
        """The address of a database of this cluster as `flr_app`, `flr_sealer`, or None for the administrator."""
        if self.settings.database_url is None:
            return embedded_url(self.settings.home, role or "postgres", database)
        there = urlsplit(self.settings.database_url)._replace(path=f"/{database}").geturl()
        settings = msgspec.structs.replace(self.settings, database_url=there)
        choose = {
            None: database_urls.owner_url,
            "flr_app": database_urls.app_url,
            "flr_sealer": database_urls.sealer_url,
        }
        return choose[role](settings)

    def take(self) -> Future[str]:
        """The name of a database nobody else has."""
        while len(self._stock) < STOCK:
            self._stock.append(self._thread.submit(self.clone))
        self._stock.append(self._thread.submit(self.clone))
        return self._stock.popleft()

    def give_back(self, name: str) -> None:
        """Drop a database, at some later moment."""
        self._thread.submit(self.drop, name)

    def empty(self) -> str:
        """The name of a new database without any schema. Blocks; the caller drops it."""
        name = f"{self._clones}{uuid4().hex[:12]}"
        self._admin.execute(f'CREATE DATABASE "{name}"')
        return name

    def clone(self) -> str:
        name = f"{self._clones}{uuid4().hex[:12]}"
        self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY FILE_COPY')
        with psycopg.connect(self.url(None, name), autocommit=True) as connection:
            connection.execute(DATABASE.read_bytes())
        return name

    def drop(self, name: str) -> None:
        self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        for future in self._stock:
            if not future.cancelled():
                self.drop(future.result())
        self._admin.close()

    def _names(self, prefix: str) -> list[str]:
        found = self._admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        return [str(row[0]) for row in found]

    def _drop_leftovers(self) -> None:
        for name in self._names(self._clones):
            self.drop(name)

    def _ensure_template(self) -> None:
        others = self._names("flr_template_")
        if self._template in others:
            return
        if self.settings.database_url is None:
            for name in others:
                self._admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
                self.drop(name)
        name = self.empty()
        asyncio.run(migrate(self.url(None, name), passwords=database_urls.passwords(self.settings)))
        self._admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{self._template}"')
        self._admin.execute(f'ALTER DATABASE "{self._template}" IS_TEMPLATE true ALLOW_CONNECTIONS false')


@contextmanager
def open_cluster(database_url: str | None) -> Iterator[Cluster]:
    """Our own PostgreSQL in the first home that no other test process has, kept between sessions; or the given one."""
    if database_url is not None:
        settings = Settings(home=HOMES / "external", database_url=database_url)
        yield from _serve(settings, uuid4().hex[:8])
        return
    with _own() as home:
        yield from _serve(Settings(home=home), "own")


def share_key(settings: Settings) -> None:
    """Let the processes of another home log in: the login roles' passwords come from one key, which is copied."""
    key = HOMES / "external" / "keys" / "database.key"
    if "DATABASE_URL" in os.environ:
        settings.keys.mkdir(parents=True, exist_ok=True)
        shutil.copy(key, settings.keys)
    else:
        database_urls.passwords(settings)


def _serve(settings: Settings, mark: str) -> Iterator[Cluster]:
    cluster = Cluster(settings, mark)
    try:
        yield cluster
    finally:
        cluster.close()


@contextmanager
def _own() -> Iterator[Path]:
    HOMES.mkdir(mode=0o755, exist_ok=True)
    for number in range(64):
        home = HOMES / str(number)
        server = running(home, **QUICK)
        try:
            server.__enter__()
        except AlreadyServed:
            continue
        try:
            yield home
        finally:
            server.__exit__(None, None, None)
        return
    raise RuntimeError(f"64 test processes hold {HOMES}")


def _schema_digest() -> str:
    seen = sha256()
    for path in sorted((*SCHEMA.rglob("*.sql"), *SCHEMA.rglob("*.py"))):
        seen.update(str(path.relative_to(SCHEMA)).encode() + b"\0" + path.read_bytes() + b"\0")
    return seen.hexdigest()[:16]
