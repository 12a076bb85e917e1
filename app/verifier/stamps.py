"""Time stamps (RFC 3161): an authority's word that a checkpoint existed at a time, up to a root of the auditor's."""

import hashlib
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID

from app.verifier import der
from app.verifier.der import Node, NotDer, read
from app.verifier.errors import Broken, KeyUnknown

LONGEST_CHAIN = 8
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_CERTIFICATE_V1, _CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_SIGNATURES: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    UnsupportedAlgorithm,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_RSA, _ED25519 = "1.2.840.113549.1.1.1", "1.3.101.112"


class _Signer(NamedTuple):
    """A SignerInfo (RFC 5652, 5.3)."""

    issuer: Node
    serial: int
    digest: hashes.HashAlgorithm
    attributes: Node
    algorithm: str
    signature: bytes


def read_roots(paths: Sequence[Path]) -> tuple[x509.Certificate, ...]:
    """The certificates of PEM files. Raises `KeyUnknown`."""
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            found += x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            raise KeyUnknown(f"{path} holds no PEM certificate of a time stamping authority") from error
    return tuple(found)


def check_stamp(content: bytes, note: str, roots: Sequence[x509.Certificate]) -> datetime:
    """When the authority stamped the note. Raises `Broken` unless its answer is sound and leads to one of `roots`."""
    try:
        return _check(content, note.encode(), roots)
    except InvalidSignature as error:
        raise Broken("the time stamp does not verify: its signature does not hold") from error
    except NotDer as error:
        raise Broken(f"the time stamp does not verify: {error}") from error
    except _UNREADABLE as error:
        raise Broken("the time stamp does not verify: it cannot be read") from error


