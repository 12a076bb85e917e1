"""What the console does with messages: a new question rings the phone, an answered one is hushed."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from app.canon.push import PushSender
from app.founder_console.model import Language
from app.founder_console.ringing import Ringer
from app.founder_console.wording import Words
from app.postgres import Database
from app.settings import Settings

Handler: TypeAlias = Callable[[Any], Awaitable[None]]


def handlers(
    database: Database, sender: PushSender, settings: Settings, words: Mapping[Language, Words]
) -> Mapping[str, Handler]:
    """The console's handlers by the queue's entrypoint; other rooms handle the same messages too."""
    ringer = Ringer(database, sender, settings, words)
    return {"approval_raised": ringer.on_approval_raised, "approval_decided": ringer.on_approval_decided}
