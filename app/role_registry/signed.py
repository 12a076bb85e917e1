"""Whether what is in force was signed. The row says nothing: whoever may write it could have written it himself."""

from app.canon.approval import ApprovalReader
from app.canon.canonical_json import digest
from app.canon.contract import Contract
from app.postgres import Transaction
from app.role_registry import server_rows, store
from app.role_registry.model import Party, SignedServer
from app.role_registry.rule_store import StandingRule
from app.work_queue import CONTRACTS, approved


def contract_is_signed(tx: Transaction, contract: Contract, reader: ApprovalReader) -> bool:
    """An approval of exactly these terms, as this version of this role."""
    claims = approved(tx, contract.signature, reader)
    if claims is None or claims.kind not in CONTRACTS:
        return False
    signed = (claims.role_id, claims.role_version, claims.policy)
    return signed == (str(contract.role_id), contract.version, contract.digest)


def rule_is_signed(tx: Transaction, rule: StandingRule, reader: ApprovalReader) -> bool:
    """An approval of exactly these terms. How often it was used is not signed: the ledger counts that."""
    claims = approved(tx, rule.signature, reader)
    if claims is None or claims.kind != "rule":
        return False
    return (claims.role_id, claims.policy) == (str(rule.terms.role_id), rule.digest)


async def signed_servers(tx: Transaction, reader: ApprovalReader) -> tuple[SignedServer, ...]:
    """The tool servers whose terms, word for word, were approved; by name."""
    return tuple(
        found
        for found, terms, signature in await server_rows.fetch_with_signatures(tx)
        if _act_is_signed(tx, signature, "tool_server", ["tool_server", str(tx.tenant), terms], reader)
    )


async def signed_parties(tx: Transaction, reader: ApprovalReader) -> tuple[Party, ...]:
    """The known parties whose names and addresses were approved."""
    return tuple(
        party
        for party, signature in await store.fetch_parties_with_signatures(tx)
        if _act_is_signed(tx, signature, "party", ["party", str(tx.tenant), party.name, party.address.lower()], reader)
    )


def _act_is_signed(tx: Transaction, token: str, kind: str, act: list[object], reader: ApprovalReader) -> bool:
    claims = approved(tx, token, reader)
    return claims is not None and (claims.kind, claims.act_digest) == (kind, digest(act))
