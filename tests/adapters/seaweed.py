"""A real S3 server on loopback: SeaweedFS, which alone among the light ones keeps write-once, signatures and expiry."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.adapters.evidence.s3 import Keys, Place
from tests.adapters.tool_calls import free_port

KEYS = Keys("access", "secret-of-the-tests")
# One bucket for all tests, a prefix for each: every further bucket would grow seven volumes.
BUCKET = "evidence"
SECONDS_TO_START = 60
TRIES = 3


class NotStarted(AssertionError):
    """The server ended, or took too long; the message has its last words."""


class Seaweed(NamedTuple):
    """The running server; its one bucket is `BUCKET`."""

    endpoint: str

    def place(self, prefix: str) -> Place:
        return Place(BUCKET, prefix, self.endpoint, "auto")

    def url(self, prefix: str) -> str:
        """As `FLR_EVIDENCE_URL`."""
        return f"s3://{BUCKET}/{prefix}?endpoint={quote(self.endpoint)}&region=auto"


@contextmanager
def running_seaweed(folder: Path) -> Iterator[Seaweed]:
    """The server over `folder`, with the bucket made and writable."""
    server, process = _start_and_again(folder)
    try:
        yield server
    finally:
        # SIGTERM takes it seconds, and what it holds is the test's only.
        process.kill()
        process.wait()


def _start_and_again(folder: Path) -> tuple[Seaweed, subprocess.Popen[bytes]]:
    """A port that was free may be taken a moment later: three tries with other ports."""
    for _ in range(TRIES - 1):
        with suppress(NotStarted):
            return start_seaweed(folder, free_ports())
    return start_seaweed(folder, free_ports())


def free_ports() -> list[int]:
    """As many as the server wants; the first is its address."""
    return [free_port() for _ in range(8)]


def start_seaweed(folder: Path, ports: Sequence[int]) -> tuple[Seaweed, subprocess.Popen[bytes]]:
    """The server over what `folder` holds; it takes objects when this returns. Raises `NotStarted`."""
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": KEYS.access_key, "secretKey": KEYS.secret_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            _command(folder, ports), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=_environment()
        )
    server = Seaweed(f"http://127.0.0.1:{ports[0]}")
    try:
        _wait_until_written(server, process, folder / "log")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return server, process


def _command(folder: Path, ports: Sequence[int]) -> list[str]:
    """Every port is named: the gRPC ones would otherwise be another's plus 10000."""
    names = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
    return [
        str(Path(sys.executable).with_name("weed")),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
        "-filer",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=300",
    ]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLR_"))}


def _wait_until_written(server: Seaweed, process: subprocess.Popen[bytes], log: Path) -> None:
    """An open port is not yet a server that takes an object."""
    client = vendor_client(server)
    until = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with suppress(ClientError):
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
            return
        except (BotoCoreError, ClientError) as error:
            if process.poll() is not None or time.monotonic() > until:
                raise NotStarted(f"SeaweedFS does not start: {error}\n{log.read_text()[-2000:]}") from error
            time.sleep(0.1)


def vendor_client(server: Seaweed) -> Any:
    """A plain client with all rights: somebody who goes around the store."""
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="auto",
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2),
    )
