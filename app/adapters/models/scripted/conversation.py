"""A chat-completions request, read as a ticket and what was done for it so far."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.adapters.models.scripted.language import is_indonesian

_NOT_DONE = re.compile(r"\[(refused|rejected|expired|withdrawn|failed)\]\s*")
_TICKET = re.compile(
    r"Ticket: (?P<title>[^\n]*)\n*(?P<instructions>.*?)"
    r"(?:\n\nFields:\n(?P<fields>(?:- [^\n]*\n?)*))?(?:\n\nAttached files:\n(?P<files>(?:- [^\n]*\n?)*))?\s*",
    re.DOTALL,
)
_FILE = re.compile(r"- (?P<name>.+) \((?P<media_type>[^,()]*), (?P<size>\d+) bytes\)")


class File(msgspec.Struct, frozen=True):
    name: str
    media_type: str = ""

    @property
    def is_table(self) -> bool:
        return self.name.lower().endswith((".csv", ".tsv", ".parquet")) or "csv" in self.media_type

    @property
    def is_mail(self) -> bool:
        return self.name.lower().endswith(".eml") or self.media_type == "message/rfc822"


class Ticket(msgspec.Struct, frozen=True):
    title: str
    instructions: str
    fields: Mapping[str, str]
    files: tuple[File, ...]
    role: str

    @property
    def text(self) -> str:
        return f"{self.title}\n{self.instructions}"

    def speak(self, english: str, indonesian: str) -> str:
        """The wording in the ticket's language."""
        return indonesian if is_indonesian(self.text) else english


class Answer(msgspec.Struct, frozen=True):
    """What a tool answered. `status` is `done`, or what it was instead."""

    content: str
    status: str = "done"

    @property
    def done(self) -> bool:
        return self.status == "done"


class Conversation(msgspec.Struct, frozen=True):
    ticket: Ticket
    answers: tuple[Answer, ...]
    tools: Mapping[str, Mapping[str, Any]]


def read(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a request's body: the newest ticket in it and the answers to the calls made so far."""
    messages = body.get("messages", [])
    asked = next((text(message) for message in messages if message.get("role") == "user"), "")
    system = next((text(message) for message in messages if message.get("role") == "system"), "")
    answers = [answer(text(message)) for message in messages if message.get("role") == "tool"]
    functions = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    return Conversation(
        ticket=ticket(asked, system),
        answers=tuple(answers),
        tools={function["name"]: function.get("parameters") or {} for function in functions},
    )


def text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def answer(content: str) -> Answer:
    refused = _NOT_DONE.match(content)
    return Answer(content[refused.end() :], refused.group(1)) if refused else Answer(content)


def ticket(asked: str, system: str) -> Ticket:
    role = re.match(r"You are ([^,\n]+),", system)
    found = _TICKET.fullmatch(asked)
    if found is None:
        return Ticket(title="", instructions=asked, fields={}, files=(), role=role.group(1) if role else "")
    return Ticket(
        title=found["title"].strip(),
        instructions=found["instructions"].strip(),
        fields=dict(line[2:].split(": ", 1) for line in (found["fields"] or "").splitlines() if ": " in line),
        files=tuple(File(match["name"], match["media_type"]) for match in _FILE.finditer(found["files"] or "")),
        role=role.group(1) if role else "",
    )


def as_json(content: str) -> Any:
    """The value of a JSON answer, or None."""
    try:
        return json.loads(content)
    except ValueError:
        return None
