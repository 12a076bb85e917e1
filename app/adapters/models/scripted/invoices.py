"""An invoice in the ticket's files, proposed for payment exactly as it says."""

import re
from collections.abc import Mapping

import msgspec

from app.adapters.models.scripted.amounts import Amount, amount_in, has_currency
from app.adapters.models.scripted.conversation import File, Ticket
from app.adapters.models.scripted.language import concept
from app.adapters.models.scripted.letters import parse
from app.adapters.models.scripted.plans import Call, GiveUp, Plan, must

_TOTALS = (
    r"grand total|total (?:amount )?due|amount due|balance due|total tagihan|jumlah tagihan|nilai tagihan",
    r"total (?:yang )?(?:harus )?(?:di)?bayar",
    r"total|jumlah|tagihan|nominal|sebesar|amount",
)
_ACCOUNT = re.compile(
    r"(?i:no\.?\s*rek(?:ening)?|nomor rekening|rekening|rek\.|account(?: no\.?| number)?|iban|a/c)\s*[:#.]?\s*"
    r"(?P<account>(?:[A-Z][A-Za-z]*\s+){0,3}[A-Z]{0,4}\d[\dA-Z]*(?:[ -]\d[\dA-Z]*)*)"
)
_PAYEE = re.compile(
    r"(?im)(?:\ba\.?/?n\.?|atas nama|payee|beneficiary|penerima|account name|pay to|in favou?r of)"
    r"\s*[:.]?\s*(?P<payee>[^\n,;()]+)"
)
_SELLER = re.compile(r"(?im)^(?:from|dari|seller|vendor|supplier|pemasok|penjual)\s*:\s*(?P<payee>[^\n<(]+)")
_REFERENCE = re.compile(
    r"(?i)(?:invoice|faktur|tagihan|inv)\s*(?:no\.?|number|nomor|#)?\s*[:#.]?\s*(?P<reference>[A-Z]*[/-]?[A-Z0-9]*\d[\w/-]*)"
)
_FIELDS = {
    "payee": "payee penerima beneficiary",
    "account": "account rekening iban",
    "reference": "reference referensi invoice",
}


class Invoice(msgspec.Struct, frozen=True):
    amount: Amount
    payee: str
    account: str
    reference: str


def pay(ticket: Ticket, files: list[File]) -> Plan[str]:
    """Orders the payment that the first readable file asks for; returns what was done."""
    texts = [ticket.text]
    for file in files[:3]:
        content = yield from must(ticket, Call("read_input", {"name": file.name}))
        texts.insert(0, _body(file, content))
    invoice = find(ticket, "\n".join(texts))
    yield from must(
        ticket,
        Call(
            "order_payment",
            {
                "amount_minor": invoice.amount.minor,
                "currency": invoice.amount.currency,
                "payee": invoice.payee,
                "account": invoice.account,
                "reference": invoice.reference,
            },
        ),
    )
    what = (
        f"{invoice.amount.currency} {invoice.amount.minor:,} → {invoice.payee}, {invoice.account} ({invoice.reference})"
    )
    return ticket.speak(f"Payment ordered: {what}.", f"Pembayaran dipesan: {what}.")


def find(ticket: Ticket, text: str) -> Invoice:
    """Amount, payee, account and reference; the ticket's fields go before what the file says."""
    given = _given(ticket.fields)
    amount = amount_in(given["amount"]) if "amount" in given else _amount(text)
    payee = given.get("payee") or _first(_PAYEE, text, "payee") or _first(_SELLER, text, "payee")
    account = given.get("account") or _first(_ACCOUNT, text, "account")
    reference = given.get("reference") or _first(_REFERENCE, text, "reference") or ticket.title
    if amount is None or not payee or not account:
        raise GiveUp(
            ticket.speak(
                "I cannot find amount, payee and account in the invoice.",
                "Jumlah, penerima, atau rekening tidak ditemukan dalam tagihan.",
            )
        )
    return Invoice(amount, payee, account, reference)


def _body(file: File, content: str) -> str:
    if not file.is_mail:
        return content
    mail = parse(content)
    return f"{mail.subject}\n{mail.text}"


def _given(fields: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in fields.items():
        key = name.lower()
        wanted = next((field for field, words in _FIELDS.items() if key in words.split()), None)
        wanted = "amount" if concept(key) == "amount" else wanted
        if wanted:
            found[wanted] = value
    return found


def _amount(text: str) -> Amount | None:
    """The last amount on a line that names a total; one written with its currency goes before a bare number."""
    for labels in _TOTALS:
        lines = [match.group() for match in re.finditer(rf"(?i)\b(?:{labels})\b[^\d\n]{{0,30}}[^\n]*", text)]
        for line in [*reversed([line for line in lines if has_currency(line)]), *reversed(lines)]:
            amount = amount_in(line)
            if amount is not None and amount.minor > 0:
                return amount
    return None


def _first(pattern: re.Pattern[str], text: str, group: str) -> str:
    match = pattern.search(text)
    return " ".join(match[group].split()).strip(" .-") if match else ""
