"""Public keys of passkeys: COSE_Key in CBOR (RFC 9052, RFC 8949), as far as WebAuthn uses them here."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ES256, EDDSA, RS256 = -7, -8, -257
_KIND, _ALGORITHM = 1, 3


class NoKey(ValueError):
    """The bytes are not a key of a kind that is accepted."""


def decode_key(data: bytes) -> dict[int, int | bytes]:
    """A map of integers to integers and byte strings. Raises `NoKey`."""
    try:
        count, at = _head(data, 0, 5)
        found: dict[int, int | bytes] = {}
        for _ in range(count):
            key, at = _item(data, at)
            value, at = _item(data, at)
            if not isinstance(key, int):
                raise NoKey("a COSE key is labelled by integers")
            found[key] = value
    except IndexError as error:
        raise NoKey("a COSE key ends too early") from error
    if at != len(data):
        raise NoKey("something follows the COSE key")
    return found


def _head(data: bytes, at: int, wanted: int | None = None) -> tuple[int, int]:
    major, short = data[at] >> 5, data[at] & 31
    if wanted is not None and major != wanted:
        raise NoKey("not a COSE key")
    if short < 24:
        return short, at + 1
    if short > 27:
        raise NoKey("not a COSE key")
    size = 1 << (short - 24)
    if at + 1 + size > len(data):
        raise IndexError
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _item(data: bytes, at: int) -> tuple[int | bytes, int]:
    major = data[at] >> 5
    value, after = _head(data, at)
    if major == 0:
        return value, after
    if major == 1:
        return -1 - value, after
    if major != 2 or after + value > len(data):
        raise NoKey("a COSE key holds integers and bytes")
    return data[after : after + value], after + value


def signed_by(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the passkey signed the message. Raises `NoKey`."""
    parts = decode_key(key)
    try:
        _check(parts, signature, message)
    except InvalidSignature:
        return False
    except (KeyError, TypeError, ValueError) as error:
        raise NoKey(f"a COSE key that cannot be used: {error}") from error
    return True


def _check(parts: dict[int, int | bytes], signature: bytes, message: bytes) -> None:
    algorithm = parts.get(_ALGORITHM)
    if (algorithm, parts.get(_KIND), parts.get(-1)) == (ES256, 2, 1):
        numbers = ec.EllipticCurvePublicNumbers(_number(parts[-2]), _number(parts[-3]), ec.SECP256R1())
        numbers.public_key().verify(signature, message, ec.ECDSA(hashes.SHA256()))
    elif (algorithm, parts.get(_KIND)) == (RS256, 3):
        public = rsa.RSAPublicNumbers(_number(parts[-2]), _number(parts[-1])).public_key()
        public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    elif (algorithm, parts.get(_KIND), parts.get(-1)) == (EDDSA, 1, 6):
        raw = parts[-2]
        if not isinstance(raw, bytes):
            raise TypeError("not bytes")
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    else:
        raise NoKey("a passkey of an algorithm that is not accepted here")


def _number(value: int | bytes) -> int:
    if not isinstance(value, bytes):
        raise TypeError("not bytes")
    return int.from_bytes(value, "big")
