"""What the console does with messages: a new question rings the phone and sets the ladder's alarms, an answered one is
hushed, an alarm climbs the ladder."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from app.canon.notice import NoticeSender
from app.canon.push import PushSender
from app.founder_console.escalating import Escalator
from app.founder_console.model import Language
from app.founder_console.ringing import Ringer
from app.founder_console.wording import Words
from app.messages import ApprovalRaised
from app.postgres import Database
from app.settings import Settings

Handler: TypeAlias = Callable[[Any], Awaitable[None]]


def handlers(
    database: Database,
    sender: PushSender,
    letters: NoticeSender,
    settings: Settings,
    words: Mapping[Language, Words],
) -> Mapping[str, Handler]:
    """The console's handlers by the queue's entrypoint; other rooms handle the same messages too."""
    ringer = Ringer(database, sender, settings, words)
    escalator = Escalator(database, letters, settings, words)

    async def raised(message: ApprovalRaised) -> None:
        await escalator.on_approval_raised(message)
        await ringer.on_approval_raised(message)

    return {
        "approval_raised": raised,
        "approval_decided": ringer.on_approval_decided,
        "escalation_due": escalator.on_escalation_due,
    }
