"""A mail in the ticket's files, answered: with prices from a list where the mail asks for them."""

import re
from collections.abc import Sequence
from decimal import Decimal
from email.utils import parseaddr

import msgspec

from app.adapters.models.scripted.amounts import decimal_of, readable
from app.adapters.models.scripted.answers import described, rows
from app.adapters.models.scripted.conversation import File, Ticket
from app.adapters.models.scripted.language import addresses, is_indonesian, mentions, words_of
from app.adapters.models.scripted.plans import Call, Plan, must
from app.adapters.models.scripted.price_lists import item_column, price_columns
from app.adapters.models.scripted.reports import signature
from app.adapters.models.scripted.statements import number_sql

_HEADER = re.compile(r"(?m)^(From|Reply-To|Subject|To|Date):[ \t]*(.*)$")
_TOLD = re.compile(
    r"(?i)(?:\b(?:saying|that says?|say|tell (?:him|her|them)|sampaikan|katakan|beri ?tahu(?:kan)?)"
    r"(?: that| bahwa|:)?\s+|\b(?:reply|answer|respond|balas|jawab)[^:.\n]*(?:\.[\w]+[^:.\n]*)*:\s*)(?P<words>[^.\n]+)"
)


class Mail(msgspec.Struct, frozen=True):
    sender: str
    name: str
    subject: str
    text: str

    def speak(self, english: str, indonesian: str) -> str:
        """The wording in the language of the mail, not of the ticket."""
        return indonesian if is_indonesian(f"{self.subject} {self.text}") else english


class Offer(msgspec.Struct, frozen=True):
    item: str
    price: Decimal
    quantity: int | None

    @property
    def total(self) -> Decimal:
        return self.price * (self.quantity or 1)


def parse(content: str) -> Mail:
    """A mail as `read_input` shows it: headers, an empty line, the text."""
    head, _, text = content.lstrip().replace("\r\n", "\n").partition("\n\n")
    headers = {name.lower(): value.strip() for name, value in _HEADER.findall(head)}
    name, sender = parseaddr(headers.get("reply-to") or headers.get("from", ""))
    found = addresses(content)
    return Mail(
        sender=sender or (found[0] if found else ""),
        name=parseaddr(headers.get("from", ""))[0] or name or sender.split("@")[0],
        subject=headers.get("subject", ""),
        text=text.strip() if headers else content.strip(),
    )


def answer_mail(ticket: Ticket, file: File, price_list: File | None) -> Plan[str]:
    """Writes the answer, and sends it unless only a draft is asked for; returns what was done."""
    mail = parse((yield from must(ticket, Call("read_input", {"name": file.name}))))
    offers: list[Offer] = []
    if price_list is not None:
        offers = yield from _offers(ticket, mail, price_list)
    subject = mail.subject if mail.subject.lower().startswith("re:") else f"Re: {mail.subject}".strip()
    body = reply(ticket, mail, offers)
    if is_draft(ticket):
        name = "draft-reply.md"
        content = f"To: {mail.sender}\nSubject: {subject}\n\n{body}\n"
        draft = {"name": name, "media_type": "text/markdown", "content": content}
        yield from must(ticket, Call("write_document", dict(draft)))
        return ticket.speak(
            f"Draft of a reply to {mail.name} written: {name}.", f"Konsep balasan untuk {mail.name}: {name}."
        )
    to = (addresses(ticket.text) or [mail.sender])[0]
    yield from must(ticket, Call("send_email", {"to": [to], "subject": subject, "body": body}))
    return ticket.speak(f"Replied to {mail.name} <{to}>.", f"Sudah dibalas ke {mail.name} <{to}>.")


def is_draft(ticket: Ticket) -> bool:
    return mentions(ticket.text, "draft draf konsep rancang")


