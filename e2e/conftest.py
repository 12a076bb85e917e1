"""A real server on a database of its own, and a phone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser

from e2e.browser import Phone, chromium
from e2e.company import Company
from e2e.screens import busy
from tests.conftest import cluster
from tests.databases import Cluster
from tests.processes import Machine, machine, wait_until

__all__ = ["busy", "cluster"]

Phones = Callable[..., Phone]


class Keychain(NamedTuple):
    """What a phone carries: cookies and passkeys."""

    state: Any
    credentials: list[Any]


@pytest.fixture(scope="module")
def browser(cluster: Cluster) -> Iterator[Browser]:
    """Closed with the module: while it is open this thread has a running loop, in which no other test could run."""
    with chromium() as (_, opened):
        yield opened


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine without processes yet."""
    name = cluster.take().result()
    home: Path = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    with machine(home, cluster.url(None, name), FLR_UNDO_SECONDS="6") as made:
        yield made
    cluster.give_back(name)


@pytest.fixture(scope="module")
def company(served: Machine) -> Company:
    """A founded company, its API and its sealer; journeys that need a worker start one."""
    founded = Company(served.settings)
    served.start("api", "app.cli", "api")
    served.start("sealer", "app.cli", "sealer")
    wait_until(served.ready, said="the API is ready")
    return founded


@contextmanager
def without_database(served: Machine) -> Iterator[None]:
    """The server's database lets nobody in, as one that is full or being restored."""
    address = urlsplit(served.environment["DATABASE_URL"])
    name = address.path.removeprefix("/")
    with psycopg.connect(address._replace(path="/postgres").geturl(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
    wait_until(served.ready, said="the API is ready again")


@contextmanager
def slow_database(served: Machine) -> Iterator[None]:
    """Whoever asks for the company waits."""
    with psycopg.connect(served.environment["DATABASE_URL"]) as admin:
        admin.execute("LOCK TABLE role_registry.companies IN ACCESS EXCLUSIVE MODE")
        yield
        admin.rollback()


@pytest.fixture
def phones(browser: Browser, served: Machine, company: Company) -> Iterator[Phones]:
    """Makes phones; at the end none of them may have met an error, a violation or another origin."""
    made: list[Phone] = []

    def make(**wanted: object) -> Phone:
        phone = Phone(browser, served.settings.origin, **wanted)  # type: ignore[arg-type]
        made.append(phone)
        return phone

    yield make
    problems = [problem for phone in made for problem in phone.problems]
    for phone in made:
        phone.context.close()
    assert problems == []


@pytest.fixture(scope="module")
def keychain(browser: Browser, company: Company) -> Keychain:
    """The founder's session and passkey, made once by the enrolment link."""
    with Phone(browser, company.settings.origin) as made:
        made.add_authenticator()
        made.enrol(company.link())
        return Keychain(made.context.storage_state(), made.credentials())


@pytest.fixture
def phone(phones: Phones, keychain: Keychain) -> Phone:
    """A founder's phone, signed in, with the passkey on it."""
    made = phones(state=keychain.state)
    made.add_authenticator()
    made.give(keychain.credentials)
    return made
