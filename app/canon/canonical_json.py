"""One byte form for each value that is hashed or signed: RFC 8785 under a restricted schema.

Allowed: objects with ASCII keys, arrays, strings, true, false, null, integers within 2**53. Floats are refused;
money and large ids are strings. Under these limits sorted, compact JSON equals RFC 8785.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from app.canon.errors import Invalid

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

_LIMIT = 2**53
MAX_DEPTH = 32
MAX_INTEGER_BITS = 512
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class NotCanonical(Invalid):
    """A value has no canonical byte form; the message names where."""

    code = "text.unkeepable"


def _fits(value: object) -> bool:
    """Whether `value` plainly has a canonical form; what it leaves open `_check` decides, and says where."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if isinstance(value, dict):
        return all(isinstance(key, str) and key.isascii() and _fits(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_fits, value))
    return value is None or (isinstance(value, int) and -_LIMIT <= value <= _LIMIT)


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
    if _UNSTORABLE.search(value):
        raise NotCanonical(f"{path}: {'NUL cannot be stored' if chr(0) in value else 'lone surrogate'}")


def canonical_bytes(value: object) -> bytes:
    """The canonical UTF-8 bytes of `value` (RFC 8785). Raises `NotCanonical`."""
    if not _fits(value):
        _check(value, "$")
    return _ENCODER.encode(value).encode()


def digest(value: object) -> str:
    """SHA-256 of the canonical bytes, lower-case hex."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def exact(value: object, depth: int = 0) -> object:
    """The same value in canonical form: what a model or a caller sent as JSON, made fit for a digest.

    Whole floats become integers, other floats their shortest decimal string, integers beyond 2**53 strings. Call it
    wherever a `Proposal` is built. Raises `NotCanonical` for what has no form: NaN, infinity, NUL, lone surrogates,
    keys that are not ASCII, more than 32 levels.
    """
    if depth > MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {_key(key): exact(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item, depth + 1) for item in value]
    if isinstance(value, float):
        return _exact_float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LIMIT:
        return _exact_integer(value)
    _check(value, "$")
    return value


def _key(key: object) -> str:
    if not isinstance(key, str) or not key.isascii() or "\x00" in key:
        raise NotCanonical(f"key {key!r} is not an ASCII string")
    return key


def _exact_integer(value: int) -> str:
    if value.bit_length() > MAX_INTEGER_BITS:
        raise NotCanonical(f"a whole number of {value.bit_length()} bits is too large")
    return str(value)


def _exact_float(value: float) -> int | str:
    if not math.isfinite(value):
        raise NotCanonical(f"{value} is not a number")
    if value.is_integer() and abs(value) <= _LIMIT:
        return int(value)
    return format(Decimal(repr(value)), "f")
