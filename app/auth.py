"""Who calls: tokens (JWT, EdDSA), their keys, and the middleware that turns one into a `Principal`.

Keys are Ed25519, named by `kid` (first 16 hex digits of SHA-256 over the raw public key), one PEM file each in
`FLR_HOME/keys/<purpose>-<kid>.pem`, mode 0600. Purposes: `token`, `approval` and `receipt` (API), `seal` (sealer
only), `device` (the founder's CLI). The newest of a purpose signs; all of them verify. The public half of each lies in
`FLR_HOME/keys/public/<purpose>-<kid>.json` (JWK), so that a process that only verifies needs no private key.
"""

import base64
import hashlib
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app import clock
from app.canon.approval import ApprovalClaims, ProofRefused
from app.canon.errors import Fault, Forbidden, Unauthenticated
from app.canon.vocabulary import Principal, Rol, new_id

ISSUER = "flr"
APPROVAL_TYPE = "approval+jwt"


class KeyMissing(Fault):
    """A key that this process needs is not in FLR_HOME/keys; run `flr doctor`."""


class SigningKey:
    """One private key and its name."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private
        self.public = private.public_key()
        self.raw_public = raw_public(self.public)
        self.kid = key_id(self.raw_public)

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def raw_public(key: Ed25519PublicKey) -> bytes:
    """32 raw bytes of the public key (RFC 8032)."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(raw: bytes) -> str:
    """16 hex digits that name a public key."""
    return hashlib.sha256(raw).hexdigest()[:16]


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def create_key(folder: Path, purpose: str) -> SigningKey:
    """Make a key file, mode 0600, atomically; an older one of the purpose stays valid for verifying."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = SigningKey(Ed25519PrivateKey.generate())
    pem = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / f"{purpose}-{key.kid}.pem"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    _publish(folder / "public", purpose, key)
    return key


def _publish(folder: Path, purpose: str, key: SigningKey) -> None:
    folder.mkdir(exist_ok=True)
    jwk = public_jwk(key.kid, key.public, purpose)
    (folder / f"{purpose}-{key.kid}.json").write_bytes(msgspec.json.encode(jwk))


def public_jwk(kid: str, public: Ed25519PublicKey, purpose: str) -> dict[str, str]:
    """The JWK form of a public key (RFC 8037); `purpose` is ours."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "kid": kid,
        "use": "sig",
        "purpose": purpose,
        "x": b64url(raw_public(public)),
    }


def load_public_keys(folder: Path, purpose: str) -> dict[str, Ed25519PublicKey]:
    """Public keys of a purpose by `kid`, of every key that was ever made here."""
    jwks = (msgspec.json.decode(path.read_bytes()) for path in (folder / "public").glob(f"{purpose}-*.json"))
    return {jwk["kid"]: Ed25519PublicKey.from_public_bytes(unb64url(jwk["x"])) for jwk in jwks}


