"""What a founder is told of a day by itself: counts for the lock screen, sentences for second channels."""

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from app.canon.notice import Button, Notice
from app.founder_console import store
from app.founder_console.cards.inbox import pending
from app.founder_console.channels.mornings import LATEST, begins, brief_moment
from app.founder_console.channels.quiet import zone_of
from app.founder_console.channels.saying import Said
from app.founder_console.copilot.brief import Brief, read_facts, say
from app.founder_console.counts import Figures
from app.founder_console.formats import Formats
from app.founder_console.model import Founder, Language
from app.founder_console.wording import Words
from app.governance_ledger import latest_seq
from app.postgres import Transaction
from app.role_registry import company


class Morning(msgspec.Struct, frozen=True):
    """One founder's brief of one day, as it is told."""

    founder: Founder
    day: date
    words: Words
    formats: Formats
    brief: Brief
    waiting: int

    @property
    def tag(self) -> str:
        return f"brief-{self.day.isoformat()}"

    @property
    def counted(self) -> str:
        """Counts alone, which may stand on a lock screen."""
        waits = self.words("brief.waits", n=self.waiting) if self.waiting else self.words("brief.nothing_waits")
        known = len(self.brief.sentences)
        return f"{waits} {self.words('brief.more', n=known)}" if known else waits

    def said(self, origin: str) -> Said:
        """On second channels: each sentence, or the counts alone where amounts are to stay hidden."""
        sentences = () if self.founder.hide_amounts else tuple(one.text for one in self.brief.sentences)
        told, link = "\n".join(f"· {text}" for text in sentences) or self.counted, f"{origin}/copilot"
        title = self.words("brief.title", day=self.formats.date(self.formats.now))
        body = self.words("brief.letter", name=self.founder.name, told=told, link=link)
        return Said(
            letter=Notice(f"{self.tag}:{self.founder.id}", self.founder.email, title, body),
            chat=f"{title}\n\n{told}" if origin.startswith("https://") else f"{title}\n\n{told}\n{link}",
            buttons=(Button(self.words("brief.open"), url=link),) if origin.startswith("https://") else (),
            post={
                "type": "brief",
                "day": self.day.isoformat(),
                "waiting": self.waiting,
                "sentences": list(sentences),
                "founder_id": str(self.founder.id),
                "url": link,
            },
        )


async def morning_of(tx: Transaction, founder: Founder, day: date, words: Mapping[Language, Words]) -> Morning | None:
    """What to tell, by rules from the ledger; None once it is hours too late, or is not wanted any more."""
    now, there = await store.now(tx), (await company(tx)).time_zone
    zone = zone_of(founder, there)
    at = brief_moment(founder, day, zone)
    if at is None or now >= at + LATEST:
        return None
    waiting = [approval.id for approval in await pending(tx)]
    mine, formats = words[founder.language], Formats(founder.language, zone, now)
    figures = Figures(tx, ZoneInfo(there), await latest_seq(tx))
    facts = await read_facts(tx, figures, since=begins(founder, day, zone), waiting=waiting)
    return Morning(founder, day, mine, formats, say(facts, mine, formats), len(waiting))
