"""Reading a streamed answer to its end, and telling an answer that broke off from one that never began."""

from collections.abc import Callable
from typing import Any

import httpx

from app.adapters.models.pieces import Pieces, Unreadable, events


class Broken(Exception):
    """The stream ended before the answer did. `begun`: some of the answer had come, so it may have been billed."""

    def __init__(self, reason: str, *, begun: bool) -> None:
        super().__init__(reason)
        self.begun = begun


async def read_events(response: httpx.Response, pieces: Pieces, *, begun: Callable[[], None]) -> dict[str, Any]:
    """The whole answer. Calls `begun` at its first word. Raises `Broken`, `EndpointError`, `TooLarge`."""
    has_begun = False
    try:
        async for event in events(response.aiter_lines()):
            if pieces.add(event) and not has_begun:
                has_begun = True
                begun()
        if not pieces.ended:
            raise Broken("it stopped in the middle", begun=has_begun)
        return pieces.result()
    except Unreadable as error:
        raise Broken(str(error), begun=has_begun or error.billed) from error
    except httpx.TransportError as error:
        raise Broken(f"{type(error).__name__} {error}".strip(), begun=has_begun) from error
