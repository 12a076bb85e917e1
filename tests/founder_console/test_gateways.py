"""Payment providers are believed by their exact signatures, and their amounts are read to the last unit."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.vocabulary import Money
from app.founder_console.money.gateways import PROVIDERS, Delivery, Provider, Refused, read_delivery

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECRET = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"


def stripe(event: Any, *, secret: str = SECRET, ago: int = 0, also: str = "", v: str = "v1") -> Delivery:
    body = json.dumps(event).encode()
    stamp = int(NOW.timestamp()) - ago
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return read_delivery("stripe", SECRET, {"stripe-signature": f"t={stamp},{also}{v}={mac}"}, body, NOW)


def charge(**changes: Any) -> Any:
    subject = {"id": "ch_1", "object": "charge", "amount": 1999, "currency": "usd", "captured": True, **changes}
    return {"id": "evt_1", "type": "charge.succeeded", "livemode": True, "created": 1, "data": {"object": subject}}


def changed(kind: str, before: Any = None, **changes: Any) -> Any:
    event = charge(**changes)
    return {**event, "type": kind, "data": {**event["data"], "previous_attributes": before or {}}}


def midtrans(status: str = "settlement", code: str = "200", key: str = "SB-Mid-server-abc", **changes: Any) -> Delivery:
    body = {"order_id": "INV-7", "status_code": code, "gross_amount": "240000.00", "transaction_status": status}
    said = f"{body['order_id']}{code}{body['gross_amount']}{key}"
    body |= {"signature_key": hashlib.sha512(said.encode()).hexdigest(), "currency": "IDR", **changes}
    return read_delivery("midtrans", "SB-Mid-server-abc", {}, json.dumps(body).encode(), NOW)


def xendit(document: Any, token: str = "token-123") -> Delivery:
    headers = {"x-callback-token": token} if token else {}
    return read_delivery("xendit", "token-123", headers, json.dumps(document).encode(), NOW)


def why(call: Any) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.code


def test_stripes_own_scheme_is_checked_over_the_exact_bytes() -> None:
    [payment] = stripe(charge()).payments
    assert payment.amount == Money(1999, "USD")
    assert why(lambda: stripe(charge(), secret="whsec_other")) == "signature"
    assert why(lambda: stripe(charge(), v="v0")) == "unsigned"
    assert stripe(charge(), also="v1=00,").payments == (payment,)


@pytest.mark.parametrize(("ago", "code"), [(301, "late"), (-301, "late")])
def test_an_old_or_early_delivery_of_stripe_is_refused_even_when_signed(ago: int, code: str) -> None:
    assert why(lambda: stripe(charge(), ago=ago)) == code
    assert stripe(charge(), ago=300).payments


@pytest.mark.parametrize(
    ("currency", "amount", "money"),
    [
        ("jpy", 500, Money(500, "JPY")),
        ("idr", 24_000_000, Money(240_000, "IDR")),
        ("kwd", 1_250, Money(1_250, "KWD")),
        ("ugx", 500_00, Money(500, "UGX")),
        ("eur", 1, Money(1, "EUR")),
    ],
)
def test_each_currency_is_counted_as_stripe_counts_it(currency: str, amount: int, money: Money) -> None:
    [payment] = stripe(charge(currency=currency, amount=amount)).payments
    assert payment.amount == money


def test_a_part_of_a_rupiah_is_not_rounded_away() -> None:
    assert why(lambda: stripe(charge(currency="idr", amount=24_000_050))) == "amount"


def test_a_payment_that_stripe_tells_in_two_ways_has_one_key() -> None:
    later = stripe(changed("charge.captured", amount_captured=1999)).payments[0]
    assert later.key == stripe(charge()).payments[0].key
    assert stripe(charge(captured=False)).payments == ()
    assert stripe(changed("payment_intent.succeeded")).payments == ()


def test_refunds_and_disputes_take_money_back_by_what_changed() -> None:
    partly = changed("charge.refunded", {"amount_refunded": 500}, amount_refunded=1500)
    assert stripe(partly).payments[0].amount == Money(-1000, "USD")
    assert stripe(changed("charge.dispute.funds_withdrawn")).payments[0].amount == Money(-1999, "USD")
    assert stripe(changed("charge.dispute.funds_reinstated")).payments[0].amount == Money(1999, "USD")


def test_test_mode_is_named() -> None:
    assert stripe(charge()).mode == "live"
    assert stripe({**charge(), "livemode": False}).mode == "test"


def test_xendits_token_opens_and_nothing_else_does() -> None:
    paid = {"id": "inv_1", "external_id": "INV-7", "status": "PAID", "paid_amount": 50_000, "currency": "IDR"}
    assert xendit(paid).payments[0].amount == Money(50_000, "IDR")
    assert why(lambda: xendit(paid, token="token-124")) == "signature"
    assert why(lambda: xendit(paid, token="")) == "unsigned"
    assert xendit({**paid, "status": "EXPIRED"}).payments == ()


def test_an_invoice_and_its_payment_share_one_key() -> None:
    invoice = {"id": "inv_1", "payment_id": "py-9", "external_id": "INV-7", "status": "PAID", "amount": 10.5}
    event = {"event": "payment.capture", "created": "2026-11-22T06:00:00Z", "data": {"payment_id": "py-9"}}
    event["data"] |= {"request_amount": 10.5, "currency": "PHP"}  # type: ignore[operator]
    told = xendit({**invoice, "currency": "PHP"}).payments[0], xendit(event).payments[0]
    assert told[0].key == told[1].key
    assert told[0].amount == told[1].amount == Money(1050, "PHP")


def test_a_refund_of_xendit_is_negative() -> None:
    refund = {"event": "refund.succeeded", "data": {"id": "rfd-1", "amount": 20_000, "currency": "IDR"}}
    assert xendit(refund).payments[0].amount == Money(-20_000, "IDR")
    assert xendit({"event": "payment.failed", "data": {"id": "x"}}).payments == ()


def test_midtrans_is_believed_for_what_it_signs() -> None:
    [payment] = midtrans(settlement_time="2026-11-22 13:59:00").payments
    assert (payment.amount, payment.key) == (Money(240_000, "IDR"), "INV-7:paid")
    assert payment.at == datetime(2026, 11, 22, 6, 59, tzinfo=UTC)
    assert why(lambda: midtrans(key="another")) == "signature"
    assert why(lambda: midtrans(gross_amount="2400000.00")) == "signature"
    assert why(lambda: midtrans(signature_key="")) == "unsigned"


def test_a_captured_card_and_its_settlement_are_one_payment() -> None:
    captured = midtrans("capture", fraud_status="accept").payments[0]
    assert captured.key == midtrans("settlement").payments[0].key
    assert midtrans("capture", fraud_status="challenge").payments == ()
    assert midtrans("pending", "201").payments == ()


def test_each_refund_of_midtrans_goes_back_once() -> None:
    refunds = [{"refund_key": "r1", "refund_amount": "10000.00"}, {"refund_key": "r2", "refund_amount": "5000.00"}]
    found = midtrans("partial_refund", refunds=refunds).payments
    assert [one.amount.minor for one in found] == [-10_000, -5_000]
    assert len({one.key for one in found}) == 2
    assert {one.undoes for one in found} == {"INV-7:paid"}
    assert midtrans("expire", "202").payments[0].undoes == "INV-7:paid"


@given(provider=st.sampled_from(PROVIDERS), body=st.binary(max_size=300), said=st.text(max_size=60))
def test_nobody_without_the_secret_is_believed(provider: Provider, body: bytes, said: str) -> None:
    headers = {"stripe-signature": said, "x-callback-token": said}
    with pytest.raises(Refused):
        read_delivery(provider, SECRET, headers, body, NOW + timedelta(days=1))
