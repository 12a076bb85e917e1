"""Personal data under a key of its own for each subject, so that it can be erased while the chain stays as it is.

A subject is a person, a customer, a ticket: `customer:8841`. What is hashed, sealed and exported is ciphertext;
whoever destroys the subject's key erases it everywhere at once. Data keys (AES-256-GCM) are kept in `subject_keys`,
wrapped by a key in `FLR_HOME/keys/subjects-<kid>.key` that never enters the database.
"""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.auth import b64url, unb64url
from app.canon.canonical_json import canonical_bytes
from app.canon.errors import Misconfigured
from app.canon.vocabulary import new_id
from app.governance_ledger.addressing import ALG, event_context, evidence_context, open_sealed, public_key_of
from app.governance_ledger.appending import append
from app.governance_ledger.document import instant
from app.governance_ledger.errors import EventRefused, SubjectErased, SubjectUnknown
from app.governance_ledger.model import Event, RecordedEvent
from app.postgres import Database, Transaction

KEY_BYTES = 32
NONCE_BYTES = 12
REWRAP = 500
OVERHEAD_BYTES = NONCE_BYTES + 16
TABLE = "governance_ledger.subject_keys"
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")

_MAKE = """
INSERT INTO governance_ledger.subject_keys (id, tenant_id, subject, kek_id, wrapped_key, public_key)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, subject) DO NOTHING RETURNING id
"""
_KEYS = """
SELECT id, subject, kek_id, wrapped_key, erased_at FROM governance_ledger.subject_keys
 WHERE tenant_id = $1 AND subject = ANY ($2)
"""
# FOR UPDATE: who erases a subject meanwhile waits, and then finds the row again.
_OLDER = """
SELECT id, subject, kek_id, wrapped_key, erased_at FROM governance_ledger.subject_keys
 WHERE tenant_id = $1 AND wrapped_key IS NOT NULL AND kek_id <> $2 ORDER BY id LIMIT $3 FOR UPDATE
"""
_REWRAP = """
UPDATE governance_ledger.subject_keys SET kek_id = $3, wrapped_key = $4 WHERE tenant_id = $1 AND id = $2
"""
_ERASE = """
UPDATE governance_ledger.subject_keys SET wrapped_key = NULL, erased_at = clock_timestamp()
 WHERE tenant_id = $1 AND subject = $2 AND erased_at IS NULL RETURNING id, subject, erased_at
"""


class Personal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Data about `subject` that goes encrypted into an event. `subject` itself stays readable: use no name in it."""

    subject: str
    data: dict[str, object]


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How `personal` stands in an event's data: base64url; `alg` is A256GCM, or `addressing.ALG` without a nonce."""

    alg: str
    ciphertext: str
    nonce: str
    subject: str


class SubjectKey(msgspec.Struct, frozen=True):
    """A row of `subject_keys`; `wrapped_key` is None once erased."""

    id: UUID
    subject: str
    kek_id: str
    wrapped_key: bytes | None
    erased_at: datetime | None


class DataKey(msgspec.Struct, frozen=True):
    """A living subject's key, unwrapped: for one transaction, never kept."""

    id: UUID
    subject: str
    key: bytes


class Erased(msgspec.Struct, frozen=True):
    """A subject whose key was destroyed, and when."""

    subject: str
    erased_at: datetime


class Rewrapped(msgspec.Struct, frozen=True):
    """The wrapping key under which all living subjects now are, and how many of them were moved to it."""

    kek_id: str
    subjects: int


class Keeper:
    """The keys that wrap the subjects' keys. The newest wraps, all unwrap."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    @classmethod
    def load(cls, folder: Path) -> "Keeper":
        """Those of a key folder, newest last; a process without them records and reads no personal data."""
        paths = sorted(folder.glob("subjects-*.key"), key=lambda path: path.stat().st_mtime_ns)
        return cls({path.stem.removeprefix("subjects-"): path.read_bytes() for path in paths})

    @property
    def names(self) -> tuple[str, ...]:
        """The keys' names, oldest first."""
        return tuple(self._keys)

    @property
    def newest(self) -> str:
        """The name of the key that wraps. Raises `Misconfigured`."""
        if not self._keys:
            said = "there is no keys/subjects-*.key in FLR_HOME: run `flr migrate` before personal data"
            raise Misconfigured(said, code="subjects.no_key")
        return next(reversed(self._keys))

    def wrap(self, tenant: UUID, subject: str, key: bytes) -> tuple[str, bytes]:
        """The wrapping key's name, and the wrapped key. Raises `Misconfigured`."""
        kid = self.newest
        return kid, _encrypt(self._keys[kid], secrets.token_bytes(NONCE_BYTES), key, f"key\n{tenant}\n{subject}")

    def unwrap(self, tenant: UUID, row: SubjectKey) -> DataKey:
        """Raises `SubjectErased`, `Misconfigured`."""
        if row.wrapped_key is None:
            raise SubjectErased(
                f"subject {row.subject} was erased on {row.erased_at:%Y-%m-%d}: nothing new is kept of it"
            )
        kek = self._keys.get(row.kek_id)
        if kek is None:
            said = f"keys/subjects-{row.kek_id}.key is missing in FLR_HOME: bring it from the first host"
            raise Misconfigured(said, code="subjects.key_missing", kid=row.kek_id)
        return DataKey(row.id, row.subject, _decrypt(kek, row.wrapped_key, f"key\n{tenant}\n{row.subject}"))


