"""A whole ticket: what its words ask for, done one thing after the other, then reported."""

import re

from app.adapters.models.scripted.amounts import decimal_of, readable
from app.adapters.models.scripted.answers import Rows, described, rows
from app.adapters.models.scripted.conversation import Conversation, File, Ticket, as_json
from app.adapters.models.scripted.errands import asks_for_a_ticket, open_ticket, read_pages, read_texts, record_revenue
from app.adapters.models.scripted.invoices import pay
from app.adapters.models.scripted.language import LINK, addresses, mentions
from app.adapters.models.scripted.letters import answer_mail
from app.adapters.models.scripted.plans import Call, GiveUp, Plan, Say, must
from app.adapters.models.scripted.price_lists import compare_prices
from app.adapters.models.scripted.questions import Question, understand
from app.adapters.models.scripted.reports import Finding, document, file_name, letter
from app.adapters.models.scripted.statements import sort_statement

REPLY = "reply repl respond answer balas jawab"
PAY = "pay settle bayar lunasi transfer"
SORT = "categor kategori golong klasifik classif"
COMPARE = "compar banding cheapest termurah"
REVENUE = "revenue income pendapatan omzet pemasukan"
RECORD = "record book catat bukukan"
MAIL = "mail email send kirim e"
REPORT = "report laporan document dokumen"
WRITE = "write tulis summar rangkum ringkas"
NOTE = "note notes catatan"


def carry_out(conversation: Conversation) -> Plan[Say]:
    """Everything the ticket asks for. What was done before something failed is told with the failure."""
    ticket = conversation.ticket
    told: list[str] = []
    try:
        files = yield from _files(conversation)
        findings = yield from _find_out(conversation, files)
        told += [finding.sentence for finding in findings]
        yield from _act(ticket, files, findings, told)
        yield from _deliver(conversation, findings, told)
    except GiveUp as reason:
        return Say(" ".join([*told, str(reason)]), success=False)
    if not told:
        return Say(_at_a_loss(ticket), success=False)
    return Say(" ".join(told))


def _files(conversation: Conversation) -> Plan[list[File]]:
    ticket = conversation.ticket
    if ticket.title or ticket.files or "list_inputs" not in conversation.tools:
        return list(ticket.files)
    content = yield from must(ticket, Call("list_inputs", {}))
    value = as_json(content)
    listed = value.get("inputs", value.get("files", [])) if isinstance(value, dict) else value
    if isinstance(listed, list):
        return [
            File(str(item.get("name")), str(item.get("media_type", ""))) for item in listed if isinstance(item, dict)
        ]
    found = (re.match(r"[-* ]*(?P<name>\S.*?) \((?P<media_type>[^,()]+),", line) for line in content.splitlines())
    return [File(match["name"], match["media_type"]) for match in found if match]


def _find_out(conversation: Conversation, files: list[File]) -> Plan[list[Finding]]:
    """What the ticket wants to know, from tables, pages and texts."""
    ticket = conversation.ticket
    tables = [file for file in files if file.is_table]
    texts = [file for file in files if not file.is_table and not file.is_mail]
    mails = [file for file in files if file.is_mail]
    found: list[Finding] = []
    if tables and mentions(ticket.text, SORT):
        found.append((yield from sort_statement(ticket, tables[0])))
    elif tables and mentions(ticket.text, COMPARE):
        found.append((yield from compare_prices(ticket, tables)))
    elif tables and not (mails and mentions(ticket.text, REPLY)):
        found.append((yield from _ask(ticket, tables)))
    if LINK.search(ticket.instructions):
        found += yield from read_pages(ticket, conversation.tools)
    unread = texts if mentions(ticket.text, REPLY) else [*texts, *mails]
    if unread and not mentions(ticket.text, PAY):
        found += yield from read_texts(ticket, unread)
    return found


