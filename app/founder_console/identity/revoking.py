"""API tokens that hold no more: recorded by whoever revokes, known to every API process within two seconds."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app import clock
from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.founder_console import store
from app.governance_ledger import Event, append
from app.postgres import LOST, Database, Transaction

REFRESH_SECONDS = 2.0
LONGEST = timedelta(days=366)

_LOG = logging.getLogger("flr.founder_console")


class Revocations:
    """One process's list of what was revoked and has not expired. `run` belongs to composition."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: frozenset[str] = frozenset()

    def holds(self, jti: str) -> bool:
        return jti in self._ids

    def add(self, jti: UUID) -> None:
        """Known here at once; the others read it."""
        self._ids |= {str(jti)}

    async def refresh(self) -> None:
        """Raises what asyncpg raises when the database is away."""
        self._ids = await store.fetch_revoked(self._database)

    async def run(self) -> None:
        """Until cancelled. While the database is away what is known stays."""
        while True:
            try:
                await self.refresh()
            except LOST as error:
                _LOG.warning("revoked tokens cannot be read (%s); trying again", error)
            await asyncio.sleep(REFRESH_SECONDS)


async def revoke(tx: Transaction, jti: UUID, *, by: Principal, expires: int | None, reason: str) -> datetime:
    """Let a token of this company hold no more; until when that is remembered. Again: nothing changes.

    `expires` is the token's own end, in seconds of the epoch; without it the longest that a token can live. Founder
    only. Event `token.revoked`.
    """
    require(by, Rol.FOUNDER)
    longest = clock.now() + LONGEST
    until = longest if expires is None else min(datetime.fromtimestamp(expires, UTC), longest)
    if await store.insert_revoked(tx, jti, until, by=by.actor, reason=reason):
        await append(
            tx,
            Event(
                type="token.revoked",
                actor=by.actor,
                subjects=(f"founder_console.revoked_tokens/{jti}",),
                data={"jti": str(jti), "expires_at": until.isoformat(), "reason": reason},
            ),
        )
    return until
