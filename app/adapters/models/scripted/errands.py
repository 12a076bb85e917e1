"""Small things that a ticket may ask for: revenue to record, a ticket to open, a page to read, a text to sum up."""

import re
from collections.abc import Collection
from decimal import Decimal

from app.adapters.models.scripted.amounts import Amount, amount_in, has_currency, minor_units
from app.adapters.models.scripted.conversation import File, Ticket
from app.adapters.models.scripted.language import LINK
from app.adapters.models.scripted.letters import parse
from app.adapters.models.scripted.plans import Call, GiveUp, Plan, must
from app.adapters.models.scripted.reports import Finding

_EARNED = re.compile(r"(?i)\b(?:revenue|income|pendapatan|omzet|pemasukan)\s+(?:from|dari)\s+(?P<source>[^.,;\n]+)")
_SOURCE = re.compile(r"(?i)\b(?:from|dari)\s+(?P<source>[^.,;\n]+?)(?=\s+(?:for|untuk|on|pada|as|sebagai)\b|[.,;\n]|$)")
_NEW_TICKET = re.compile(
    r"(?i)\b(?:open|create|raise|buka|buat)(?:kan)?\s+(?:an?|the|new|satu|sebuah|\s)*(?:ticket|tiket)(?:\s+baru)?"
    r"(?:\s+(?:for|to|untuk|kepada)\s+(?:the\s+)?(?P<role>[\w-]+(?: [\w-]+)?))?"
    r"\s*(?:[:,]|\bto\b|\bagar\b|\bsupaya\b)\s*(?P<task>[^\n]+)"
)
_SHOWN = 600


def record_revenue(ticket: Ticket, total: Decimal | None) -> Plan[str]:
    """Records the amount that the ticket names, else `total`, which a table gave."""
    amount = _amount(ticket, total)
    source = _EARNED.search(ticket.instructions) or _SOURCE.search(ticket.instructions)
    if amount is None:
        raise GiveUp(ticket.speak("The ticket names no amount.", "Tiket tidak menyebut jumlah."))
    arguments: dict[str, object] = {
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "source": source["source"].strip() if source else ticket.title,
        "description": ticket.title or ticket.instructions[:120],
    }
    yield from must(ticket, Call("record_revenue", arguments))
    shown = f"{amount.currency} {amount.minor:,}, {arguments['source']}"
    return ticket.speak(f"Revenue recorded: {shown}.", f"Pendapatan dicatat: {shown}.")


def _amount(ticket: Ticket, total: Decimal | None) -> Amount | None:
    for text in (ticket.instructions, ticket.title):
        if has_currency(text):
            return amount_in(text)
    if total is None:
        return amount_in(ticket.instructions)
    currency = ticket.fields.get("currency", "IDR")
    return Amount(minor_units(total, currency), currency)


def asks_for_a_ticket(ticket: Ticket) -> bool:
    return _NEW_TICKET.search(ticket.instructions) is not None


def open_ticket(ticket: Ticket) -> Plan[str]:
    match = _NEW_TICKET.search(ticket.instructions)
    if match is None:
        raise GiveUp(ticket.speak("I cannot tell which ticket to open.", "Tiket mana yang harus dibuka tidak jelas."))
    task = match["task"].strip()
    arguments: dict[str, object] = {"title": task.rstrip(".")[:80], "instructions": task}
    if match["role"]:
        arguments["role"] = match["role"].strip()
    yield from must(ticket, Call("open_ticket", arguments))
    return ticket.speak(f"Ticket opened: {arguments['title']}.", f"Tiket dibuka: {arguments['title']}.")


def read_pages(ticket: Ticket, tools: Collection[str]) -> Plan[list[Finding]]:
    """What stands behind each link in the instructions."""
    found = []
    for link in dict.fromkeys(LINK.findall(ticket.instructions)):
        url = link.rstrip(".,")
        reads = (
            Call("http_get", {"url": url})
            if "http_get" in tools
            else Call("http_request", {"method": "GET", "url": url})
        )
        content = yield from must(ticket, reads)
        found.append(Finding(f"{url}:\n\n{extract(content)}"))
    return found


def read_texts(ticket: Ticket, files: list[File]) -> Plan[list[Finding]]:
    """The beginning and the lines with figures of each text."""
    found = []
    for file in files:
        content = yield from must(ticket, Call("read_input", {"name": file.name}))
        mail = parse(content) if file.is_mail else None
        title, text = (f"{mail.subject} ({mail.name})", mail.text) if mail else (file.name, content)
        found.append(Finding(f"{title}:\n\n{extract(text)}"))
    return found


def extract(content: str) -> str:
    """The first lines, and later ones that hold figures: an extract, no understanding."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    kept = lines[:4] + [line for line in lines[4:] if re.search(r"\d", line)][:6]
    return "\n".join(kept)[:_SHOWN]
