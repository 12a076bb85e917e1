"""Canonical JSON (RFC 8785 under the limits of docs/ledger-format.md): one byte form for each value."""

import json
from hashlib import sha256
from typing import Any

from app.verifier.errors import Broken

_LIMIT = 2**53
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_bytes(value: object) -> bytes:
    """The canonical UTF-8 bytes; the value must keep the limits."""
    return _ENCODER.encode(value).encode()


def act_digest(parts: list[Any]) -> str:
    """SHA-256 of the canonical bytes, hex: how the gate names an act."""
    return sha256(canonical_bytes(parts)).hexdigest()


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) > _LIMIT:
        raise Broken(f"an integer beyond 2^53: {text[:30]}")
    return number


def _refuse(text: str) -> None:
    raise Broken(f"not canonical: {text} is a fraction or no number")


_DECODER = json.JSONDecoder(parse_float=_refuse, parse_int=_whole, parse_constant=_refuse)


def parse(line: bytes) -> dict[str, Any]:
    """The object whose canonical bytes `line` are. Raises `Broken`."""
    try:
        value = _DECODER.decode(line.decode())
        again = canonical_bytes(value)
    except (ValueError, RecursionError) as error:
        raise Broken(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Broken("not a JSON object")
    if again != line:
        raise Broken("not canonical: the same value has other bytes")
    if not line.isascii() or b"\\u0000" in line:
        _check(value)
    return value


def _check(value: object) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise Broken("not canonical: a NUL in a string")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not key.isascii():
                raise Broken(f"not canonical: the key {key!r} is not ASCII")
            _check(item)
    elif isinstance(value, list):
        for item in value:
            _check(item)
