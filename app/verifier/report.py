"""What verifying says."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class FirstBreak:
    """The first broken place: `line` counts from 1; `seq` and `event_id` are None where none applies."""

    line: int | None
    seq: int | None
    event_id: str | None
    reason: str


@dataclass(kw_only=True)
class Report:
    """What was verified, and the first place that does not hold. `unchecked` says what could not be checked."""

    file: str
    ok: bool = False
    kind: str = "range"
    tenant: str | None = None
    from_seq: int = 0
    to_seq: int = 0
    events: int = 0
    changes: int = 0
    checkpoints: int = 0
    evidence: int = 0
    signatures: int = 0
    proofs: int = 0
    receipts: int = 0
    stored_receipts: int = 0
    cosignatures: int = 0
    timestamps: int = 0
    checkpoint: dict[str, Any] | None = None
    first_break: FirstBreak | None = None
    unchecked: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """A few lines for a person."""
        if self.first_break is not None:
            return f"BROKEN: {self.place()}{self.first_break.reason}"
        covered = self.checkpoint or {}
        verified = (
            f"verified: {self.checkpoints} checkpoints, {self.changes} row changes, {self.evidence} pieces of evidence"
            f", {self.signatures} approval signatures, {self.proofs} proofs by a founder's own key"
        )
        said = [
            f"OK: {self.events} events of {self.tenant}, {self._range()}",
            f"signed by {covered.get('kid')} over {covered.get('size')} events at {covered.get('time')}",
            verified,
            *self._held(),
            *(f"not checked: {what}" for what in self.unchecked),
        ]
        return "\n".join(said)

    def _held(self) -> list[str]:
        held = {
            "cosignatures of witnesses": self.cosignatures,
            "time stamps": self.timestamps,
            "receipts that you hold": self.receipts,
            "receipts in the file": self.stored_receipts,
        }
        return [f"verified: {count} {what}" for what, count in held.items() if count]

    def _range(self) -> str:
        return "one case" if self.kind == "case" else f"{self.from_seq} to {self.to_seq}"

    def place(self) -> str:
        """Where the first break is, as the start of a sentence."""
        if self.first_break is None:
            return ""
        named = {"line": self.first_break.line, "seq": self.first_break.seq, "event": self.first_break.event_id}
        told = ", ".join(f"{what} {where}" for what, where in named.items() if where is not None)
        return f"{told}: " if told else ""
