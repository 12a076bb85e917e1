"""The product as its users run it: API, worker, sealer and scripted model as processes of their own, one database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

import httpx

from app.cli.device import sign_statement
from app.cli.founding import Founded, found_company
from app.settings import Settings, read
from tests.databases import share_key

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(what: Callable[[], Any], *, seconds: float = 30, said: str = "") -> Any:
    """The first truthy answer of `what`; fails the test with `said` after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = what()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {said or what}")


class Machine:
    """One FLR_HOME and the processes that were started on it."""

    def __init__(self, home: Path, database_url: str, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.home = home
        self.environment = {
            **os.environ,
            "FLR_HOME": str(home),
            "DATABASE_URL": database_url,
            "FLR_PORT": str(self.port),
            "FLR_UNDO_SECONDS": "0",
            **environment,
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        share_key(self.settings)

    @property
    def settings(self) -> Settings:
        return read(self.environment)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        """Start `python -m <argv>` under `name`; its words go to `<home>/<name>.log`."""
        log = (self.home / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self.running[name] = process
        return process

    def start_ring(self) -> None:
        """API, one sealer and one worker; returns when the API is ready."""
        self.start("api", "app.cli", "api")
        self.start("sealer", "app.cli", "sealer")
        self.start("worker", "app.cli", "worker")
        wait_until(self.ready, seconds=240, said=f"API ready; {self.said('api')}")

    def ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == httpx.codes.OK
        return False

    def said(self, name: str) -> str:
        """The last words of a process, for a failing test."""
        path = self.home / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-3000:] if path.exists() else ""

    def kill(self, name: str) -> None:
        """kill -9, and reap."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()


class FounderClient:
    """The founder with curl and the CLI's device key."""

    def __init__(self, machine: Machine, founded: Founded, token: str) -> None:
        self.machine = machine
        self.founded = founded
        self.http = httpx.Client(
            base_url=f"{machine.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._checked(self.http.get(path, params=params))

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        return self._checked(self.http.post(path, json=body, **kwargs))

    def patch(self, path: str, body: Any) -> Any:
        return self._checked(self.http.patch(path, json=body))

    def attach(self, ticket_id: str, name: str, content: bytes, media_type: str) -> Any:
        files = {"file": (name, content, media_type)}
        return self._checked(self.http.post(f"/tickets/{ticket_id}/inputs", files=files))

    def approve(self, approval_id: str) -> Any:
        """Approve with the device key, which suffices for every tier."""
        asked = self.post(f"/approvals/{approval_id}/statement", {"decision": "approve"})
        proof = sign_statement(self.machine.settings.keys, asked["statement"])
        return self.post(f"/approvals/{approval_id}/approve", {"proof": proof})

    def hire(self, terms: Any) -> Any:
        """Hire and sign; returns the role when it is active."""
        role = self.post("/roles", terms)
        self.approve(role["pending"]["approval_id"])
        return wait_until(lambda: self._if_active(role["id"]), seconds=90, said="the role is active")

    def _if_active(self, role_id: str) -> Any:
        role = self.get(f"/roles/{role_id}")
        return role if role["status"] == "active" else None

    def ticket(self, ticket_id: str) -> Any:
        return self.get(f"/tickets/{ticket_id}")

    def wait_for_ticket(self, ticket_id: str, *statuses: str, seconds: float = 60) -> Any:
        def reached() -> Any:
            ticket = self.ticket(ticket_id)
            return ticket if ticket["status"] in statuses else None

        try:
            return wait_until(reached, seconds=seconds)
        except AssertionError as error:
            seen = self.ticket(ticket_id)
            raise AssertionError(f"ticket is {seen}; worker said: {self.machine.said('worker')}") from error

    def wait_for_approval(self, ticket_id: str, *, seconds: float = 60) -> Any:
        def raised() -> Any:
            page = self.get("/approvals", status="pending", ticket_id=ticket_id)
            return page["items"][0] if page["items"] else None

        try:
            return wait_until(raised, seconds=seconds)
        except AssertionError as error:
            seen = self.ticket(ticket_id)
            raise AssertionError(f"no approval; ticket is {seen}; worker: {self.machine.said('worker')}") from error

    def all_events(self, **params: Any) -> list[Any]:
        events: list[Any] = []
        cursor: str | None = None
        while True:
            more: dict[str, Any] = {} if cursor is None else {"after": cursor}
            page = self.get("/events", limit=200, **params, **more)
            events += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return events

    @staticmethod
    def _checked(answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@contextmanager
def machine(home: Path, database_url: str, **environment: str) -> Iterator[Machine]:
    """A machine without processes yet; all that were started are stopped at the end."""
    made = Machine(home, database_url, environment)
    try:
        yield made
    finally:
        made.stop()


async def founder_of(made: Machine, *, language: Literal["id", "en"] = "en") -> FounderClient:
    """A founded company and its founder's token."""
    founded = await found_company(made.settings, name="Test Company", founder="Founder", language=language)
    return FounderClient(made, founded, founded.token(made.settings))
