"""Documents: what an event's canonical bytes must be, and what of it the other checks need."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from app.verifier.canonical import parse
from app.verifier.errors import Broken
from app.verifier.tokens import Token, Tokens

MEMBERS = ("at", "body", "effect", "id", "n", "subjects", "tenant", "v", "xid")
BODY = ("actor", "approval", "data", "evidence", "occurred_at", "run_id", "step", "ticket_id", "type")
EVIDENCE = ("key", "media_type", "name", "sha256", "size_bytes")
PERSONAL = (*EVIDENCE, "subject")
ERASED = "subject.erased"
WATCHED = (
    "approval.", "founder.", "tool.", "model.", "run.", "role.", "budget.", "party.", "mandate.", "quorum.", "rule.",
    ERASED,
)  # fmt: skip

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGITS = re.compile(r"0|[1-9][0-9]{0,19}")
_HASH = re.compile(r"[0-9a-f]{64}")


class Named(NamedTuple):
    """Evidence that an event names. With `subject` its bytes are ciphertext under that subject's key."""

    sha256: str
    size_bytes: int
    name: str
    subject: str | None


class Fact(NamedTuple):
    """An event, as far as it is checked against others. `data` is kept only where approvals are concerned."""

    id: str
    at: str
    xid: str
    n: int
    type: str
    actor: str
    run_id: str | None
    step: int | None
    subjects: tuple[str, ...]
    effect: tuple[str, str]
    evidence: tuple[Named, ...]
    data: Mapping[str, Any] | None
    token: Token | None


class Reader:
    """Reads documents of one tenant."""

    def __init__(self, tenant: str, tokens: Tokens | None) -> None:
        """Without `tokens` approval signatures are left unread."""
        self._tenant = tenant
        self._tokens = tokens

    def read(self, document: bytes) -> Fact:
        """Raises `Broken` for bytes that are not canonical, or not a document of this tenant."""
        parsed = parse(document)
        if tuple(parsed) != MEMBERS or parsed["v"] != "1":
            raise Broken("the document has not the members of version 1")
        if parsed["tenant"] != self._tenant:
            raise Broken("the document is another tenant's")
        body = parsed["body"]
        if not isinstance(body, dict) or tuple(body) != BODY:
            raise Broken("the document's body has not the members of version 1")
        try:
            return self._fact(parsed, body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Broken("a member of the document is not of its type") from error

    def _fact(self, parsed: Mapping[str, Any], body: Mapping[str, Any]) -> Fact:
        matching(_UUID, parsed["id"])
        matching(_INSTANT, parsed["at"], body["occurred_at"])
        matching(_DIGITS, parsed["n"], parsed["xid"])
        approval, kind = body["approval"], body["type"]
        watched = kind.startswith(WATCHED)
        token = None
        if approval is not None and self._tokens is not None:
            token = self._tokens.read(approval)
        return Fact(
            id=parsed["id"],
            at=parsed["at"],
            xid=parsed["xid"],
            n=int(parsed["n"]),
            type=kind,
            actor=str.__str__(body["actor"]),
            run_id=optional(body["run_id"], str),
            step=optional(body["step"], int),
            subjects=tuple(map(str.__str__, parsed["subjects"])),
            effect=effect_of(parsed["effect"]),
            evidence=tuple(map(named, body["evidence"])) if body["evidence"] else (),
            data=dict(body["data"]) if watched or token is not None else None,
            token=token,
        )


def matching(pattern: re.Pattern[str], *texts: str) -> None:
    """Raises `ValueError` unless each text matches whole."""
    if not all(map(pattern.fullmatch, texts)):
        raise ValueError(texts)


def optional(value: Any, kind: type) -> Any:
    """Raises `TypeError` unless it is None or of the very type."""
    if value is not None and type(value) is not kind:
        raise TypeError(value)
    return value


def effect_of(effect: Mapping[str, str]) -> tuple[str, str]:
    """`effect.n` and `effect.digest`. Raises `ValueError`."""
    matching(_DIGITS, effect["n"])
    matching(_HASH, effect["digest"])
    if len(effect) != 2:
        raise ValueError(effect)
    return effect["n"], effect["digest"]


def named(ref: Mapping[str, Any]) -> Named:
    """Raises `ValueError`."""
    if tuple(ref) not in (EVIDENCE, PERSONAL) or ref["key"] != key_of(ref["sha256"]):
        raise ValueError(ref)
    matching(_HASH, ref["sha256"])
    subject = str.__str__(ref["subject"]) if "subject" in ref else None
    return Named(ref["sha256"], int(ref["size_bytes"]), str.__str__(ref["name"]), subject)


def key_of(sha256: str) -> str:
    """Where a store keeps the bytes of that hash."""
    return f"sha256/{sha256[:2]}/{sha256}"


def instant(text: str) -> datetime:
    """Raises `ValueError`."""
    return datetime.fromisoformat(text)


def shifted(text: str, **by: float) -> str:
    """An instant, later by `by`, in the form of documents."""
    return (instant(text) + timedelta(**by)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_batch(reader: Reader, documents: Sequence[bytes]) -> list[Fact | str]:
    """Facts, or what is wrong with a document; the first wrong one ends the list."""
    found: list[Fact | str] = []
    for document in documents:
        try:
            found.append(reader.read(document))
        except Broken as broken:
            found.append(broken.reason)
            break
    return found


def person(actor: str) -> str:
    """Who, without the role: `founder:7` is `7`."""
    return actor.partition(":")[2]


def seconds(text: str) -> float:
    """Unix seconds of an instant with its zone. Raises `ValueError`."""
    moment: datetime = instant(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
