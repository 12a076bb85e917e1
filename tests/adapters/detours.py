"""Ways to a server that lead over a place of our own, where things get lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.adapters.seaweed import Seaweed


@asynccontextmanager
async def way_to(server: Seaweed, *, port: int = 0, lose: int = 0) -> AsyncIterator[str]:
    """Another endpoint of the server, on which the first `lose` answers get lost after the server has acted."""
    there = urlsplit(server.endpoint)
    lost: list[bytes] = []
    open_ones: list[asyncio.Task[None]] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.append(task)
        from_server, to_server = await asyncio.open_connection(there.hostname, there.port)
        asking = asyncio.create_task(_carry_over(reader, to_server))
        while answer := await from_server.read(65536):
            if len(lost) < lose:
                lost.append(answer)
                break
            writer.write(answer)
            await writer.drain()
        writer.close()
        await asking
        await asyncio.gather(writer.wait_closed(), to_server.wait_closed())

    proxy = await asyncio.start_server(carry, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    finally:
        proxy.close()
        await asyncio.gather(*open_ones)
    assert len(lost) == lose


async def _carry_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.close()
