"""Ringing the founder's phone: subscriptions, what a notification says, and the tokens behind its buttons.

A token proves what was meant, the session cookie who means it; a button needs both. What is on a lock screen holds no
customer data.
"""

import hashlib
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from app.auth import unb64url
from app.canon.approval import Decision
from app.canon.push import PushMessage, Urgency
from app.canon.vocabulary import Tier, new_id
from app.founder_console import store
from app.founder_console.errors import ActionTokenRefused, PushRefused
from app.founder_console.formats import Formats
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Founder, NewSubscription, Subscription
from app.founder_console.wording import Words
from app.postgres import Transaction
from app.work_queue import Approval

ACTION = "flr action v1"
QUIET = "quiet"
TOKEN_SECONDS = 3600
MOST_TTL_SECONDS = 86_400
CLOSED_TTL_SECONDS = 600
BRIEF_TTL_SECONDS = 6 * 3600
SOON_SECONDS = 7_200
MOST_SUBSCRIPTIONS = 20
SERVICES = (
    "fcm.googleapis.com",
    "push.apple.com",
    "updates.push.services.mozilla.com",
    "notify.windows.com",
)


class ActionToken(msgspec.Struct, frozen=True):
    """One decision that one button stands for, once. `x` is Unix seconds."""

    a: UUID
    d: Decision
    v: int
    j: str
    x: int


class Note(msgspec.Struct, frozen=True):
    """A notification for one subscription; `receipt` comes back when it was shown."""

    receipt: UUID
    message: PushMessage
    tag: str


def allowed_endpoint(endpoint: str, allow_hosts: Sequence[str]) -> bool:
    """Whether a push address belongs to a known service over https, or to a `host:port` that the setting adds."""
    there = urlsplit(endpoint)
    if there.username or there.password:
        return False
    if there.netloc in allow_hosts and there.scheme in ("http", "https"):
        return True
    host = there.hostname or ""
    known = any(host == service or host.endswith(f".{service}") for service in SERVICES)
    return known and there.scheme == "https" and there.port in (None, 443)


async def subscribe(tx: Transaction, founder_id: UUID, new: NewSubscription, allow_hosts: Sequence[str]) -> UUID:
    """Ring this browser from now on; idempotent. Raises `PushRefused`."""
    if not allowed_endpoint(new.endpoint, allow_hosts) or len(new.endpoint) > 2_000:
        raise PushRefused("this push address belongs to no push service that is known here")
    _check_keys(new)
    if len(await store.fetch_subscriptions(tx, founder_id)) >= MOST_SUBSCRIPTIONS:
        raise PushRefused(f"{MOST_SUBSCRIPTIONS} browsers are rung already: turn one off first")
    if new.replaces:
        await store.delete_subscription(tx, new.replaces)
    return await store.keep_subscription(tx, new_id(), founder_id, new.endpoint, new.p256dh, new.auth)


def _check_keys(new: NewSubscription) -> None:
    try:
        point, secret = unb64url(new.p256dh), unb64url(new.auth)
    except ValueError as error:
        raise PushRefused("the subscription's keys are not base64url") from error
    if len(point) != 65 or point[0] != 4 or len(secret) != 16:
        raise PushRefused("the subscription's keys have the wrong size")


def mint(seal: Seal, approval: Approval, decision: Decision) -> str:
    """A token for one button, valid for an hour and not beyond the deadline."""
    x = min(int(time.time()) + TOKEN_SECONDS, int(approval.expires_at.timestamp()))
    return seal.stamped(ACTION, ActionToken(approval.id, decision, approval.version, secrets.token_urlsafe(9), x))


async def open_token(tx: Transaction, seal: Seal, text: str) -> ActionToken:
    """Use a token up. Raises `ActionTokenRefused` when it is not ours, too old or used."""
    token = seal.read(ACTION, text, ActionToken)
    if token is None:
        raise ActionTokenRefused("this button is not one of ours")
    if token.x < time.time():
        raise ActionTokenRefused("this button is too old: open the card")
    if not await store.use_action_token(tx, token.j):
        raise ActionTokenRefused("this button was pressed already")
    return token


def tag_of(approval_id: UUID) -> str:
    return f"ap-{approval_id}"


def topic_of(tag: str) -> str:
    """At most 32 URL-safe characters that tell the push service nothing."""
    return hashlib.sha256(tag.encode()).hexdigest()[:32]


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """What a notification says and where it leads. `closed`: it only takes an earlier one back."""

    title: str
    body: str
    path: str
    ttl_seconds: int
    urgency: Urgency
    tokens: dict[Decision, str] = {}
    actions: tuple[dict[str, str], ...] = ()
    renotify: bool = False
    closed: bool = False


