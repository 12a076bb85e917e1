"""What events say of edited calls, standing rules and mandates: shapes as in `event_shapes`."""

from uuid import UUID

from app.governance_ledger.event_shapes import Digest, Finding, Shape, Tool


class RuleProposed(Shape, frozen=True, kw_only=True):
    """`rule` are its terms as shown and signed; their digest is the `policy` of the signature."""

    role_id: UUID
    tool: str
    rule: dict[str, object]
    terms_digest: Digest
    approval_id: UUID


class RuleMade(RuleProposed, frozen=True, kw_only=True):
    rule_id: UUID


class RuleRevoked(Shape, frozen=True, kw_only=True):
    rule_id: UUID
    role_id: UUID
    tool: str
    used: int


class ToolEdited(Tool, frozen=True, kw_only=True):
    """The founder changed a held call: the gate's verdict on it as changed, asked as `approval_id`."""

    approval_id: UUID
    replaces: UUID
    fields: list[str]
    tier: str
    tier_before: str
    reason: str
    facts: list[Finding]
    payload_digest: Digest


class ToolRetryAsked(Tool, frozen=True, kw_only=True):
    """The founder wants a call with a lost answer made again under the same `key`, asked as `approval_id`."""

    approval_id: UUID
    replaces: UUID
    reason: str
    facts: list[Finding]
    payload_digest: Digest
    key: str


class MandateProposed(Shape, frozen=True, kw_only=True):
    """`mandate` are its terms as shown and signed; their digest is the `policy` of the signature."""

    mandate: dict[str, object]
    terms_digest: Digest
    approval_id: UUID


class MandateGranted(MandateProposed, frozen=True, kw_only=True):
    mandate_id: UUID


class QuorumProposed(Shape, frozen=True, kw_only=True):
    """`quorum` is what would have to agree, as shown and signed; its digest is the `policy` of the signature."""

    quorum: dict[str, object]
    terms_digest: Digest
    approval_id: UUID


class QuorumSet(QuorumProposed, frozen=True, kw_only=True):
    quorum_id: UUID


class MandateEnded(Shape, frozen=True, kw_only=True):
    mandate_id: UUID
    person: UUID
