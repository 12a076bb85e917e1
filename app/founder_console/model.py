"""Founders, their keys and sessions, and where their phones are reached."""

from datetime import date, datetime, time
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.notice import Channel
from app.canon.vocabulary import Rol

Language: TypeAlias = Literal["id", "en"]
Theme: TypeAlias = Literal["auto", "light", "dark"]
Purpose: TypeAlias = Literal["register", "login", "decision"]
MORNING = time(7)
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)


class Founder(msgspec.Struct, frozen=True, kw_only=True):
    """A person who decides. `hide_amounts` keeps money off the lock screen; `email` is a second channel, or empty.

    In the quiet hours of `time_zone` (empty: the company's) nothing rings, but what must be decided before they end
    where `quiet_urgent`. On `brief_days` (1 is Monday) at `brief_at` (None: never) the brief comes by itself, where
    `brief_letters` also on second channels.
    """

    id: UUID
    name: str
    rol: Rol
    language: Language
    theme: Theme
    hide_amounts: bool
    email: str
    created_at: datetime
    time_zone: str = ""
    quiet_from: time | None = None
    quiet_to: time | None = None
    quiet_urgent: bool = True
    brief_at: time | None = MORNING
    brief_days: tuple[int, ...] = EVERY_DAY
    brief_letters: bool = True
    brief_told_on: date | None = None
    installed_at: datetime | None = None
    guided_at: datetime | None = None


class Preferences(msgspec.Struct, frozen=True):
    """What founders choose for themselves."""

    language: Language
    theme: Theme
    hide_amounts: bool
    email: str = ""
    time_zone: str = ""
    quiet_from: time | None = None
    quiet_to: time | None = None
    quiet_urgent: bool = True
    brief_at: time | None = MORNING
    brief_days: tuple[int, ...] = EVERY_DAY
    brief_letters: bool = True


class TelegramChat(msgspec.Struct, frozen=True, kw_only=True):
    """A founder's private chat with our bot."""

    founder_id: UUID
    chat_id: int
    name: str
    paired_at: datetime


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a founder's own system is told; `secret` signs what is sent."""

    founder_id: UUID
    url: str
    secret: bytes
    created_at: datetime


class SentNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to one person on one second channel, once: of a question, or of the brief of a day.

    `handle` names the message there.
    """

    id: UUID
    founder_id: UUID
    channel: Channel
    approval_id: UUID | None
    version: int | None
    attempts: int
    handle: str
    problem: str
    made_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None
    brief_on: date | None = None


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A WebAuthn credential. `public_key` is COSE; it signs decisions from `usable_from` on."""

    credential_id: str
    founder_id: UUID
    public_key: bytes
    sign_count: int
    label: str
    created_at: datetime
    usable_from: datetime
    used_at: datetime | None = None


class DeviceKey(msgspec.Struct, frozen=True, kw_only=True):
    """An Ed25519 key of the founder's own machine. `public_key` is 32 raw bytes."""

    kid: str
    founder_id: UUID
    public_key: bytes
    label: str
    created_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that a founder signed in with. `recovered`: by a recovery code, so new keys must wait."""

    token_sha256: str
    founder_id: UUID
    rol: Rol
    label: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    recovered: bool

    @property
    def ref(self) -> str:
        """Names the session without giving anything away."""
        return self.token_sha256[:24]


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Where a browser is pushed to. `problem` is what the push service last refused, empty when all is well."""

    id: UUID
    founder_id: UUID
    endpoint: str
    p256dh: str
    auth: str
    created_at: datetime
    last_sent_at: datetime | None
    last_receipt_at: datetime | None
    problem: str


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a browser's `PushSubscription.toJSON()` says, flat. `replaces` is an endpoint that is no more."""

    endpoint: str
    p256dh: str
    auth: str
    replaces: str | None = None
