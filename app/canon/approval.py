"""What is signed when a founder decides."""

import hashlib
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.errors import Coded
from app.canon.vocabulary import Principal

Decision: TypeAlias = Literal["approve", "reject"]
STATEMENT_TYPE = "flr.decision.v1"
LIST_TYPE = "flr.decisions.v1"


class Statement(msgspec.Struct, frozen=True):
    """The exact sentence that a founder's key signs. `iat` is Unix seconds; `nonce` is single-use."""

    approval: str
    decision: Decision
    version: int
    payload_digest: str
    nonce: str
    iat: int
    typ: str = STATEMENT_TYPE

    def signed_bytes(self) -> bytes:
        """`flr.decision.v1` NUL canonical JSON."""
        return STATEMENT_TYPE.encode() + b"\0" + canonical_bytes(msgspec.to_builtins(self))

    def challenge(self) -> bytes:
        """SHA-256 of the signed bytes: the WebAuthn challenge, and what a device key signs."""
        return hashlib.sha256(self.signed_bytes()).digest()


class Item(msgspec.Struct, frozen=True):
    """One decision of a list that is signed at once."""

    approval: str
    decision: Decision
    version: int
    payload_digest: str


class ListStatement(msgspec.Struct, frozen=True):
    """Many decisions under one signature: every approval, its version, the decision and the payload's digest."""

    items: tuple[Item, ...]
    nonce: str
    iat: int
    typ: str = LIST_TYPE

    def signed_bytes(self) -> bytes:
        """`flr.decisions.v1` NUL canonical JSON."""
        return LIST_TYPE.encode() + b"\0" + canonical_bytes(msgspec.to_builtins(self))

    def challenge(self) -> bytes:
        """SHA-256 of the signed bytes."""
        return hashlib.sha256(self.signed_bytes()).digest()

    def subject(self) -> str:
        """What the nonce was offered for: these items, in this order."""
        return hashlib.sha256(canonical_bytes(msgspec.to_builtins(self.items))).hexdigest()


class DeviceProof(msgspec.Struct, frozen=True, tag="device_key", tag_field="kind"):
    """An Ed25519 signature over `Statement.challenge()` by the founder's registered device key."""

    kid: str
    statement: Statement
    signature: str


class PasskeyProof(msgspec.Struct, frozen=True, tag="passkey", tag_field="kind"):
    """A WebAuthn assertion (as the browser's `toJSON()` gives it) whose challenge is the statement's."""

    statement: Statement
    assertion: dict[str, object]


Proof: TypeAlias = DeviceProof | PasskeyProof


class DeviceListProof(msgspec.Struct, frozen=True, tag="device_key", tag_field="kind"):
    """A device key's signature over `ListStatement.challenge()`."""

    kid: str
    statement: ListStatement
    signature: str


class PasskeyListProof(msgspec.Struct, frozen=True, tag="passkey", tag_field="kind"):
    """A WebAuthn assertion whose challenge is the list's."""

    statement: ListStatement
    assertion: dict[str, object]


ListProof: TypeAlias = DeviceListProof | PasskeyListProof


class ProofRefused(Coded):
    """The proof does not show that this founder decided exactly this. The message says why."""

    code = "proof.mismatch"


class VerifiedProof(msgspec.Struct, frozen=True):
    """A proof that held, in the form kept in the approval JWT: enough to check it again from public keys alone.

    `claims["statement"]` is the statement as signed, of one decision or of a list: whoever uses the proof compares it
    with the approval in hand.
    """

    method: Literal["passkey", "device_key", "session"]
    claims: dict[str, object]

    @property
    def statement(self) -> Statement:
        """What was signed."""
        return msgspec.convert(self.claims["statement"], Statement)

    def signed_for(self, approval: str) -> Item | None:
        """What was signed about this approval; None when the list does not name it. Raises `KeyError` and
        `msgspec.ValidationError` for a proof without a statement."""
        said = self.claims["statement"]
        if isinstance(said, dict) and said.get("typ") == LIST_TYPE:
            items = msgspec.convert(said, ListStatement).items
            return next((item for item in items if item.approval == approval), None)
        one = self.statement
        return Item(one.approval, one.decision, one.version, one.payload_digest)


class Offer(msgspec.Struct, frozen=True):
    """A statement with a fresh nonce, ready to be signed. `challenge` is base64url of `statement.challenge()`;
    `passkey` are WebAuthn request options as JSON, None where the founder has no passkey."""

    statement: Statement
    challenge: str
    passkey: dict[str, object] | None = None


class ListOffer(msgspec.Struct, frozen=True):
    """The same for a list."""

    statement: ListStatement
    challenge: str
    passkey: dict[str, object] | None = None


class ProofVerifier(Protocol):
    """Offers statements to sign and checks a founder's own key. Both run in the caller's transaction `tx`."""

    async def offer(
        self, tx: object, by: Principal, *, approval_id: UUID, decision: Decision, version: int, payload_digest: str
    ) -> Offer:
        """A statement for `by` to sign, good for two minutes and one use."""
        ...

    async def offer_list(self, tx: object, by: Principal, items: tuple[Item, ...]) -> ListOffer:
        """One statement over all of `items`."""
        ...

    async def verify(self, tx: object, by: Principal, proof: Proof | ListProof) -> VerifiedProof:
        """Consumes the nonce. Raises ProofRefused."""
        ...


class ApprovalClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims of an `approval+jwt`. Times are Unix seconds. `mandate` is under which a deputy decided."""

    iss: str
    sub: str
    tid: str
    jti: str
    iat: int
    exp: int
    approval: str
    decision: Decision
    payload_digest: str
    act_digest: str
    kind: str
    role_id: str | None = None
    role_version: int | None = None
    policy: str | None = None
    run_id: str | None = None
    step: int | None = None
    mandate: str | None = None
    proof: dict[str, object] = {}


class ApprovalReader(Protocol):
    """Verifies approval JWTs by public key (every process). Raises `ProofRefused`."""

    def read(self, token: str) -> ApprovalClaims: ...


class ApprovalSigner(ApprovalReader, Protocol):
    """Holds the approval key (API only)."""

    def sign(self, claims: ApprovalClaims) -> str:
        """An EdDSA JWT, typ `approval+jwt`, header `kid`."""
        ...
