"""Evidence bytes against the events that name them, and what a worker was asked against what was signed."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.verifier.canonical import act_digest
from app.verifier.documents import ERASED, Fact
from app.verifier.errors import Broken

PAYLOAD = "payload.json"
STEP = "step-"
_READABLE = 4 * 1024 * 1024


class _Place(NamedTuple):
    """The first event that names a piece of evidence."""

    line: int
    seq: int
    event_id: str
    size_bytes: int
    acts: tuple[str, str] | None
    subject: str | None


class Shelf:
    """Which evidence is named, which is here. `seen` counts the pieces whose bytes were compared."""

    def __init__(self, tenant: str) -> None:
        self.seen = 0
        self._tenant = tenant
        self._named: dict[str, _Place] = {}
        self._here: set[str] = set()
        self._missing: dict[str, str] = {}
        self._erased: set[str] = set()
        self._open: tuple[str, int, Any, int, bytearray | None] | None = None

    def expect(self, fact: Fact, seq: int, line: int) -> None:
        """What the event names, and whose evidence nobody can read from then on."""
        if fact.type == ERASED and fact.data is not None:
            self._erased.add(str(fact.data.get("subject")))
        for ref in fact.evidence:
            if ref.sha256 not in self._named:
                shows = ref.subject is None and (ref.name == PAYLOAD or ref.name.startswith(STEP))
                acts = _acts(fact) if shows else None
                self._named[ref.sha256] = _Place(line, seq, fact.id, ref.size_bytes, acts, ref.subject)

    def part(self, said: Mapping[str, Any]) -> None:
        """A line of evidence, in order. Raises `Broken`."""
        sha256 = said["sha256"]
        if "missing" in said:
            if set(said) != {"missing", "sha256"} or said["missing"] not in ("lost", "erased"):
                raise Broken("an evidence line that says nothing")
            self._missing[sha256] = said["missing"]
            return
        if self._open is None:
            self._open = (sha256, 0, hashlib.sha256(), 0, bytearray())
        name, number, digest, size, kept = self._open
        if (name, number) != (sha256, said["part"]) or type(said["last"]) is not bool or len(said) != 4:
            raise Broken("the parts of the evidence do not follow each other")
        try:
            content = base64.b64decode(said["content"], validate=True)
        except binascii.Error as error:
            raise Broken("evidence that is not base64") from error
        digest.update(content)
        kept = kept + content if kept is not None and len(kept) + len(content) <= _READABLE else None
        self._open = (name, number + 1, digest, size + len(content), kept)
        if said["last"]:
            self._open = None
            self.whole(sha256, size + len(content), digest.hexdigest(), None if kept is None else bytes(kept))

    def whole(self, sha256: str, size_bytes: int, found: str, content: bytes | None) -> None:
        """All bytes of a piece were read: `size_bytes` of them, which hash to `found`. Raises `Broken`."""
        place = self._named.get(sha256)
        if found != sha256:
            raise self._broken(place, "the evidence is not what the event names: its bytes hash to another value")
        if place is None:
            raise Broken("evidence that no event names")
        if size_bytes != place.size_bytes:
            raise self._broken(place, "the evidence has another size than the event names")
        if place.acts is not None and content is not None:
            self._compare_act(place, content)
        self._here.add(sha256)
        self.seen += 1

    def _compare_act(self, place: _Place, content: bytes) -> None:
        """The arguments in the evidence are those whose digest the event carries, and the founder signed."""
        role, wanted = place.acts or ("", "")
        try:
            said = json.loads(content)
            tool = said["tool"] if isinstance(said["tool"], dict) else {"name": said["tool"], **said}
            digest = act_digest([self._tenant, role, tool["name"], tool["schema_hash"], said["arguments"]])
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if digest != wanted:
            raise self._broken(place, "the evidence shows other arguments than the event records")

    def finish(self) -> list[str]:
        """What is missing with its reason, one sentence each. Raises `Broken` for what is missing without one."""
        if self._open is not None:
            raise Broken("the evidence ends in the middle of a piece")
        for sha256, place in self._named.items():
            if sha256 not in self._here:
                self._explain(sha256, place)
        subjects = [place.subject for place in self._named.values() if place.subject is not None]
        erased = sum(subject in self._erased for subject in subjects)
        said = f"what {len(subjects)} pieces of personal evidence say: they are encrypted, {erased} of them erased"
        return [said] if subjects else []

    def _explain(self, sha256: str, place: _Place) -> None:
        """Raises `Broken`, unless an event says that the subject was erased: a line in the file proves nothing."""
        why = self._missing.get(sha256, "not in the file")
        if why != "erased":
            raise self._broken(place, f"evidence that the event names is {why}: sha256/{sha256}")
        if place.subject not in self._erased:
            raise self._broken(place, f"evidence is called erased, and no event says so: sha256/{sha256}")

    def unseen(self) -> int:
        """How many pieces are named and not here."""
        return len(self._named) - len(self._here)

    def named(self) -> Iterable[str]:
        """The hashes of all evidence that events name."""
        return self._named

    def _broken(self, place: _Place | None, reason: str) -> Broken:
        if place is None:
            return Broken(reason)
        broken = Broken(reason, seq=place.seq, event_id=place.event_id)
        broken.line = place.line
        return broken


def _acts(fact: Fact) -> tuple[str, str] | None:
    """Role and digest of the act that evidence of the event must show; None where it shows none."""
    data = fact.data or {}
    role, digest = data.get("role_id"), data.get("act_digest")
    if not isinstance(role, str) or not isinstance(digest, str):
        return None
    return (role, digest) if fact.type.startswith("tool.") or data.get("kind") == "tool_call" else None
