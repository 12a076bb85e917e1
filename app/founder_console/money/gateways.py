"""What payment providers send us, read strictly: whose signature holds, and what money moved. Pure.

Stripe signs `t.body` with HMAC-SHA256 (`Stripe-Signature`, tolerance five minutes). Xendit sends a token
(`x-callback-token`). Midtrans signs order, status and amount with SHA-512 (`signature_key`): nothing else of its body
is signed, so nothing else says which payment it is.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from app.canon.vocabulary import Money
from app.canon.written import minor_digits

Provider: TypeAlias = Literal["stripe", "xendit", "midtrans"]
Mode: TypeAlias = Literal["live", "test"]
PROVIDERS: tuple[Provider, ...] = ("stripe", "xendit", "midtrans")
MODES: tuple[Mode, ...] = ("live", "test")
TOLERANCE_SECONDS = 300
LARGEST = 10**15
JAKARTA = ZoneInfo("Asia/Jakarta")
# Stripe counts these in whole units, and BHD and its kin in thousandths; all others, rupiah too, in hundredths.
_STRIPE_WHOLE = re.compile("BIF|CLP|DJF|GNF|JPY|KMF|KRW|MGA|PYG|RWF|VND|VUV|XAF|XOF|XPF")
_STRIPE_THOUSANDTHS = re.compile("BHD|JOD|KWD|OMR|TND")


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved; negative when it went back. `key` names it at its provider for good: the same payment told
    again has the same. `undoes` is the key of a payment without which this one means nothing."""

    key: str
    amount: Money
    at: datetime | None
    reference: str
    description: str
    undoes: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """A delivery whose signature holds. `mode` is None where the provider does not say it."""

    kind: str
    payments: tuple[Payment, ...] = ()
    mode: Mode | None = None


class Refused(Exception):
    """Not from the provider, or not readable; the code is a key of the catalogues under `payments.why.`"""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_delivery(provider: Provider, secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    """What was delivered. `headers` have lower-case names. Raises `Refused`."""
    return READERS[provider](secret, headers, body, now)


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Refused("unreadable") from None
    if not isinstance(found, dict):
        raise Refused("unreadable")
    return found


def _part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _money(value: object, currency: object, places: int | None = None) -> Money:
    """`value` in major units, or in units of `places` decimals; what our minor units cannot hold is refused."""
    code = str(currency or "").upper()
    if not re.fullmatch("[A-Z]{3}", code) or isinstance(value, bool):
        raise Refused("amount")
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise Refused("amount") from None
    minor = amount.scaleb(int(minor_digits(code)) - (places or 0)) if amount.is_finite() else Decimal("0.5")
    if minor != minor.to_integral_value() or abs(minor) > LARGEST:
        raise Refused("amount")
    return Money(int(minor), code)


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _instant(value: object, zone: ZoneInfo | None = None) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value)) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone or UTC)


def _stripe(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    """https://docs.stripe.com/webhooks: the parts of the header are `t=` and any number of `v1=`."""
    pairs = [part.strip().partition("=") for part in headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, _, value in pairs if name == "t"), "")
    signatures = [value for name, _, value in pairs if name == "v1"]
    if not re.fullmatch("[0-9]{1,12}", stamp) or not signatures:
        raise Refused("unsigned")
    wanted = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(wanted.encode(), given.encode()) for given in signatures):
        raise Refused("signature")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise Refused("late")
    event = _document(body)
    mode: Mode = "live" if event.get("livemode") is True else "test"
    kind = _text(event.get("type"))
    subject = _part(_part(event, "data"), "object")
    minor = _stripe_amount(kind, subject, _part(_part(event, "data"), "previous_attributes"))
    if not minor:
        return Delivery(kind, mode=mode)
    places = _stripe_places(str(subject.get("currency") or "").upper())
    # A charge that was captured later tells of itself twice; what changes a charge is told once an event.
    paid = kind in ("charge.succeeded", "charge.captured")
    key = f"{_text(subject.get('id'))}:paid" if paid else _text(event.get("id"))
    metadata = _part(subject, "metadata")
    payment = Payment(
        key=key,
        amount=_money(minor, subject.get("currency"), places),
        at=_instant(event.get("created")),
        reference=" ".join(_text(value) for value in (metadata.get("ticket"), metadata.get("order_id")) if value),
        description=f"{kind} {_text(subject.get('id'))}",
    )
    return Delivery(kind, (payment,), mode)


def _stripe_places(currency: str) -> int:
    if _STRIPE_WHOLE.fullmatch(currency):
        return 0
    return 3 if _STRIPE_THOUSANDTHS.fullmatch(currency) else 2