def keeper_of(folder: Path) -> Keeper:
    """The keeper of a key folder; read once, and again when a key comes or goes."""
    return _load(folder, folder.stat().st_mtime_ns if folder.exists() else 0)


@lru_cache(maxsize=4)
def _load(folder: Path, changed_at: int) -> Keeper:
    return Keeper.load(folder)


def ensure_subjects_key(folder: Path) -> None:
    """Make the first wrapping key when there is none."""
    if not any(folder.glob("subjects-*.key")):
        create_subjects_key(folder)


def create_subjects_key(folder: Path) -> str:
    """Make a wrapping key, which wraps from now on: 32 random bytes, mode 0600. Its name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_BYTES)
    kid = sha256(key).hexdigest()[:16]
    path = folder / f"subjects-{kid}.key"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return kid


async def open_subject(tx: Transaction, keeper: Keeper, subject: str, *, addressed: bool = False) -> DataKey:
    """The subject's key, made on first use with an event `subject.opened`, in the caller's transaction.

    A key made `addressed` has a public half: from then on anybody can write about the subject (`recipient_of`).
    Raises `EventRefused` for what is no subject, `SubjectErased`, `Misconfigured`.
    """
    if not _SUBJECT.fullmatch(subject):
        raise EventRefused("a subject has 1 to 120 letters, digits, and . _ : - like customer:8841")
    row = (await subject_keys(tx, [subject])).get(subject)
    if row is None:
        await _make(tx, keeper, subject, addressed=addressed)
        row = (await subject_keys(tx, [subject]))[subject]
    return keeper.unwrap(tx.tenant, row)


async def _make(tx: Transaction, keeper: Keeper, subject: str, *, addressed: bool) -> None:
    """Of two transactions that open a subject at once, the second waits for the first and finds its key."""
    key = secrets.token_bytes(KEY_BYTES)
    kid, wrapped = keeper.wrap(tx.tenant, subject, key)
    public = public_key_of(key) if addressed else None
    key_id = await tx.connection.fetchval(_MAKE, new_id(), tx.tenant, subject, kid, wrapped, public)
    if key_id is not None:
        event = Event(type="subject.opened", actor="system", subjects=(f"{TABLE}/{key_id}",), data={"subject": subject})
        await append(tx, event)


async def subject_keys(tx: Transaction, subjects: Sequence[str]) -> dict[str, SubjectKey]:
    rows = await tx.connection.fetch(_KEYS, tx.tenant, list(subjects))
    return {row["subject"]: SubjectKey(**dict(row)) for row in rows}


async def seal_personal(tx: Transaction, keeper: Keeper, event: Event, event_id: UUID, personal: Personal) -> Event:
    """`event` with `personal` encrypted in its data. The same data of the same event gives the same bytes.

    Raises like `open_subject`, and `NotCanonical`.
    """
    key = await open_subject(tx, keeper, personal.subject)
    plain = canonical_bytes(personal.data)
    # A nonce of the event and its content: a repetition under an idempotency key is the same event, and no nonce meets
    # other bytes twice.
    nonce = digest(key.key, b"nonce\n" + event_id.bytes + plain, "sha256")[:NONCE_BYTES]
    blob = _encrypt(key.key, nonce, plain, event_context(tx.tenant, personal.subject, event_id))
    sealed = Sealed("A256GCM", b64url(blob[NONCE_BYTES:]), b64url(nonce), personal.subject)
    return msgspec.structs.replace(event, data=event.data | {"personal": msgspec.to_builtins(sealed)})


async def reveal(tx: Transaction, keeper: Keeper, events: Sequence[RecordedEvent]) -> tuple[RecordedEvent, ...]:
    """The events with `personal` readable: `{subject, data}` while the key lives, `{subject, erased_at}` afterwards."""
    found = {event.event_id: sealed for event in events if (sealed := _sealed(event)) is not None}
    if not found:
        return tuple(events)
    rows = await subject_keys(tx, sorted({sealed.subject for sealed in found.values()}))
    return tuple(
        _shown(tx.tenant, keeper, event, found[event.event_id], rows.get(found[event.event_id].subject))
        if event.event_id in found
        else event
        for event in events
    )


async def erase_subject(tx: Transaction, subject: str, *, by: str) -> Erased:
    """Destroy the subject's key and record `subject.erased`, in the caller's transaction. A second time is the first.

    What no erasing reaches stands in docs/retention.md. Raises `SubjectUnknown`.
    """
    row = await tx.connection.fetchrow(_ERASE, tx.tenant, subject)
    if row is None:
        before = (await subject_keys(tx, [subject])).get(subject)
        if before is None or before.erased_at is None:
            raise SubjectUnknown(f"the ledger keeps nothing under subject {subject}")
        return Erased(subject, before.erased_at)
    data: dict[str, object] = {"subject": subject, "erased_at": instant(row["erased_at"])}
    await append(tx, Event(type="subject.erased", actor=by, subjects=(f"{TABLE}/{row['id']}",), data=data))
    return Erased(subject, row["erased_at"])


async def rewrap_subjects(tx: Transaction, keeper: Keeper, *, by: str) -> Rewrapped:
    """Wrap all of the tenant's living subjects' keys with the newest wrapping key [event subject.rewrapped].

    Nothing that was encrypted changes, only what opens it. Idempotent. Raises `Misconfigured` when an older wrapping
    key is not here.
    """
    kid, count = keeper.newest, 0
    while rows := await tx.connection.fetch(_OLDER, tx.tenant, kid, REWRAP):
        older = [SubjectKey(**dict(row)) for row in rows]
        wrapped = [keeper.wrap(tx.tenant, row.subject, keeper.unwrap(tx.tenant, row).key)[1] for row in older]
        values = [(tx.tenant, row.id, kid, key) for row, key in zip(older, wrapped, strict=True)]
        await tx.connection.executemany(_REWRAP, values)
        subjects = tuple(f"{TABLE}/{row.id}" for row in older)
        data: dict[str, object] = {"kek_id": kid, "subjects": len(older)}
        await append(tx, Event(type="subject.rewrapped", actor=by, subjects=subjects, data=data))
        count += len(older)
    return Rewrapped(kid, count)


async def count_wrapped(database: Database, kek_id: str) -> int:
    """How many living subjects of all companies a wrapping key opens, on a connection of the pool."""
    async with database.pool.acquire(timeout=5) as connection:
        return int(await connection.fetchval("SELECT governance_ledger.subjects_wrapped_by($1)", kek_id))


def seal_bytes(tenant: UUID, key: DataKey, content: bytes) -> bytes:
    """What is stored of evidence under a subject's key: nonce, ciphertext, tag."""
    return _encrypt(key.key, secrets.token_bytes(NONCE_BYTES), content, evidence_context(tenant, key.subject))


