"""Personal data written by those who hold no key: encrypted to the public key of its subject (HPKE, RFC 9180).

A worker, or whoever records an event, needs nothing but the database to encrypt; to read takes the subject's own key,
which is wrapped like any other's and goes when the subject is erased.
"""

from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.governance_ledger.errors import SubjectErased, SubjectUnknown
from app.postgres import Transaction

ALG = "HPKE-X25519-SHA256-A256GCM"
OVERHEAD_BYTES = 32 + 16
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_DOMAIN = "flr personal v1"

_RECIPIENT = """
SELECT id, subject, public_key, erased_at IS NOT NULL AS erased FROM governance_ledger.subject_keys
 WHERE tenant_id = $1 AND subject = $2 AND public_key IS NOT NULL
"""


class Recipient(msgspec.Struct, frozen=True):
    """A subject that can be written about without its key. What is written about an erased one is dropped."""

    id: UUID
    subject: str
    public_key: bytes
    erased: bool

    def sealed(self, tenant: UUID, content: bytes) -> bytes:
        """Evidence as it is stored. Raises `SubjectErased`."""
        if self.erased:
            raise SubjectErased(f"subject {self.subject} was erased: nothing new is kept of it")
        return seal_to(self.public_key, content, evidence_context(tenant, self.subject))


async def recipient_of(tx: Transaction, subject: str | None) -> Recipient | None:
    """To whom what is written about `subject` is encrypted; None for nobody.

    Raises `SubjectUnknown` for one that was not opened `addressed`: nothing about it is ever written in the clear.
    """
    if subject is None:
        return None
    row = await tx.connection.fetchrow(_RECIPIENT, tx.tenant, subject)
    if row is None:
        raise SubjectUnknown(f"subject {subject} has no key that others can write to")
    return Recipient(row["id"], row["subject"], row["public_key"], row["erased"])


def public_key_of(key: bytes) -> bytes:
    """What belongs to a subject's key and may be known to everybody."""
    return _private(key).public_key().public_bytes_raw()


def seal_to(public_key: bytes, plain: bytes, context: str) -> bytes:
    """Encapsulated key, ciphertext, tag."""
    return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public_key), f"{_DOMAIN}\n{context}".encode())


def open_sealed(key: bytes, sealed: bytes, context: str) -> bytes:
    """Raises `cryptography.exceptions.InvalidTag` for what was not sealed to that key in that context."""
    return _SUITE.decrypt(sealed, _private(key), f"{_DOMAIN}\n{context}".encode())


def _private(key: bytes) -> X25519PrivateKey:
    """Derived, so that no key serves two ciphers."""
    derived = HKDF(SHA256(), 32, salt=None, info=f"{_DOMAIN}\nx25519".encode()).derive(key)
    return X25519PrivateKey.from_private_bytes(derived)


def event_context(tenant: UUID, subject: str, event_id: UUID) -> str:
    return f"event\n{tenant}\n{subject}\n{event_id}"


def evidence_context(tenant: UUID, subject: str) -> str:
    return f"evidence\n{tenant}\n{subject}"
