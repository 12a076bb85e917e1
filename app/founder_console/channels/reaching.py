"""Where founders can be told beside their phones."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from app.canon.notice import Channel
from app.founder_console.channels import channel_store
from app.founder_console.model import Founder, TelegramChat, Webhook
from app.postgres import Transaction


class Reach(msgspec.Struct, frozen=True):
    """By founder."""

    chats: Mapping[UUID, TelegramChat]
    webhooks: Mapping[UUID, Webhook]

    def channels(self, founder: Founder) -> tuple[Channel, ...]:
        found: list[Channel] = ["email"] if founder.email else []
        if founder.id in self.chats:
            found.append("telegram")
        if founder.id in self.webhooks:
            found.append("webhook")
        return tuple(found)


async def reach_of(tx: Transaction) -> Reach:
    return Reach(await channel_store.fetch_chats(tx), await channel_store.fetch_webhooks(tx))
