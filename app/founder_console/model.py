"""Founders, their keys and sessions, and where their phones are reached."""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.vocabulary import Rol

Language: TypeAlias = Literal["id", "en"]
Theme: TypeAlias = Literal["auto", "light", "dark"]
Purpose: TypeAlias = Literal["register", "login", "decision"]


class Founder(msgspec.Struct, frozen=True, kw_only=True):
    """A person who decides. `hide_amounts` keeps money off the lock screen; `email` is the second channel, or empty."""

    id: UUID
    name: str
    rol: Rol
    language: Language
    theme: Theme
    hide_amounts: bool
    email: str
    created_at: datetime


class Preferences(msgspec.Struct, frozen=True):
    """What founders choose for themselves."""

    language: Language
    theme: Theme
    hide_amounts: bool
    email: str = ""


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
