"""The page of a case that a person reads: what happened, who decided, what shows it. A reading aid, not the proof."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from app.canon.evidence import EvidenceRef
from app.governance_ledger.document import Document
from app.governance_ledger.model import CheckpointSummary

DOCUMENTS = Path(__file__).parents[2] / "frontend" / "documents"

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Case file", "made": "Made", "tenant": "Ledger", "ticket": "Ticket", "covered": "Covered by",
        "checkpoint": "checkpoint {serial} over {size} events, signed {time} by key {kid}", "what": "What happened",
        "when": "When", "type": "Event", "who": "By", "how": "Details", "decisions": "Decisions", "asked": "Question",
        "decision": "Decision", "proved": "Proved by", "passkey": "passkey", "device_key": "device key",
        "session": "sign-in alone", "evidence": "Evidence", "file": "File", "bytes": "Bytes", "sha256": "SHA-256",
        "lost": "lost: the store no longer holds it", "none": "None.", "verify": "How to verify",
        "aid": "This page is a reading aid. What counts is ledger.ndjson in this archive: every event there carries a "
        "proof that it stands in the signed ledger. Verify it offline with the sealer's public key:",
        "personal": "personal: encrypted under the key of {subject}", "erased": "erased with the key of {subject}",
        "root": "Root of the tree", "approve": "approved", "reject": "rejected",
    },
    "id": {
        "title": "Berkas perkara", "made": "Dibuat", "tenant": "Buku besar", "ticket": "Tiket",
        "covered": "Dicakup oleh",
        "checkpoint": "titik periksa {serial} atas {size} peristiwa, ditandatangani {time} dengan kunci {kid}",
        "what": "Yang terjadi", "when": "Waktu", "type": "Peristiwa", "who": "Oleh", "how": "Rincian",
        "decisions": "Keputusan", "asked": "Pertanyaan", "decision": "Keputusan", "proved": "Dibuktikan dengan",
        "passkey": "passkey", "device_key": "kunci perangkat", "session": "masuk saja", "evidence": "Bukti",
        "file": "Berkas", "bytes": "Bita", "sha256": "SHA-256", "lost": "hilang: penyimpanan tidak lagi memilikinya",
        "none": "Tidak ada.", "verify": "Cara memeriksa",
        "aid": "Halaman ini hanya alat bantu baca. Yang berlaku adalah ledger.ndjson di arsip ini: setiap peristiwa di "
        "sana membawa bukti bahwa ia berada di buku besar yang ditandatangani. Periksa tanpa jaringan dengan kunci "
        "publik penyegel:",
        "personal": "pribadi: terenkripsi dengan kunci {subject}", "erased": "dihapus bersama kunci {subject}",
        "root": "Akar pohon", "approve": "disetujui", "reject": "ditolak",
    },
}  # fmt: skip
SHOWN = ("title", "tool", "status", "reason", "error", "rule", "money", "confirmed", "name")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the page tells. `files` are members of the archive by hash, None for what is not in it; `erased` are
    subjects."""

    tenant: UUID
    ticket_id: UUID
    made_at: datetime
    checkpoint: CheckpointSummary
    events: Sequence[tuple[int, Document]]
    decisions: Sequence[tuple[int, Document]]
    contracts: Sequence[Document]
    files: Mapping[str, str | None]
    erased: Collection[str]

    @property
    def actors(self) -> dict[str, str]:
        """Workers' names by actor, from the contracts that the case holds."""
        named = ((event.body.data.get("role_id"), event.body.data.get("name")) for event in self.contracts)
        return {f"worker:{role}": str(name) for role, name in named if role and name}


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(DOCUMENTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("case_file.html")


def summary_of(told: Told, language: Literal["id", "en"]) -> str:
    """One HTML page without script, in the language."""
    words = WORDS[language]
    signed = told.checkpoint
    covered = words["checkpoint"].format(
        serial=signed.serial, size=signed.size, time=_time(signed.signed_at), kid=signed.kid
    )
    decided = [(seq, event) for seq, event in told.decisions if event.body.type == "approval.decided"]
    return _template().render(
        words=words,
        language=language,
        told=told,
        title=_title(told),
        covered=covered,
        made=_time(told.made_at),
        events=[_line(seq, event, told.actors) for seq, event in told.events],
        decisions=[_decision(seq, event, words) for seq, event in decided],
        files=_files(told, words),
    )


def _title(told: Told) -> str:
    titles = [event.body.data.get("title") for _, event in told.events if event.body.type == "ticket.opened"]
    return str(titles[0]) if titles and titles[0] else str(told.ticket_id)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _line(seq: int, event: Document, actors: Mapping[str, str]) -> dict[str, Any]:
    data = event.body.data
    said = [f"{name}: {_text(data[name])}" for name in SHOWN if data.get(name) not in (None, "", False)]
    return {
        "seq": seq,
        "at": _time(event.at),
        "type": event.body.type,
        "actor": actors.get(event.body.actor, event.body.actor),
        "said": "; ".join(said),
        "files": [ref.sha256[:12] for ref in event.body.evidence],
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _decision(seq: int, event: Document, words: Mapping[str, str]) -> dict[str, Any]:
    data = event.body.data
    return {
        "seq": seq,
        "at": _time(event.at),
        "asked": " ".join(str(part) for part in (data.get("kind"), data.get("tool"), data.get("tier")) if part),
        "decision": words.get(str(data.get("decision")), str(data.get("decision"))),
        "actor": event.body.actor,
        "method": words.get(str(data.get("method")), str(data.get("method"))),
        "reason": str(data.get("reason") or ""),
    }


def _files(told: Told, words: Mapping[str, str]) -> list[dict[str, Any]]:
    named = {ref.sha256: ref for _, event in (*told.events, *told.decisions) for ref in event.body.evidence}
    return [
        {
            "name": ref.name,
            "bytes": ref.size_bytes,
            "sha256": sha256,
            "href": _href(told.files.get(sha256)),
            "note": _note(ref, told, words),
        }
        for sha256, ref in named.items()
    ]


def _note(ref: EvidenceRef, told: Told, words: Mapping[str, str]) -> str:
    if ref.subject and ref.subject in told.erased:
        return words["erased"].format(subject=ref.subject)
    if told.files.get(ref.sha256) is None:
        return words["lost"]
    return words["personal"].format(subject=ref.subject) if ref.subject else ""


def _href(member: str | None) -> str | None:
    return None if member is None else quote(member)
