"""Posts to addresses that a founder named: which may be named at all, and how each is signed (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from datetime import datetime

from app.canon.addresses import link_of
from app.canon.destinations import host_allowed
from app.canon.errors import Invalid

MEDIA_TYPE = "application/json"
SECRET_BYTES = 32


class AddressRefused(Invalid):
    """Nothing is ever sent there; the message says why."""


def check_address(url: str, allow_private: Sequence[str]) -> None:
    """Whether anything may be posted there; what a name resolves to is checked at each delivery.

    `allow_private` lists `host` or `host:port` that may be reached over http and at a private address. Raises
    `AddressRefused`.
    """
    link = link_of(url)
    if link is None or link.scheme not in ("http", "https") or not url.isascii() or "#" in url or len(url) > 2000:
        said = f"{url!r}: write https://host/path in ASCII, without user name and fragment"
        raise AddressRefused(said, code="address.form")
    if host_allowed(link.host, link.port, allow_private):
        return
    if link.scheme == "http":
        said = "nothing is sent over plain http; FLR_HTTP_ALLOW_PRIVATE can list an address of your own"
        raise AddressRefused(said, code="address.plain")
    if _is_private(link.host):
        said = f"{link.host} is a private address; FLR_HTTP_ALLOW_PRIVATE can list it"
        raise AddressRefused(said, code="address.private", host=link.host)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return host == "localhost"


def secret_text(secret: bytes) -> str:
    """How a secret is written in Standard Webhooks."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def headers_of(secret: bytes, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a delivery: the signature is HMAC-SHA256 over `id.timestamp.body`."""
    stamp = str(int(at.timestamp()))
    signed = hmac.new(secret, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": MEDIA_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