def load_keys(folder: Path, purpose: str) -> tuple[SigningKey, ...]:
    """All keys of a purpose, newest first. Empty when there is none."""
    paths = sorted(folder.glob(f"{purpose}-*.pem"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return tuple(_load(path) for path in paths)


def _load(path: Path) -> SigningKey:
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyMissing(f"{path} is not an Ed25519 key")
    return SigningKey(private)


def ensure_keys(folder: Path, *purposes: str) -> None:
    """Make the first key of each purpose that has none."""
    for purpose in purposes:
        if not load_keys(folder, purpose):
            create_key(folder, purpose)


class PublicKeys:
    """The public keys of one purpose: what a process needs that only verifies."""

    def __init__(self, by_kid: dict[str, Ed25519PublicKey], purpose: str) -> None:
        if not by_kid:
            raise KeyMissing(f"no {purpose} key: run `flr migrate` on the machine that holds FLR_HOME")
        self.purpose = purpose
        self.by_kid = by_kid

    @classmethod
    def load(cls, folder: Path, purpose: str) -> Self:
        return cls(load_public_keys(folder, purpose), purpose)

    def jwks(self) -> list[dict[str, str]]:
        """All keys in JWK form (RFC 8037)."""
        return [public_jwk(kid, public, self.purpose) for kid, public in self.by_kid.items()]

    def decode(self, token: str, typ: str) -> dict[str, Any]:
        """Claims of a token signed by one of these keys; expiry is the caller's question. Raises `jwt.PyJWTError`."""
        header = jwt.get_unverified_header(token)
        public = self.by_kid.get(str(header.get("kid")))
        if public is None or header.get("typ") != typ:
            raise jwt.InvalidTokenError("unknown key or type")
        options: Any = {"require": ["exp", "iat", "sub"], "verify_exp": False}
        return jwt.decode(token, public, algorithms=["EdDSA"], issuer=ISSUER, options=options)


class KeyRing(PublicKeys):
    """The keys of one purpose: the newest private one signs, all verify."""

    def __init__(self, by_kid: dict[str, Ed25519PublicKey], purpose: str, signing: SigningKey) -> None:
        super().__init__(by_kid | {signing.kid: signing.public}, purpose)
        self.signing = signing

    @classmethod
    def load(cls, folder: Path, purpose: str) -> Self:
        private = load_keys(folder, purpose)
        if not private:
            raise KeyMissing(f"no {purpose} key in {folder}: run `flr migrate` on the machine that holds FLR_HOME")
        return cls(load_public_keys(folder, purpose), purpose, private[0])

    def encode(self, claims: dict[str, Any], typ: str) -> str:
        return jwt.encode(
            claims,
            self.signing.private,
            algorithm="EdDSA",
            headers={"kid": self.signing.kid, "typ": typ},
        )


class Tokens:
    """Issues and verifies API tokens. Verification is cached; expiry and revocation are checked every time."""

    def __init__(self, ring: KeyRing, revoked: Callable[[str], bool] = lambda _: False) -> None:
        self.ring = ring
        self._revoked = revoked
        self._verify = lru_cache(maxsize=4096)(self._decode)

    def issue(self, *, sub: str, tid: UUID, rol: Rol, ttl_seconds: int) -> str:
        """A signed token for `sub` in tenant `tid`, valid for `ttl_seconds`."""
        iat = int(clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "sub": sub,
            "tid": str(tid),
            "rol": str(rol),
            "jti": str(new_id()),
            "iat": iat,
            "exp": iat + ttl_seconds,
        }
        return self.ring.encode(claims, "JWT")

    def read(self, token: str) -> Principal:
        """Whom a token of ours names, expired or revoked though it may be. Raises `Unauthenticated`."""
        return self._verify(token)

    def verify(self, token: str) -> Principal:
        """The caller. Raises `Unauthenticated`."""
        principal = self._verify(token)
        if principal.exp <= time.time():
            raise Unauthenticated("the token has expired: print a new one with `flr token`", code="token.expired")
        if self._revoked(principal.jti):
            raise Unauthenticated("the token was revoked", code="token.revoked")
        return principal

    def _decode(self, token: str) -> Principal:
        try:
            claims = self.ring.decode(token, "JWT")
            return msgspec.convert(claims, Principal)
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise Unauthenticated(f"the token is not valid: {error}", code="token.invalid") from error


class ApprovalTokenReader:
    """Reads approval JWTs (`canon.approval`) with public keys alone."""

    def __init__(self, keys: PublicKeys) -> None:
        self.keys = keys

    def read(self, token: str) -> ApprovalClaims:
        """Signature and shape only: whether it is still usable is the caller's question. Raises `ProofRefused`."""
        try:
            claims = self.keys.decode(token, APPROVAL_TYPE)
            return msgspec.convert(claims, ApprovalClaims)
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise ProofRefused(f"approval signature does not hold: {error}") from error


class ApprovalTokens(ApprovalTokenReader):
    """Signs approval JWTs too; lives in the API process only."""

    def __init__(self, ring: KeyRing) -> None:
        super().__init__(ring)
        self.ring = ring

    def sign(self, claims: ApprovalClaims) -> str:
        return self.ring.encode(msgspec.to_builtins(claims), APPROVAL_TYPE)


def require(principal: Principal, *roles: Rol) -> None:
    """Raises `Forbidden` unless the caller has one of `roles`."""
    if principal.rol not in roles:
        said = f"this needs a token of role {' or '.join(roles)}; yours is {principal.rol}"
        raise Forbidden(
            said,
            code="access.founder" if roles == (Rol.FOUNDER,) else "access.other",
            wanted=[str(rol) for rol in roles],
            rol=str(principal.rol),
        )
