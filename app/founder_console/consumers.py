"""What the console does with messages: a new question rings the phone and sets the ladder's alarms, an answered one is
hushed, an alarm climbs the ladder, a notice is told on its channel, the end of quiet hours sums up, a brief is told."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from app.canon.push import PushSender
from app.founder_console.channels.escalating import Escalator
from app.founder_console.channels.ringing import Ringer
from app.founder_console.channels.senders import Senders, Teller
from app.founder_console.channels.waking import Briefer
from app.founder_console.model import Language
from app.founder_console.wording import Words
from app.messages import ApprovalDecided, ApprovalRaised
from app.postgres import Database
from app.settings import Settings

Handler: TypeAlias = Callable[[Any], Awaitable[None]]


def handlers(
    database: Database,
    sender: PushSender,
    senders: Senders,
    settings: Settings,
    words: Mapping[Language, Words],
) -> Mapping[str, Handler]:
    """The console's handlers by the queue's entrypoint; other rooms handle the same messages too."""
    ringer = Ringer(database, sender, settings, words)
    escalator = Escalator(database)
    teller = Teller(database, senders, settings, words)
    briefer = Briefer(database, sender, settings, words)

    async def raised(message: ApprovalRaised) -> None:
        await escalator.on_approval_raised(message)
        await ringer.on_approval_raised(message)

    async def decided(message: ApprovalDecided) -> None:
        await ringer.on_approval_decided(message)
        await teller.on_approval_decided(message)

    return {
        "approval_raised": raised,
        "approval_decided": decided,
        "escalation_due": escalator.on_escalation_due,
        "notice_due": teller.on_notice_due,
        "quiet_over": ringer.on_quiet_over,
        "brief_due": briefer.on_brief_due,
    }