def _ask(ticket: Ticket, tables: list[File]) -> Plan[Finding]:
    """The first table whose columns the question names."""
    for file in tables:
        table = described((yield from must(ticket, Call("describe_table", {"name": file.name}))), file.name)
        question = understand(ticket.instructions, table) or understand(ticket.text, table)
        if question is not None:
            query = question.sql(table)
            found = rows((yield from must(ticket, Call("query_table", {"sql": query}))))
            total = decimal_of(found.rows[0][0]) if found.rows and len(found.rows) == 1 and not question.group else None
            return Finding(_answered(ticket, question, found), found, query, total)
    raise GiveUp(
        ticket.speak(
            "I cannot tell which column of the table is asked for.", "Tidak jelas kolom tabel mana yang ditanyakan."
        )
    )


def _answered(ticket: Ticket, question: Question, found: Rows) -> str:
    if not found.rows:
        return ticket.speak("The table has no such rows.", "Tidak ada baris seperti itu di tabel.")
    if question.whole_rows and question.metric is not None:
        return ticket.speak("{} rows by {}.", "{} baris menurut {}.").format(len(found.rows), question.metric.name)
    if question.group is None:
        return f"{question.label}: {readable(decimal_of(found.rows[0][0]))}."
    shown = ", ".join(f"{row[0]} ({readable(decimal_of(row[1]))})" for row in found.rows[:10])
    return f"{question.label}: {shown}."


def _act(ticket: Ticket, files: list[File], findings: list[Finding], told: list[str]) -> Plan[None]:
    tables = [file for file in files if file.is_table]
    mails = [file for file in files if file.is_mail]
    if mails and mentions(ticket.text, REPLY):
        told.append((yield from answer_mail(ticket, mails[0], tables[0] if tables else None)))
    if mentions(ticket.text, PAY) and not mentions(ticket.text, SORT):
        told.append((yield from pay(ticket, [file for file in files if not file.is_table])))
    if mentions(ticket.text, REVENUE) and mentions(ticket.text, RECORD):
        totals = [finding.total for finding in findings if finding.total is not None]
        told.append((yield from record_revenue(ticket, totals[0] if totals else None)))
    if asks_for_a_ticket(ticket):
        told.append((yield from open_ticket(ticket)))


def _deliver(conversation: Conversation, findings: list[Finding], told: list[str]) -> Plan[None]:
    """The document, the mail and the note that the ticket wants of what was found."""
    ticket = conversation.ticket
    recipients = addresses(ticket.text) if mentions(ticket.text, MAIL) else []
    attached: list[str] = []
    noted = mentions(ticket.text, NOTE)
    tabular = any(finding.rows is not None for finding in findings)
    written = tabular or mentions(ticket.text, REPORT) or (mentions(ticket.text, WRITE) and not noted)
    if findings and "write_document" in conversation.tools and written:
        name = file_name(ticket, "report")
        content = document(ticket, findings)
        arguments: dict[str, object] = {"name": name, "media_type": "text/markdown", "content": content}
        yield from must(ticket, Call("write_document", arguments))
        told.append(ticket.speak(f"Report written: {name}.", f"Laporan ditulis: {name}."))
        attached.append(name)
    if recipients and findings:
        yield from _mail(conversation, recipients, findings, attached)
        told.append(ticket.speak(f"Mailed to {', '.join(recipients)}.", f"Dikirim ke {', '.join(recipients)}."))
    if told and "write_note" in conversation.tools and noted:
        yield from must(ticket, Call("write_note", {"text": " ".join(told)}))


def _mail(
    conversation: Conversation, recipients: list[str], findings: list[Finding], attached: list[str]
) -> Plan[None]:
    ticket = conversation.ticket
    arguments: dict[str, object] = {
        "to": recipients,
        "subject": ticket.title or ticket.speak("Report", "Laporan"),
        "body": letter(ticket, findings),
    }
    if attached and "attachments" in conversation.tools.get("send_email", {}).get("properties", {}):
        arguments["attachments"] = attached
    yield from must(ticket, Call("send_email", arguments))


def _at_a_loss(ticket: Ticket) -> str:
    return ticket.speak(
        "The scripted model found nothing in this ticket that its rules know. Bind the role to a real model, or write "
        "a procedure for it.",
        "Model skrip tidak menemukan hal yang dikenal aturannya dalam tiket ini. Pasang model sungguhan pada peran "
        "ini, atau tuliskan prosedurnya.",
    )
