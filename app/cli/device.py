"""The founder's device key: the CLI's own hand. It signs statements; it never leaves this machine."""

from pathlib import Path

import msgspec

from app import auth
from app.canon.approval import DeviceProof, Statement

PURPOSE = "device"


def device_key(keys: Path) -> auth.SigningKey:
    """The newest device key of this machine. Raises `auth.KeyMissing`."""
    found = auth.load_keys(keys, PURPOSE)
    if not found:
        raise auth.KeyMissing(f"no device key in {keys}: run `flr device add`")
    return found[0]


def sign_statement(keys: Path, statement: object) -> dict[str, object]:
    """The JSON proof over a statement as the server gave it: sign what will be decided, after showing it."""
    read = msgspec.convert(statement, Statement)
    key = device_key(keys)
    proof = DeviceProof(key.kid, read, auth.b64url(key.sign(read.challenge())))
    built: dict[str, object] = msgspec.to_builtins(proof)
    return built
