"""How a founder's phone is rung: what is sent to a push service, and what the service may answer."""

from typing import Literal, Protocol, TypeAlias

import msgspec

Urgency: TypeAlias = Literal["very-low", "low", "normal", "high"]
PushOutcome: TypeAlias = Literal["delivered", "gone", "misconfigured", "too_large", "later"]


class PushTarget(msgspec.Struct, frozen=True):
    """A browser's subscription: `endpoint` is an https address, the keys are base64url (RFC 8291)."""

    endpoint: str
    p256dh: str
    auth: str


class PushMessage(msgspec.Struct, frozen=True):
    """`topic` (at most 32 URL-safe characters) replaces an undelivered message of the same topic (RFC 8030)."""

    content: bytes
    ttl_seconds: int
    urgency: Urgency
    topic: str


class PushAnswer(msgspec.Struct, frozen=True):
    """`status` is the service's HTTP status, 0 when it does not answer."""

    outcome: PushOutcome
    status: int
    retry_after_seconds: int | None = None


class PushSender(Protocol):
    """Encrypts for one browser and hands over to its push service. Never raises for what the service answers."""

    async def send(self, target: PushTarget, message: PushMessage) -> PushAnswer: ...

    async def close(self) -> None: ...