def reply(ticket: Ticket, mail: Mail, offers: Sequence[Offer]) -> str:
    parts = [mail.speak(f"Dear {mail.name},", f"Yth. {mail.name},")]
    parts.append(
        mail.speak(
            f"Thank you for your mail about “{mail.subject}”.",
            f"Terima kasih atas email Anda tentang “{mail.subject}”.",
        )
    )
    told = _TOLD.search(ticket.instructions)
    if told:
        parts.append(
            " ".join(
                _sentence(mail, part) for part in re.split(r"\s*(?:,|;|\bdan\b|\band\b)\s*", told["words"]) if part
            )
        )
    if offers:
        parts.append(_price_lines(mail, offers))
    if not told and not offers:
        parts.append(_acknowledged(mail))
    return "\n\n".join([*parts, signature(ticket)])


def _sentence(mail: Mail, told: str) -> str:
    """What the founder wants said, as one says it to a customer."""
    apology = re.match(r"(?i)(?:apologi[sz]e|say sorry|minta maaf|mohon maaf)(?P<rest>.*)", told)
    if apology:
        sorry = mail.speak("We are sorry", "Kami mohon maaf")
        return f"{sorry}{apology['rest'] or mail.speak(' for the trouble', ' atas ketidaknyamanan ini')}."
    offer = re.match(r"(?i)(?:offer(?: to)?|tawarkan)\s+(?P<rest>.+)", told)
    if offer:
        return f"{mail.speak('We offer to', 'Kami tawarkan untuk')} {offer['rest']}."
    return f"{told[:1].upper()}{told[1:]}."


def _offers(ticket: Ticket, mail: Mail, price_list: File) -> Plan[list[Offer]]:
    table = described((yield from must(ticket, Call("describe_table", {"name": price_list.name}))), price_list.name)
    item, prices = item_column(table), price_columns(table)
    if item is None or not prices:
        return []
    sql = f"SELECT {item.quoted} AS item, {number_sql(prices[0])} AS price FROM {table.quoted} ORDER BY 1 LIMIT 500"
    listed = rows((yield from must(ticket, Call("query_table", {"sql": sql}))))
    return [
        Offer(row[0], decimal_of(row[1]), _quantity(mail.text, row[0]))
        for row in listed.rows
        if _asked(mail.text, row[0])
    ]


def _asked(text: str, item: str) -> bool:
    wanted = [word for word in words_of(item) if len(word) > 2]
    said = set(words_of(text))
    return bool(wanted) and sum(word in said for word in wanted) * 2 > len(wanted)


def _quantity(text: str, item: str) -> int | None:
    first = next((word for word in words_of(item) if len(word) > 2), "")
    found = re.search(
        rf"(?i)\b(\d{{1,5}})\s*(?:x|pcs|buah|unit|kg|sak|karton|box|boxes|pak|lusin|bags?|of)?\s*(?:of\s+)?{first}",
        text,
    )
    return int(found.group(1)) if found else None


def _price_lines(mail: Mail, offers: Sequence[Offer]) -> str:
    lines = [_price_line(offer) for offer in offers]
    if any(offer.quantity for offer in offers):
        lines.append(f"Total: {readable(sum((offer.total for offer in offers), Decimal(0)))}")
    return mail.speak("Our prices:", "Harga kami:") + "\n" + "\n".join(lines)


def _price_line(offer: Offer) -> str:
    if offer.quantity is None:
        return f"- {offer.item}: {readable(offer.price)}"
    return f"- {offer.item}: {offer.quantity} × {readable(offer.price)} = {readable(offer.total)}"


def _acknowledged(mail: Mail) -> str:
    asked = [line.strip() for line in re.findall(r"[^.?!\n]+\?", mail.text)]
    if not asked:
        return mail.speak(
            "We have received it and will take care of it.", "Sudah kami terima dan akan kami tindak lanjuti."
        )
    listed = "\n".join(f"- {question}" for question in asked)
    return mail.speak("We will come back to you on:", "Kami akan segera menjawab:") + f"\n{listed}"
