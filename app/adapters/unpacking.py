"""Bodies of HTTP answers as they were before they were packed: never more at once than is asked for."""

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

ASKED = "gzip"
_CHUNK_BYTES = 65_536
_EITHER_HEADER = 32 + zlib.MAX_WBITS
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


async def body_of(
    response: "httpx.Response", most_bytes: int, begun: Callable[[], None] = lambda: None
) -> tuple[bytes, bool]:
    """At most so many bytes, and whether the body went on, or could not be unpacked to its end. Packed once by gzip
    or deflate it is unpacked; in any other coding it comes as it is. `begun` is called with each piece that came."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    unpacker = zlib.decompressobj(_EITHER_HEADER) if coding in _PACKED else None
    body = bytearray()
    async for chunk in response.aiter_raw(_CHUNK_BYTES):
        begun()
        room = most_bytes + 1 - len(body)
        try:
            body += chunk if unpacker is None else unpacker.decompress(chunk, room)
        except zlib.error:
            return bytes(body), True
        if len(body) > most_bytes:
            return bytes(body[:most_bytes]), True
    return bytes(body), unpacker is not None and bool(body) and not unpacker.eof
