"""A time stamping authority that speaks RFC 3161: tokens made by hand in DER, signed with ECDSA, its own small CA."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from rfc3161_client._rust import parse_timestamp_request

from tests.outside_servers import Answer

REPLY = "application/timestamp-reply"


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytes((first * 40 + second,))
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return der(0x06, content)


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    return der(0x31, *sorted(parts))


SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"))
ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))
TST_INFO = oid("1.2.840.113549.1.9.16.1.4")
POLICY = oid("1.3.6.1.4.1.99999.1")


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: "x509.Certificate | None", signer: object
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is not None:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True).add_extension(
            x509.KeyUsage(True, True, False, False, False, False, False, False, False), critical=True
        )
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return builder.sign(signer, hashes.SHA256())


@dataclass
class LocalAuthority:
    """`ahead` shifts its clock; `status` other than 0 refuses."""

    ahead: timedelta = timedelta(0)
    status: int = 0
    wrong_nonce: bool = False
    asked: int = 0
    serials: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        root_key, self.key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = certificate("Test root", root_key, None, root_key)
        self.leaf = certificate("Test authority", self.key, self.root, root_key)

    @property
    def pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def answer(self, path: str, media_type: str, body: bytes) -> Answer:
        self.asked += 1
        if media_type != "application/timestamp-query":
            return 415, "text/plain", b""
        if self.status:
            return 200, REPLY, sequence(sequence(integer(self.status), sequence(der(0x0C, b"out of time"))))
        request = parse_timestamp_request(body)
        nonce = (request.nonce or 0) + self.wrong_nonce
        return 200, REPLY, self.stamp(request.message_imprint.message, nonce)

    def stamp(self, imprint: bytes, nonce: int) -> bytes:
        now = datetime.now(UTC) + self.ahead
        info = sequence(
            integer(1),
            POLICY,
            sequence(SHA256, der(0x04, imprint)),
            integer(next(self.serials)),
            der(0x18, now.strftime("%Y%m%d%H%M%SZ").encode()),
            integer(nonce),
        )
        return sequence(sequence(integer(0)), sequence(oid("1.2.840.113549.1.7.2"), der(0xA0, self._signed(info))))

    def _signed(self, info: bytes) -> bytes:
        leaf = self.leaf.public_bytes(Encoding.DER)
        attributes = (
            sequence(oid("1.2.840.113549.1.9.3"), set_of(TST_INFO)),
            sequence(oid("1.2.840.113549.1.9.4"), set_of(der(0x04, sha256(info).digest()))),
            sequence(
                oid("1.2.840.113549.1.9.16.2.47"),
                set_of(sequence(sequence(sequence(der(0x04, sha256(leaf).digest()))))),
            ),
        )
        signed = set_of(*attributes)
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        signer = sequence(
            integer(1),
            sequence(self.leaf.issuer.public_bytes(), integer(self.leaf.serial_number)),
            SHA256,
            b"\xa0" + signed[1:],
            ECDSA_SHA256,
            der(0x04, signature),
        )
        return sequence(
            integer(3),
            set_of(SHA256),
            sequence(TST_INFO, der(0xA0, der(0x04, info))),
            der(0xA0, leaf),
            set_of(signer),
        )
