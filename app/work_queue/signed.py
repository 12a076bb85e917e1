"""Whether what is in force was signed. The row says nothing: whoever may write it could have written it himself."""

from functools import lru_cache

from app.canon.approval import ApprovalClaims, ApprovalReader, ProofRefused
from app.postgres import Transaction
from app.work_queue.model import GrantedMandate


def approved(tx: Transaction, token: str, reader: ApprovalReader) -> ApprovalClaims | None:
    """What the approval of this company says; None for a token that is none."""
    try:
        claims = _claims(reader, token)  # type: ignore[arg-type]  # a reader is itself and no other
    except ProofRefused:
        return None
    return claims if (claims.tid, claims.decision) == (str(tx.tenant), "approve") else None


def mandate_is_signed(tx: Transaction, mandate: GrantedMandate, reader: ApprovalReader) -> bool:
    """An approval of exactly these terms."""
    claims = approved(tx, mandate.signature, reader)
    return claims is not None and (claims.kind, claims.policy) == ("mandate", mandate.terms.digest())


@lru_cache(maxsize=1024)
def _claims(reader: ApprovalReader, token: str) -> ApprovalClaims:
    """The same for every step of every run under a contract."""
    return reader.read(token)
