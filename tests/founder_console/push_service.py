"""A push service on loopback that checks the sender's signature and decrypts, as a browser's own would (RFC 8291).

A `mute` one takes the first message and answers nothing.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from app.auth import b64url, unb64url

STATUS = {
    "ok": 201,
    "gone": 410,
    "unknown": 404,
    "large": 413,
    "narrow": 413,
    "busy": 429,
    "closed": 503,
    "refused": 403,
    "moved": 307,
    "down": 503,
    "mute": 201,
}
NARROW_BYTES = 900


class PushService:
    """`received` holds headers, VAPID claims and plain text of each message. `address` is `127.0.0.1:PORT`."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.secret = b"sixteen bytes ok"
        self.received: list[dict[str, Any]] = []
        self.address = ""

    @property
    def p256dh(self) -> str:
        point = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return b64url(point)

    @property
    def auth(self) -> str:
        return b64url(self.secret)

    def endpoint(self, answer: str = "ok") -> str:
        return f"http://{self.address}/push/{answer}"

    def take(self, answer: str, headers: dict[str, str], body: bytes) -> None:
        content = http_ece.decrypt(body, private_key=self.private, auth_secret=self.secret, version="aes128gcm")
        self.received.append(
            {
                "answer": answer,
                "headers": headers,
                "claims": _claims(headers["authorization"]),
                "json": json.loads(content),
                "at": time.time(),
            }
        )


def _claims(authorization: str) -> Any:
    """The VAPID claims, their signature checked (RFC 8292)."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    head, payload, signature = parts["t"].split(".")
    raw = unb64url(signature)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64url(parts["k"]))
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(der, f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@contextmanager
def push_service() -> Iterator[PushService]:
    service = PushService()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = self.path.rsplit("/", 1)[1]
            service.take(answer, {name.lower(): value for name, value in self.headers.items()}, body)
            if answer == "mute" and len(service.received) == 1:
                self.rfile.read(1)  # nothing is answered before the caller is gone
                return
            fits = answer == "narrow" and len(body) <= NARROW_BYTES
            self.send_response(201 if fits else STATUS[answer])
            if answer == "busy":
                self.send_header("retry-after", "7")
            if answer == "closed":
                self.send_header("retry-after", formatdate(time.time() + 60, usegmt=True))
            self.send_header("location", f"http://{service.address}/push/ok")
            self.send_header("content-length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
