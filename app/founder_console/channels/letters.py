"""What second channels say: who asks, until when, and a link that opens the card and does nothing else."""

import time
from datetime import datetime
from uuid import UUID

import msgspec

from app.auth import b64url, unb64url
from app.canon.notice import Button, Notice
from app.canon.vocabulary import Tier
from app.founder_console.channels.push import worker_of
from app.founder_console.errors import LinkUnusable
from app.founder_console.formats import Formats
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Founder, TelegramChat
from app.founder_console.wording import Words
from app.work_queue import Approval

OPENING = "flr open v1"
PRESS = "flr press v1"
APPROVE, REJECT, UNDO = "a", "r", "u"
MOST_LINK_SECONDS = 14 * 86_400


class Opening(msgspec.Struct, frozen=True):
    """Which card a link opens, until when. `x` is Unix seconds."""

    a: UUID
    x: int


class Press(msgspec.Struct, frozen=True):
    """What a button below a chat message means."""

    what: str
    tenant: UUID
    notice: UUID


def link_to(seal: Seal, approval: Approval, now: datetime) -> str:
    """The path of a link that opens the card for whoever is signed in, until a week after its deadline."""
    at = int(now.timestamp())
    x = min(int(approval.expires_at.timestamp()) + MOST_LINK_SECONDS // 2, at + MOST_LINK_SECONDS)
    return f"/open/{seal.stamped(OPENING, Opening(approval.id, x))}"


def read_opening(seal: Seal, text: str) -> UUID:
    """The card that a link opens. Raises `LinkUnusable`."""
    opening = seal.read(OPENING, text, Opening)
    if opening is None or opening.x < time.time():
        said = "this link is not one of ours or has expired: open the console itself"
        raise LinkUnusable(said, code="link.letter")
    return opening.a


def press_data(seal: Seal, what: str, tenant: UUID, notice_id: UUID, chat_id: int) -> str:
    """What a button carries, at most 64 bytes: nobody else can make one, and it counts in that chat alone."""
    body = tenant.bytes + notice_id.bytes
    mac = seal.mac(PRESS, what.encode() + body + str(chat_id).encode())[:12]
    return what + b64url(body + mac)


def read_press(seal: Seal, data: str, chat_id: int) -> Press | None:
    """What was pressed in that chat; None for what is not ours."""
    try:
        raw = unb64url(data[1:])
    except ValueError:
        return None
    what, body, mac = data[:1], raw[:32], raw[32:]
    whole = seal.mac(PRESS, what.encode() + body + str(chat_id).encode())
    if len(raw) != 44 or what not in (APPROVE, REJECT, UNDO) or not seal.holds_part(whole, mac):
        return None
    return Press(what, UUID(bytes=body[:16]), UUID(bytes=body[16:]))


class Pen(msgspec.Struct, frozen=True):
    """Writes to one founder about one question."""

    founder: Founder
    words: Words
    formats: Formats
    origin: str
    seal: Seal

    def letter(self, approval: Approval, key: str) -> Notice:
        """Says who asks and until when; the act itself only where the founder lets amounts be seen."""
        body = self.words(
            "letter.body",
            name=self.founder.name,
            worker=self._worker(approval),
            act=self._act(approval) or self.words("letter.act_hidden"),
            until=self.formats.moment(approval.expires_at),
            link=self._link(approval),
        )
        return Notice(key, self.founder.email, self.words("letter.subject", worker=self._worker(approval)), body)

    def chat_text(self, approval: Approval) -> str:
        """With the link in it where a messenger would take no button for it: one that is not https."""
        text = self.words(
            "chat.asks",
            worker=self._worker(approval),
            act=self._act(approval) or self.words("letter.act_hidden"),
            left=self.formats.left(approval.expires_at),
        )
        return text if self._public else f"{text}\n{self._link(approval)}"

    def buttons(self, approval: Approval, tenant: UUID, notice_id: UUID, chat: TelegramChat) -> tuple[Button, ...]:
        """Approve and Reject where one tap suffices; the card's link always."""
        linked = (Button(self.words("chat.open"), url=self._link(approval)),) if self._public else ()
        if approval.tier is not Tier.R1 or approval.quorum > 1:
            return linked
        pressed = tuple(
            Button(self.words(name), press_data(self.seal, what, tenant, notice_id, chat.chat_id))
            for what, name in ((REJECT, "reject"), (APPROVE, "approve"))
        )
        return (*pressed, *linked)

    @property
    def _public(self) -> bool:
        return self.origin.startswith("https://")

    def undo_button(self, tenant: UUID, notice_id: UUID, chat: TelegramChat) -> Button:
        return Button(self.words("undo"), press_data(self.seal, UNDO, tenant, notice_id, chat.chat_id))

    def post(self, approval: Approval) -> dict[str, object]:
        """The body of a signed post."""
        return {
            "type": "approval.waiting",
            "approval_id": str(approval.id),
            "tier": str(approval.tier),
            "worker": self._worker(approval),
            "act": self._act(approval) or None,
            "expires_at": approval.expires_at.isoformat(),
            "founder_id": str(self.founder.id),
            "url": self._link(approval),
        }

    def outcome(self, approval: Approval, who: str) -> str:
        """What became of it, in a line."""
        at = approval.expires_at if approval.status == "expired" else approval.decided_at
        said = self.words(f"outcome.{approval.status}", at=self.formats.moment(at) if at else "")
        return f"{said} · {who}" if who else said

    def _link(self, approval: Approval) -> str:
        return self.origin + link_to(self.seal, approval, self.formats.now)

    def _worker(self, approval: Approval) -> str:
        return worker_of(approval) or self.words("router")

    def _act(self, approval: Approval) -> str:
        text = approval.payload.get("text")
        return (
            str(text.get(self.founder.language, "")) if isinstance(text, dict) and not self.founder.hide_amounts else ""
        )