def _check(content: bytes, stamped: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    status, *token = read(content).of(der.SEQUENCE).parts()
    if status.parts()[0].number() not in (0, 1):
        raise NotDer("the authority gave none")
    kind, explicit = token[0].of(der.SEQUENCE).parts()
    if kind.dotted() != _SIGNED_DATA:
        raise NotDer("it is not signed")
    _, _, encapsulated, *rest = read(explicit.of(0xA0).content).of(der.SEQUENCE).parts()
    kind, explicit = encapsulated.of(der.SEQUENCE).parts()
    if kind.dotted() != _TST_INFO:
        raise NotDer("something else was signed")
    info = read(explicit.of(0xA0).content).of(der.OCTETS).content
    at = _stamped_at(info, stamped)
    given = [part for node in rest if node.tag == 0xA0 for part in node.parts()]
    certificates = [_certificate(node.whole) for node in given if node.tag == der.SEQUENCE]
    (signer,) = rest[-1].of(der.SET).parts()
    certificate = _check_signer(_signer(signer), info, [*certificates, *roots])
    _check_purpose(certificate)
    _lead_to_root(certificate, certificates, roots, at)
    return at


def _certificate(encoded: bytes) -> x509.Certificate:
    """Raises `NotDer` for one that later versions of the library refuse, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        try:
            return x509.load_der_x509_certificate(encoded)
        except (CryptographyDeprecationWarning, x509.InvalidVersion) as error:
            raise NotDer("a certificate in it is not sound") from error


def _stamped_at(info: bytes, stamped: bytes) -> datetime:
    """`genTime` of a TSTInfo whose imprint is that of the bytes."""
    version, _, imprint, _, time, *_ = read(info).of(der.SEQUENCE).parts()
    algorithm, digest = imprint.of(der.SEQUENCE).parts()
    if version.number() != 1 or digest.of(der.OCTETS).content != _hashed(_hash_of(algorithm), stamped):
        raise NotDer("it is of other bytes")
    text = time.of(der.TIME).content.decode("ascii")
    if not text.endswith("Z") or not text[:14].isdigit():
        raise NotDer("its time is not in UTC")
    whole, _, fraction = text[:-1].partition(".")
    moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0)


def _signer(node: Node) -> _Signer:
    _, sid, digest, attributes, algorithm, signature, *_ = node.of(der.SEQUENCE).parts()
    issuer, serial = sid.of(der.SEQUENCE).parts()
    return _Signer(
        issuer,
        serial.number(),
        _hash_of(digest),
        attributes.of(0xA0),
        algorithm.parts()[0].dotted(),
        signature.of(der.OCTETS).content,
    )


def _check_signer(signer: _Signer, info: bytes, known: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate whose key signed, once what it signed is this time stamp. Raises `NotDer`, `InvalidSignature`."""
    said: dict[str, Node] = {}
    for attribute in signer.attributes.parts():
        name, values = attribute.of(der.SEQUENCE).parts()
        (said[name.dotted()],) = values.of(der.SET).parts()
    if said[_CONTENT_TYPE].dotted() != _TST_INFO or said[_DIGEST].content != _hashed(signer.digest, info):
        raise NotDer("its signature is over something else")
    for certificate in known:
        if (certificate.serial_number, certificate.issuer.public_bytes()) == (signer.serial, signer.issuer.whole):
            # What was signed is the SET itself, not the implicit tag under which it stands (RFC 5652, 5.4).
            _check_signature(certificate, signer, b"\x31" + signer.attributes.whole[1:])
            if not _named(certificate, said):
                raise NotDer("it names another certificate than the one that signed")
            return certificate
    raise NotDer("the certificate that signed it is missing")


def _named(certificate: x509.Certificate, said: dict[str, Node]) -> bool:
    """Whether the signed attributes name the certificate by its hash (RFC 5816, RFC 2634)."""
    encoded = certificate.public_bytes(Encoding.DER)
    if _CERTIFICATE_V2 in said:
        first, *more = said[_CERTIFICATE_V2].parts()[0].parts()[0].parts()
        if first.tag == der.OCTETS:
            return first.content == hashlib.sha256(encoded).digest()
        return more[0].of(der.OCTETS).content == _hashed(_hash_of(first), encoded)
    first = said[_CERTIFICATE_V1].parts()[0].parts()[0].parts()[0]
    return first.of(der.OCTETS).content == hashlib.sha1(encoded, usedforsecurity=False).digest()


def _check_signature(certificate: x509.Certificate, signer: _Signer, signed: bytes) -> None:
    key = certificate.public_key()
    algorithm = _SIGNATURES.get(signer.algorithm, signer.digest)
    if isinstance(key, ec.EllipticCurvePublicKey) and signer.algorithm in _SIGNATURES:
        key.verify(signer.signature, signed, ec.ECDSA(algorithm))
    elif isinstance(key, rsa.RSAPublicKey) and (signer.algorithm == _RSA or signer.algorithm in _SIGNATURES):
        key.verify(signer.signature, signed, padding.PKCS1v15(), algorithm)
    elif isinstance(key, Ed25519PublicKey) and signer.algorithm == _ED25519:
        key.verify(signer.signature, signed)
    else:
        raise NotDer(f"the signature's algorithm {signer.algorithm} is not read here: use `openssl ts -verify`")


def _check_purpose(certificate: x509.Certificate) -> None:
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise NotDer("its certificate is not for time stamps alone")


def _lead_to_root(
    leaf: x509.Certificate, given: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> None:
    """Raises `NotDer` unless certificates that were valid at that time lead from `leaf` to a root."""
    here = leaf
    for _ in range(LONGEST_CHAIN):
        if not here.not_valid_before_utc <= at <= here.not_valid_after_utc:
            raise NotDer(f"the certificate of {here.subject.rfc4514_string()} was not valid then")
        if here in roots:
            return
        above = [one for one in (*roots, *given) if _issued(one, here)]
        if not above:
            break
        here = above[0]
    raise NotDer("its certificates lead to none of the given roots")


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        return issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False


def _hash_of(algorithm: Node) -> hashes.HashAlgorithm:
    name = algorithm.of(der.SEQUENCE).parts()[0].dotted()
    if name not in _HASHES:
        raise NotDer(f"the hash {name} is not read here")
    return _HASHES[name]


def _hashed(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    return hashlib.new(algorithm.name, data).digest()
