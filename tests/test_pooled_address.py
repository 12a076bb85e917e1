"""An address that leads through a connection pooler: each process says so and ends. A direct one is taken."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from app.auth import ensure_keys
from app.database_urls import refuse_pooler
from app.settings import InvalidSetting

KEY_DATA = b"K\x00\x00\x00\x0c"
OWN_KEY = b"\x7f\xff\xff\xff\x00\x00\x00\x01"


@asynccontextmanager
async def pooled(dsn: str) -> AsyncIterator[str]:
    """An address at which, as at every pooler, the cancellation key is not PostgreSQL's own."""
    split = urlsplit(dsn)
    query = parse_qs(split.query)
    socket_name = f".s.PGSQL.{query.get('port', ['5432'])[0]}"

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(f"{query['host'][0]}/{socket_name}")
        await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))

    with TemporaryDirectory(prefix="flr-") as folder:
        server = await asyncio.start_unix_server(relay, f"{folder}/{socket_name}")
        async with server:
            yield dsn.replace(query["host"][0], folder)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            at = data.find(KEY_DATA)
            if at >= 0:
                data = data[: at + len(KEY_DATA)] + OWN_KEY + data[at + len(KEY_DATA) + len(OWN_KEY) :]
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def test_a_direct_address_is_taken_and_a_pooled_one_is_named(dsn: str) -> None:
    direct = await asyncpg.connect(dsn)
    await refuse_pooler(direct, dsn)
    await direct.close()
    async with pooled(dsn) as address:
        through = await asyncpg.connect(address)
        with pytest.raises(InvalidSetting, match="leads through a connection pooler"):
            await refuse_pooler(through, address)
        await through.close()


@pytest.mark.parametrize("process", ["main", "worker", "sealer"])
async def test_no_process_starts_behind_a_pooler(dsn: str, sealer_dsn: str, tmp_path: Path, process: str) -> None:
    ensure_keys(tmp_path / "keys", "token", "approval", "receipt", "seal")
    async with pooled(sealer_dsn if process == "sealer" else dsn) as address:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"app.{process}",
            env={**os.environ, "FLR_HOME": str(tmp_path), "FLR_PORT": "0", "DATABASE_URL": address},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await running.communicate()
    assert running.returncode != 0
    assert "give the address of PostgreSQL itself" in said.decode()
