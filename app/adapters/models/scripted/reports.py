"""What is found, as a document, as a mail and as the last word of a ticket."""

import re
from decimal import Decimal

import msgspec

from app.adapters.models.scripted.answers import Rows
from app.adapters.models.scripted.conversation import Ticket


class Finding(msgspec.Struct, frozen=True):
    """One thing found out: a sentence, the rows and query behind it, and the figure when it is a single one."""

    sentence: str
    rows: Rows | None = None
    query: str = ""
    total: Decimal | None = None


def document(ticket: Ticket, findings: list[Finding]) -> str:
    """A Markdown document."""
    parts = [f"# {ticket.title}" if ticket.title else f"# {ticket.speak('Report', 'Laporan')}"]
    for finding in findings:
        parts.append(finding.sentence)
        if finding.rows is not None:
            parts.append(markdown(finding.rows))
        if finding.query:
            parts.append(f"{ticket.speak('Query', 'Kueri')}:\n\n```sql\n{finding.query}\n```")
    return "\n\n".join(parts) + "\n"


def letter(ticket: Ticket, findings: list[Finding]) -> str:
    """The same as the plain text of a mail."""
    parts = [ticket.speak("Hello,", "Halo,")]
    for finding in findings:
        parts.append(finding.sentence)
        if finding.rows is not None:
            parts.append(aligned(finding.rows))
    return "\n\n".join([*parts, signature(ticket)])


def signature(ticket: Ticket) -> str:
    regards = ticket.speak("Kind regards,", "Salam,")
    return f"{regards}\n{ticket.role}".strip()


def file_name(ticket: Ticket, otherwise: str, ending: str = "md") -> str:
    """A short file name from the ticket's title."""
    words = re.findall(r"[a-z0-9]+", ticket.title.lower())[:6]
    return f"{'-'.join(words) or otherwise}.{ending}"


def markdown(rows: Rows) -> str:
    lines = [rows.columns, tuple("---" for _ in rows.columns), *rows.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def aligned(rows: Rows) -> str:
    table = [rows.columns, *rows.rows]
    widths = [max(len(line[at]) for line in table) for at in range(len(rows.columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )
