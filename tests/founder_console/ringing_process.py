"""A worker's handler in a process of its own, to be killed: `python -m ... DSN HOME TENANT APPROVAL HOST:PORT`."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from app.adapters.notices import load_notices, load_posts
from app.adapters.push import load_push
from app.founder_console import Senders, handlers
from app.founder_console.keyfiles import VAPID
from app.founder_console.wording import load_words
from app.messages import ApprovalRaised
from app.postgres import Database
from app.settings import Settings

WORDS = Path(__file__).parents[2] / "frontend" / "i18n"


async def ring(dsn: str, home: str, tenant: str, approval: str, host: str) -> None:
    settings = Settings(home=Path(home), public_url="https://console.example", push_allow_hosts=(host,))
    push = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    senders = Senders(load_notices(smtp_url=None, mail_from=""), load_posts(()))
    async with Database(dsn, max_size=2) as database:
        told = handlers(database, push, senders, settings, load_words(WORDS))
        await told["approval_raised"](ApprovalRaised(UUID(tenant), UUID(approval)))


if __name__ == "__main__":
    asyncio.run(ring(*sys.argv[1:]))
