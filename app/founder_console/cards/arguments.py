"""What a call is made with, and what was changed in it, as rows that a founder reads: names that people have for it,
amounts as money. Nothing is left out."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from app.canon.amounts import Language, money_phrase
from app.canon.argument_names import argument_label
from app.canon.canonical_json import Json, canonical_bytes
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money

CODE = re.compile("[A-Z]{3}")


def argument_rows(
    payload: Mapping[str, object], tool: ToolSpec | None, language: Language
) -> tuple[tuple[str, str], ...]:
    """Name and value of each argument, in the order of the tool's schema; then what else a card was made with."""
    given = _object(payload.get("arguments"))
    known = [name for name in _order(tool) if name in given]
    names = [*known, *(name for name in given if name not in known)]
    currency = currency_of(tool, given)
    pairs = [(argument_label(name, language), _amount(name, given[name], tool, currency, language)) for name in names]
    label = argument_label("instructions", language)
    extra = [(label, payload["instructions"])] if payload.get("instructions") else []
    fields: Any = payload.get("fields") or ()
    return tuple(
        (str(name), written(value)) for name, value in (*pairs, *extra, *fields) if value not in (None, "", [])
    )


def edited_rows(
    payload: Mapping[str, object], tool: ToolSpec | None, language: Language
) -> tuple[tuple[str, str, str], ...]:
    """Name, before and after of each argument that a founder changed; empty for absent."""
    changes: Any = payload.get("change") or ()
    asked, now = _object(payload.get("asked")), _object(payload.get("arguments"))
    codes = currency_of(tool, asked), currency_of(tool, now)
    return tuple(_edited(one, tool, codes, language) for one in changes if isinstance(one, dict))


def _edited(
    one: Mapping[str, object], tool: ToolSpec | None, codes: tuple[str, str], language: Language
) -> tuple[str, str, str]:
    name = str(one.get("field", ""))
    before, after = (
        written(_amount(name, one.get(which), tool, code, language))
        for which, code in zip(("before", "after"), codes, strict=True)
    )
    return argument_label(name, language), before, after


def currency_of(tool: ToolSpec | None, arguments: Mapping[str, object]) -> str:
    """The currency in which a call names its amount; empty where that is not plain."""
    if tool is None or tool.currency is None:
        return ""
    code = str(arguments.get(tool.currency) or "").strip().upper()
    return code if CODE.fullmatch(code) else ""


def _amount(name: str, value: object, tool: ToolSpec | None, currency: str, language: Language) -> object:
    if tool is None or name != tool.money or not currency or type(value) is not int:
        return value
    return money_phrase(Money(value, currency), language)


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _order(tool: ToolSpec | None) -> tuple[str, ...]:
    """The arguments as the tool's schema names them."""
    properties = None if tool is None else tool.parameters.get("properties")
    return tuple(map(str, properties)) if isinstance(properties, Mapping) else ()


def written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        return ", ".join(str(item) for item in value)
    compact: Json = msgspec.to_builtins(value)
    return canonical_bytes(compact).decode()
