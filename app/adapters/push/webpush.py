"""Web push (RFC 8030, 8291, 8292). pywebpush encrypts, py_vapid signs; our own request follows no redirect."""

import asyncio
import time
from email.utils import parsedate_to_datetime
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.canon.push import PushAnswer, PushMessage, PushOutcome, PushTarget

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_SECONDS = 15
TOKEN_SECONDS = 12 * 3600
MOST_WAIT_SECONDS = 3600
OUTCOMES: dict[int, PushOutcome] = {
    200: "delivered",
    201: "delivered",
    202: "delivered",
    404: "gone",
    410: "gone",
    413: "too_large",
    429: "later",
}


class WebPush:
    """One VAPID key and one HTTP session; libraries load with the first message."""

    def __init__(self, key_file: Path, contact: str) -> None:
        self._key_file = key_file
        self._contact = contact
        self._session: aiohttp.ClientSession | None = None

    async def send(self, target: PushTarget, message: PushMessage) -> PushAnswer:
        """Never raises for what the push service answers, or when it does not."""
        import aiohttp

        try:
            body = await asyncio.to_thread(_encrypted, target, message.content)
            headers = self._headers(target, message)
        except (ValueError, TypeError) as error:
            raise ValueError(f"the subscription's keys cannot be used: {error}") from error
        try:
            session = self._open()
            async with session.post(target.endpoint, data=body, headers=headers, allow_redirects=False) as answer:
                return PushAnswer(_outcome(answer.status), answer.status, _retry_after(answer))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return PushAnswer("later", 0)

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        return self._session

    def _headers(self, target: PushTarget, message: PushMessage) -> dict[str, str]:
        from py_vapid import Vapid02

        there = urlsplit(target.endpoint)
        claims = {
            "aud": f"{there.scheme}://{there.netloc}",
            "exp": int(time.time()) + TOKEN_SECONDS,
            "sub": self._contact,
        }
        signed: dict[str, str] = Vapid02.from_pem(self._key_file.read_bytes()).sign(claims)
        return {
            **signed,
            "TTL": str(message.ttl_seconds),
            "Urgency": message.urgency,
            "Topic": message.topic,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
        }

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _encrypted(target: PushTarget, content: bytes) -> bytes:
    from pywebpush import WebPusher

    subscription = {"endpoint": target.endpoint, "keys": {"p256dh": target.p256dh, "auth": target.auth}}
    return bytes(WebPusher(subscription).encode(content, "aes128gcm")["body"])


def _outcome(status: int) -> PushOutcome:
    return OUTCOMES.get(status) or ("later" if status >= 500 else "misconfigured")


def _retry_after(answer: "aiohttp.ClientResponse") -> int | None:
    """In seconds or as a date (RFC 9110, section 10.2.3); None for neither."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(int(text), MOST_WAIT_SECONDS)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    return max(1, min(ceil(until - time.time()), MOST_WAIT_SECONDS))