def open_bytes(tenant: UUID, key: DataKey, stored: bytes, alg: str | None = None) -> bytes:
    """The content again. Raises `cryptography.exceptions.InvalidTag` for other bytes."""
    context = evidence_context(tenant, key.subject)
    return open_sealed(key.key, stored, context) if alg == ALG else _decrypt(key.key, stored, context)


def _sealed(event: RecordedEvent) -> Sealed | None:
    try:
        return msgspec.convert(event.data.get("personal"), Sealed)
    except msgspec.ValidationError:
        return None


def _shown(tenant: UUID, keeper: Keeper, event: RecordedEvent, sealed: Sealed, row: SubjectKey | None) -> RecordedEvent:
    personal: dict[str, object] = {"subject": sealed.subject}
    if row is None:
        return event
    if row.erased_at is not None:
        personal["erased_at"] = instant(row.erased_at)
    else:
        key = keeper.unwrap(tenant, row)
        blob = unb64url(sealed.nonce) + unb64url(sealed.ciphertext)
        context = event_context(tenant, sealed.subject, event.event_id)
        try:
            plain = open_sealed(key.key, blob, context) if sealed.alg == ALG else _decrypt(key.key, blob, context)
        except InvalidTag:
            return event
        personal["data"] = msgspec.json.decode(plain)
    return msgspec.structs.replace(event, data=event.data | {"personal": personal})


def _encrypt(key: bytes, nonce: bytes, plain: bytes, context: str) -> bytes:
    return nonce + AESGCM(key).encrypt(nonce, plain, b"flr personal v1\n" + context.encode())


def _decrypt(key: bytes, blob: bytes, context: str) -> bytes:
    return AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], b"flr personal v1\n" + context.encode())