class Bell(msgspec.Struct, frozen=True):
    """How one founder is rung: in which words, from which origin, with which count on the app's icon."""

    founder: Founder
    words: Words
    formats: Formats
    origin: str
    badge: int

    def ring(self, approval: Approval, seal: Seal, *, worker: str) -> Note:
        """The notification of a new question: Approve and Reject only where one tap suffices."""
        words, left = self.words, int((approval.expires_at - self.formats.now).total_seconds())
        shown = None if self.founder.hide_amounts else approval.money
        decisions: tuple[Decision, ...] = ("approve", "reject") if approval.tier is Tier.R1 else ("reject",)
        view = () if approval.tier is Tier.R1 else ({"action": "view", "title": words("see")},)
        saying = Saying(
            title=words("push.title", amount=self.formats.money_short(shown)) if shown else words("push.title_plain"),
            body=words("push.body", worker=worker or words("router"), left=self.formats.left(approval.expires_at)),
            path=f"/approvals/{approval.id}",
            ttl_seconds=max(60, min(left, MOST_TTL_SECONDS)),
            urgency="high" if approval.tier is Tier.R2 or left < SOON_SECONDS else "normal",
            tokens={decision: mint(seal, approval, decision) for decision in decisions},
            actions=(*view, *({"action": decision, "title": words(decision)} for decision in decisions)),
            renotify=approval.tier is Tier.R2,
        )
        return self._note(tag_of(approval.id), saying)

    def sum_up(self, waiting: Sequence[Approval]) -> Note:
        """One notification for all that came in quiet hours."""
        first = min(approval.expires_at for approval in waiting)
        saying = Saying(
            title=self.words("push.sum_title", n=len(waiting)),
            body=self.words("push.sum_body", left=self.formats.left(first)),
            path="/approvals",
            ttl_seconds=MOST_TTL_SECONDS // 2,
            urgency="normal",
        )
        return self._note(QUIET, saying)

    def brief(self, tag: str, counted: str) -> Note:
        """The brief of a day in counts; the day's own tag replaces what was sent of it before."""
        saying = Saying(
            title=self.words("push.brief_title"),
            body=counted,
            path="/copilot",
            ttl_seconds=BRIEF_TTL_SECONDS,
            urgency="low",
        )
        return self._note(tag, saying)

    def hush(self, approval_id: UUID) -> Note:
        """Quietly takes back the notification of a question that is answered."""
        saying = Saying(
            title=self.words("push.decided_title"),
            body=self.words("push.decided_body"),
            path=f"/approvals/{approval_id}",
            ttl_seconds=CLOSED_TTL_SECONDS,
            urgency="low",
            closed=True,
        )
        return self._note(tag_of(approval_id), saying)

    def trial(self) -> Note:
        """What the button in settings sends."""
        saying = Saying(
            title=self.words("push.test_title"),
            body=self.words("push.test_body"),
            path="/settings",
            ttl_seconds=CLOSED_TTL_SECONDS,
            urgency="high",
        )
        return self._note("trial", saying)

    def _note(self, tag: str, saying: Saying) -> Note:
        """One JSON for both worlds: our service worker, and browsers that show declarative push by themselves."""
        receipt, navigate = new_id(), self.origin + saying.path
        content = {
            "web_push": 8030,
            "mutable": True,
            "app_badge": self.badge,
            "notification": {
                "title": saying.title,
                "body": saying.body,
                "lang": self.words.language,
                "dir": "ltr",
                "silent": saying.closed,
                "navigate": navigate,
                "tag": tag,
                "renotify": saying.renotify,
                "app_badge": self.badge,
                "data": {"tokens": saying.tokens, "receipt": str(receipt), "closed": saying.closed},
                "actions": [action | {"navigate": navigate} for action in saying.actions],
            },
        }
        message = PushMessage(msgspec.json.encode(content), saying.ttl_seconds, saying.urgency, topic_of(tag))
        return Note(receipt, message, tag)


def shortened(note: Note) -> Note:
    """The same notification for a push service that takes no more: title and address, neither text nor buttons."""
    content = msgspec.json.decode(note.message.content)
    content["notification"] |= {"body": "", "actions": []}
    content["notification"]["data"] |= {"tokens": {}}
    shorter = msgspec.structs.replace(note.message, content=msgspec.json.encode(content))
    return msgspec.structs.replace(note, message=shorter)


def reachable(subscriptions: Sequence[Subscription], allow_hosts: Sequence[str]) -> tuple[Subscription, ...]:
    """Those that may still be sent to: the list of services may have changed since."""
    return tuple(one for one in subscriptions if allowed_endpoint(one.endpoint, allow_hosts))


def worker_of(approval: Approval) -> str:
    """Who asks; empty for nobody in particular."""
    role = approval.payload.get("role")
    return str(role.get("name", "")) if isinstance(role, dict) else ""


def still_open(approval: Approval, now: datetime) -> bool:
    """Whether there is still something to decide."""
    return approval.status == "pending" and not approval.overdue(now)
