"""How much a tool server may say in answer to one question: what goes on beyond that fills no memory of ours."""

from collections.abc import AsyncIterator

import httpx2
from mcp_types import JSONRPCMessage, JSONRPCRequest, RequestId

MOST_BYTES = 16 << 20
MOST_MESSAGES = 10_000
MOST_PIECES = 500_000
"""Lists and objects of a message: each of three bytes takes a hundred once it is read."""


class TooMuch(Exception):
    """The server went on and on. Its message is for the founder."""


class Measure:
    """What came since a question was asked. The pages of one listing are one question."""

    def __init__(self) -> None:
        self.open: list[RequestId] = []
        self._bytes = self._messages = 0

    def ask(self, message: JSONRPCMessage) -> None:
        if not isinstance(message, JSONRPCRequest):
            return
        self.open.append(message.id)
        if message.method != "tools/list" or not (message.params or {}).get("cursor"):
            self.open = [message.id]
            self._bytes = self._messages = 0

    def hear(self, line: bytes) -> None:
        """Raises `TooMuch`."""
        self._bytes += len(line)
        self._messages += 1
        if line.count(b"[") + line.count(b"{") > MOST_PIECES:
            raise TooMuch(f"it answered with more than {MOST_PIECES} lists and objects")
        if self._bytes > MOST_BYTES:
            raise TooMuch(f"it answered with more than {MOST_BYTES >> 20} MB")
        if self._messages > MOST_MESSAGES:
            raise TooMuch(f"it sent more than {MOST_MESSAGES} messages")


class MeasuredTransport(httpx2.AsyncHTTPTransport):
    """Answers of a server at an address: neither packed nor longer than what one question may bring."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await super().handle_async_request(request)
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            await response.aclose()
            raise httpx2.DecodingError(f"it packs its answers ({coding}) although asked not to", request=request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _MeasuredStream(response.stream)
        return response


class _MeasuredStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        came = pieces = 0
        async for chunk in self._inner:
            came += len(chunk)
            pieces += chunk.count(b"[") + chunk.count(b"{")
            if came > MOST_BYTES or pieces > MOST_PIECES:
                what = f"{MOST_BYTES >> 20} MB" if came > MOST_BYTES else f"{MOST_PIECES} lists and objects"
                raise httpx2.ReadError(f"it answered with more than {what}")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
