"""Events about a subject whose data are personal: what is free text in them goes in encrypted, and so does evidence."""

from collections.abc import Mapping

import msgspec

from app.auth import b64url
from app.canon.canonical_json import canonical_bytes
from app.canon.tool import EvidenceItem
from app.canon.vocabulary import new_id
from app.governance_ledger.addressing import ALG, Recipient, event_context, seal_to
from app.governance_ledger.appending import append
from app.governance_ledger.evidence import keep_evidence
from app.governance_ledger.model import Event, Receipt
from app.postgres import Transaction

CONCEALED: Mapping[str, object] = {
    "title": "", "result": "", "summary": "", "reason": "", "error": "", "name": "", "description": "", "facts": [],
    "text_digest": "0" * 64,
}  # fmt: skip
"""What of an event's data is free text, or tells of it, and what stands there instead of it."""


async def append_about(
    tx: Transaction, event: Event, recipient: Recipient | None, *, keep: EvidenceItem | None = None
) -> Receipt:
    """Append `event` as `append` does; with a recipient its free text (`CONCEALED`) goes in as `data.personal`, and
    `keep` too is encrypted. Text about an erased subject is dropped; evidence of it raises `SubjectErased`."""
    if recipient is None:
        return await append(tx, event, keep=keep)
    if keep is not None:
        ref = await keep_evidence(tx, keep.content, media_type=keep.media_type, name=keep.name, subject=recipient)
        event = msgspec.structs.replace(event, evidence=(ref, *event.evidence))
    told = {name: event.data[name] for name in CONCEALED if event.data.get(name)}
    if not told:
        return await append(tx, event)
    event_id = new_id()
    data = event.data | {name: CONCEALED[name] for name in told}
    if not recipient.erased:
        context = event_context(tx.tenant, recipient.subject, event_id)
        sealed = seal_to(recipient.public_key, canonical_bytes(told), context)
        data["personal"] = {"alg": ALG, "ciphertext": b64url(sealed), "nonce": "", "subject": recipient.subject}
    return await append(tx, msgspec.structs.replace(event, data=data), event_id=event_id)
