"""One byte form for each value that is hashed or signed: RFC 8785 under a restricted schema.

Allowed: objects with ASCII keys, arrays, strings, true, false, null, integers within 2**53. Floats are refused;
money and large ids are strings. Under these limits sorted, compact JSON equals RFC 8785.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from app.canon.errors import Invalid

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

_LIMIT = 2**53


class NotCanonical(Invalid):
    """A value has no canonical byte form; the message names where."""


def _check(value: object, path: str) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if abs(value) > _LIMIT:
            raise NotCanonical(f"{path}: {value} is beyond 2^53; write it as a string")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise NotCanonical(f"{path}: key {key!r} is not an ASCII string")
            _check(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]")
    else:
        raise NotCanonical(f"{path}: {type(value).__name__} has no canonical form")


def _check_text(value: str, path: str) -> None:
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise NotCanonical(f"{path}: lone surrogate")
    if "\x00" in value:
        raise NotCanonical(f"{path}: NUL cannot be stored")


def canonical_bytes(value: object) -> bytes:
    """The canonical UTF-8 bytes of `value` (RFC 8785). Raises `NotCanonical`."""
    _check(value, "$")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: object) -> str:
    """SHA-256 of the canonical bytes, lower-case hex."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()
