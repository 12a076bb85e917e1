"""Hears the bot's chats: by long polling, where one process of all listens, or has what comes posted to us."""

import asyncio
import logging

import asyncpg

from app.canon.notice import ChatSender, Heard, NoticeFailed
from app.founder_console.desk import Desk
from app.postgres import LOST

PLACE = "SELECT pg_try_advisory_lock(hashtextextended('flr.chats', 0))"
AGAIN_SECONDS = 5.0
HOUR_SECONDS = 3600.0

_LOG = logging.getLogger("flr.listening")


class Listener:
    """Composition starts `run` beside the API and cancels it."""

    def __init__(
        self, database_url: str, chats: ChatSender, desk: Desk, *, again_seconds: float = AGAIN_SECONDS
    ) -> None:
        self._url = database_url
        self._chats = chats
        self._desk = desk
        self._again = again_seconds

    async def run(self) -> None:
        """Until it is cancelled. Whatever is away is asked again."""
        while True:
            try:
                await self._hold_place()
            except (*LOST, NoticeFailed) as error:
                _LOG.warning("the chats are not heard (%s); trying again", error)
            await asyncio.sleep(self._again)

    async def _hold_place(self) -> None:
        """While the connection lives, nobody else listens: the messenger hears one listener only."""
        connection = await asyncpg.connect(self._url)
        try:
            heard, hooked = 0, True
            while await connection.fetchval(PLACE):
                if hooked:
                    await self._chats.unhook()
                    hooked = False
                for one in await self._chats.listen(heard):
                    await self._take(one)
                    heard = max(heard, one.number)
        finally:
            await connection.close()

    async def _take(self, one: Heard) -> None:
        """What the database was away for comes again; what nobody can take does not."""
        try:
            await self._desk.on_heard(one)
        except LOST:
            raise
        except Exception:  # noqa: BLE001 - one press that cannot be taken must not silence the rest
            _LOG.exception("something that was heard could not be taken")


class Hook:
    """Keeps the messenger posting to us: said again every hour, should somebody else have said otherwise."""

    def __init__(self, chats: ChatSender, url: str, secret: str, *, again_seconds: float = AGAIN_SECONDS) -> None:
        self._chats = chats
        self._url = url
        self._secret = secret
        self._again = again_seconds

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            rest = HOUR_SECONDS
            try:
                await self._chats.hook(self._url, self._secret)
            except NoticeFailed as error:
                _LOG.warning("the messenger does not take our address (%s); trying again", error)
                rest = self._again
            await asyncio.sleep(rest)
