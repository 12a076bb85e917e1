"""Time stamps after RFC 3161: a third party's word that a checkpoint existed at a time. No I/O.

The library is imported when it is needed: who configures no authority does not wait for it at each start.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509

from app.canon.errors import Misconfigured

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest, TimeStampResponse

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
CLOCKS_APART = timedelta(minutes=5)


class StampRefused(Exception):
    """The answer is no time stamp of this checkpoint; the message says why."""


def load_roots(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates that time stamps must lead to, from a PEM file. Raises `Misconfigured`."""
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"FLR_TIMESTAMP_CERTIFICATES={path} holds no PEM certificate: {error}") from error


def authority_name(url: str) -> str:
    """How an authority is called in the ledger: its host and path."""
    split = urlsplit(url)
    return f"{split.hostname or ''}{split.path}".rstrip("/")


def new_request(note: str) -> "TimeStampRequest":
    """A request over the note's bytes with a fresh nonce; its certificate is asked for."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256)
    return builder.cert_request(cert_request=True).nonce(nonce=True).build()


def check_answer(content: bytes, note: str, request: "TimeStampRequest") -> datetime:
    """When the note was stamped, of an answer to `request`. Raises `StampRefused`."""
    stamp = _decoded(content)
    if stamp.tst_info.nonce != request.nonce:
        raise StampRefused("the answer belongs to another request")
    return _stamped_at(stamp, note)


def check_stamp(content: bytes, note: str, roots: Sequence[x509.Certificate]) -> datetime:
    """When the note was stamped, verified up to one of `roots`; without roots, imprint only. Raises `StampRefused`."""
    from rfc3161_client import VerificationError, VerifierBuilder

    stamp = _decoded(content)
    if roots:
        builder = VerifierBuilder()
        for root in dict.fromkeys(roots):
            builder = builder.add_root_certificate(root)
        try:
            builder.build().verify_message(stamp, note.encode())
        except (VerificationError, ValueError) as error:
            raise StampRefused(f"the time stamp does not verify: {error}") from error
    return _stamped_at(stamp, note)


def _decoded(content: bytes) -> "TimeStampResponse":
    from rfc3161_client import decode_timestamp_response

    try:
        stamp = decode_timestamp_response(content)
        granted = stamp.status in (0, 1)
    except ValueError as error:
        raise StampRefused(f"this is no time stamp: {error}") from error
    if not granted:
        said = " ".join(stamp.status_string) or f"status {stamp.status}"
        raise StampRefused(f"the authority gave none: {said}")
    return stamp


def _stamped_at(stamp: "TimeStampResponse", note: str) -> datetime:
    if stamp.tst_info.message_imprint.message != sha256(note.encode()).digest():
        raise StampRefused("the time stamp is of other bytes")
    return stamp.tst_info.gen_time
