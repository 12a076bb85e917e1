"""How messages reach a founder's phone: web push through the browser's own service."""

from importlib import import_module
from pathlib import Path
from typing import cast

from app.canon.push import PushSender

__all__ = ["load_push"]

WITHOUT_ADDRESS = "mailto:founder@example.com"


def load_push(key_file: Path, *, origin: str, mail_from: str) -> PushSender:
    """A sender that signs with the P-256 key in `key_file` (VAPID, RFC 8292). The caller closes it.

    The push service is told an address of ours: the console's own if it is https, else the mail address. Some services
    refuse an address at localhost.
    """
    local = mail_from.endswith("@localhost")
    contact = origin if origin.startswith("https://") else WITHOUT_ADDRESS if local else f"mailto:{mail_from}"
    return cast(PushSender, import_module("app.adapters.push.webpush").WebPush(key_file, contact))