def _stripe_amount(kind: str, subject: Mapping[str, Any], before: Mapping[str, Any]) -> int:
    """What moved, in Stripe's units. One family of events alone, so that a payment that has many is counted once."""
    match kind:
        case "charge.succeeded":
            return _units(subject.get("amount")) if subject.get("captured") is True else 0
        case "charge.captured":
            return _units(subject.get("amount_captured"))
        case "charge.refunded":
            return _units(before.get("amount_refunded")) - _units(subject.get("amount_refunded"))
        case "refund.failed" | "charge.dispute.funds_reinstated":
            return _units(subject.get("amount"))
        case "charge.dispute.funds_withdrawn":
            return -_units(subject.get("amount"))
        case _:
            return 0


def _units(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _xendit(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    """https://docs.xendit.co: the token proves the sender, not the body; amounts are in major units."""
    given = headers.get("x-callback-token", "")
    if not given:
        raise Refused("unsigned")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise Refused("signature")
    document = _document(body)
    event = _text(document.get("event"))
    return _xendit_event(event, document) if event else _xendit_invoice(document)


def _xendit_invoice(invoice: Mapping[str, Any]) -> Delivery:
    """An invoice callback. It and the payment's own event share the payment's id, so both may be turned on."""
    kind = f"invoice.{_text(invoice.get('status')).lower() or 'unknown'}"
    if kind not in ("invoice.paid", "invoice.settled"):
        return Delivery(kind)
    name = _text(invoice.get("payment_id")) or _text(invoice.get("id"))
    return Delivery(
        kind,
        (
            Payment(
                key=f"payment:{_named(name)}",
                amount=_money(invoice.get("paid_amount", invoice.get("amount")), invoice.get("currency") or "IDR"),
                at=_instant(invoice.get("paid_at")),
                reference=_text(invoice.get("external_id")),
                description=f"{kind} {_text(invoice.get('external_id'))}".strip(),
            ),
        ),
    )


def _xendit_event(kind: str, document: Mapping[str, Any]) -> Delivery:
    data = _part(document, "data")
    paid = kind in ("payment.succeeded", "payment.capture")
    if not (paid or kind == "refund.succeeded"):
        return Delivery(kind)
    name = _text(data.get("payment_id")) if paid else ""
    name = name or _text(data.get("id"))
    value = next((data[key] for key in ("amount", "request_amount") if key in data), None)
    money = _money(value, data.get("currency") or "IDR")
    payment = Payment(
        key=f"{'payment' if paid else 'refund'}:{_named(name)}",
        amount=money if paid else Money(-money.minor, money.currency),
        at=_instant(data.get("updated")) or _instant(document.get("created")),
        reference=_text(data.get("reference_id")),
        description=f"{kind} {_text(data.get('reference_id'))}".strip(),
    )
    return Delivery(kind, (payment,))


def _named(name: str) -> str:
    if not name:
        raise Refused("nameless")
    return name


def _midtrans(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    """https://docs.midtrans.com: `signature_key` is SHA-512 over order, status code, gross amount and server key."""
    document = _document(body)
    order, status, gross, given = (
        _text(document.get(name)) for name in ("order_id", "status_code", "gross_amount", "signature_key")
    )
    if not given:
        raise Refused("unsigned")
    wanted = hashlib.sha512(f"{order}{status}{gross}{secret}".encode()).hexdigest()
    if not hmac.compare_digest(wanted.encode(), given.lower().encode()):
        raise Refused("signature")
    what = _text(document.get("transaction_status"))
    return Delivery(f"transaction.{what or 'unknown'}", _midtrans_payments(document, what, status, _named(order)))


def _midtrans_payments(document: Mapping[str, Any], what: str, status: str, order: str) -> tuple[Payment, ...]:
    money = _money(document.get("gross_amount"), document.get("currency") or "IDR")
    paid, back = f"{order}:paid", Money(-money.minor, money.currency)
    at = _instant(document.get("settlement_time") or document.get("transaction_time"), JAKARTA)

    def moved(key: str, amount: Money, undoes: str | None = None) -> Payment:
        said = f"transaction.{what} {order}"
        return Payment(key=key, amount=amount, at=at, reference=order, description=said, undoes=undoes)

    accepted = document.get("fraud_status", "accept") == "accept"
    if what in ("settlement", "capture") and status == "200" and accepted:
        return (moved(paid, money),)
    if what in ("cancel", "deny", "expire", "chargeback"):
        return (moved(f"{order}:{'chargeback' if what == 'chargeback' else 'void'}", back, paid),)
    if what not in ("refund", "partial_refund"):
        return ()
    listed = document.get("refunds")
    refunds = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not refunds:
        return (moved(f"{order}:refund", back, paid),) if what == "refund" else ()
    found = []
    for one in refunds:
        part = _money(one.get("refund_amount"), money.currency)
        name = _text(one.get("refund_key")) or str(one.get("refund_chargeback_id") or "")
        found.append(moved(f"{order}:refund:{_named(name)}", Money(-part.minor, part.currency), paid))
    return tuple(found)


READERS: Mapping[Provider, Callable[[str, Mapping[str, str], bytes, datetime], Delivery]] = {
    "stripe": _stripe,
    "xendit": _xendit,
    "midtrans": _midtrans,
}
