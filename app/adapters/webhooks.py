"""Posting to an address that a founder named: checked at each delivery, never a private one unless listed."""

import asyncio
from collections.abc import Mapping, Sequence

from app.adapters.tools.http import Wire
from app.canon.addresses import link_of

TOTAL_SECONDS = 10.0


class Webhooks:
    """Posts bodies. Redirects are not followed: whoever moves subscribes anew."""

    def __init__(self, allow_private: Sequence[str] = ()) -> None:
        self._wire = Wire(tuple(allow_private))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> str | None:
        """What went wrong, in a sentence; None when the answer was 2xx. Never raises for what the other side does."""
        import httpx

        link = link_of(url)
        if link is None:
            return f"{url} is no plain address"
        host = f"{link.host}:{link.port}" if link.port else link.host
        try:
            # The answer's body is of no interest, and might never end.
            async with (
                asyncio.timeout(TOTAL_SECONDS),
                self._wire.client((host,)) as client,
                client.stream("POST", url, headers=dict(headers), content=body) as answer,
            ):
                return None if answer.is_success else f"{link.host} answered {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return f"{link.host} did not answer: {str(error) or type(error).__name__}"
