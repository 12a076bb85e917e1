"""The arguments of a call as fields of a form, typed by the tool's schema, and back. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from app.canon.amounts import Language
from app.canon.argument_names import argument_label
from app.canon.digits import whole_number
from app.canon.errors import Invalid
from app.canon.tool import Arguments, ToolSpec
from app.canon.vocabulary import Money
from app.founder_console.amounts import amount_of, amount_text
from app.founder_console.cards.arguments import CODE, currency_of

Kind: TypeAlias = Literal["line", "text", "number", "money", "choice", "yes_no", "lines", "json"]

LONG = 80
PREFIX = "a."
HINTS: Mapping[str, str] = {
    "currency": "Kode mata uang, misalnya IDR",
    "payee": "Nama yang dibayar",
    "account": "Nomor rekening atau IBAN yang dibayar",
    "reference": "Nomor faktur atau keperluan",
}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One argument. `lines` is a list of texts, one a line; `money` an amount in the call's currency; `json` whatever
    has no simpler form."""

    name: str
    label: str
    kind: Kind
    value: str
    options: tuple[str, ...] = ()
    required: bool = False
    hint: str = ""


def fields_of(tool: ToolSpec, arguments: Arguments, language: Language) -> tuple[Field, ...]:
    """A field for each argument that the tool knows, filled with the call's values."""
    properties = _properties(tool)
    names = [*properties, *(name for name in arguments if name not in properties)]
    required = _names(tool.parameters.get("required"))
    currency = currency_of(tool, arguments)
    return tuple(
        _money_field(name, Money(amount, currency), language)
        if name == tool.money and currency and type(amount := arguments.get(name)) is int
        else _field(name, properties.get(name, {}), arguments.get(name), language, required=name in required)
        for name in names
    )


def _money_field(name: str, amount: Money, language: Language) -> Field:
    label, value = argument_label(name, language), amount_text(amount, language)
    return Field(name=PREFIX + name, label=label, kind="money", value=value, required=True)


def _properties(tool: ToolSpec) -> Mapping[str, Any]:
    properties = tool.parameters.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _names(value: object) -> Sequence[str]:
    return [str(name) for name in value] if isinstance(value, list | tuple) else ()


def _field(name: str, schema: Mapping[str, Any], value: object, language: Language, *, required: bool) -> Field:
    kind = _kind(schema, value)
    return Field(
        name=PREFIX + name,
        label=argument_label(name, language),
        kind=kind,
        value=_written(kind, value),
        options=tuple(str(option) for option in schema.get("enum", ())),
        required=required and kind != "yes_no",
        hint=_hint(name, schema, language),
    )


def _hint(name: str, schema: Mapping[str, Any], language: str) -> str:
    """What a tool says of an argument is English; in another language only what we ourselves have words for."""
    return str(schema.get("description", "")) if language == "en" else HINTS.get(name, "")


def _kind(schema: Mapping[str, Any], value: object) -> Kind:
    items = schema.get("items")
    match schema.get("type"):
        case _ if schema.get("enum"):
            return "choice"
        case "string":
            long = isinstance(value, str) and (len(value) > LONG or "\n" in value)
            return "text" if long or schema.get("maxLength", 0) > 200 else "line"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "yes_no"
        case "array" if isinstance(items, Mapping) and items.get("type") == "string":
            return "lines"
        case _:
            return "json"


def _written(kind: Kind, value: object) -> str:
    if value is None:
        return ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(str(item) for item in value)
    if kind == "yes_no":
        return "yes" if value is True else ""
    return value if isinstance(value, str) and kind != "json" else json.dumps(value, ensure_ascii=False)


def typed(tool: ToolSpec, form: Mapping[str, Any], before: Arguments) -> Arguments:
    """The arguments as typed. An optional field that is left empty is no argument; a number that is none is left as
    text, which the gate refuses with the reason. Raises `Invalid` for JSON that cannot be read."""
    found: dict[str, object] = {}
    for field in fields_of(tool, before, "en"):
        name, text = field.name.removeprefix(PREFIX), str(form.get(field.name) or "").replace("\r\n", "\n")
        if field.kind == "yes_no":
            if text or name in before:
                found[name] = bool(text)
        elif text.strip() or field.required:
            found[name] = _value(field.kind, text, name, before.get(name))
        if field.kind == "money":
            found[name] = _amount(text, str(form.get(f"{PREFIX}{tool.currency}") or ""))
    return found


def _amount(text: str, currency: str) -> object:
    """In minor units of the currency that was typed beside it; what cannot be read stays as it was typed."""
    code = currency.strip().upper()
    minor = amount_of(text, code) if CODE.fullmatch(code) else None
    return text if minor is None else minor


def _value(kind: Kind, text: str, name: str, before: object) -> object:
    match kind:
        case "number":
            whole = whole_number(text.strip())
            return text.strip() if whole is None or isinstance(before, str) else whole
        case "lines":
            return [line.strip() for line in text.split("\n") if line.strip()]
        case "json":
            try:
                return json.loads(text)
            except ValueError as error:
                raise Invalid(f"{name}: no valid JSON ({error})", code="call.json", name=name) from error
        case "choice":
            chosen = whole_number(text)
            return text if not isinstance(before, int) or chosen is None else chosen
        case _:
            return text


def again(fields: Sequence[Field], form: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields as they were typed, to be shown again."""
    return tuple(msgspec.structs.replace(field, value=str(form.get(field.name) or "")) for field in fields)
