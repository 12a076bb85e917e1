"""A model that does not think: rules that choose the next tool call from the conversation.

It contains no results. It reads the ticket's words and the tools' answers, in English and Indonesian, and does what a
clerk would do with them: asks a table, sorts a bank statement, compares price lists, answers a mail, proposes a
payment, writes the report, mails it. What it cannot do it says. Every answer names the model `scripted`.
"""

from app.adapters.models.scripted.answering import MODEL, completion

__all__ = ["MODEL", "completion"]
