"""How a plan is written: a generator that yields calls and is sent their answers.

The server keeps nothing. For each request the plan is begun anew and sent the answers that the conversation holds; what
it yields next is the model's move.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

import msgspec

from app.adapters.models.scripted.conversation import Answer, Conversation, Ticket
from app.canon.tool import Arguments

T = TypeVar("T")
FOUNDERS_WORDS = "In the founder's words: "


class Call(msgspec.Struct, frozen=True):
    """The next tool call."""

    tool: str
    arguments: Arguments


class Say(msgspec.Struct, frozen=True):
    """The end of the ticket."""

    text: str
    success: bool = True


Plan: TypeAlias = Generator[Call, Answer, T]


class GiveUp(Exception):
    """The ticket cannot be carried out; the message says why, in the ticket's language."""


def must(ticket: Ticket, call: Call) -> Plan[str]:
    """The content of a call's answer; gives up when it was not done."""
    answer = yield call
    if answer.done:
        return answer.content
    said = _said(ticket, answer)
    was = {
        "refused": ("was refused", "ditolak oleh batas wewenang"),
        "rejected": ("was rejected by the founder", "ditolak oleh pendiri"),
        "expired": ("was not decided in time", "tidak diputuskan tepat waktu"),
        "withdrawn": ("was withdrawn", "ditarik kembali"),
        "failed": ("failed", "gagal"),
    }[answer.status]
    raise GiveUp(f"{call.tool} {ticket.speak(*was)}{said}")


def _said(ticket: Ticket, answer: Answer) -> str:
    """What a tool was told in English stays English; in another language, what people said and what a tool says."""
    said = " ".join(answer.content.split())[:400]
    if answer.status == "rejected":
        said = ticket.speak(said, said.partition(FOUNDERS_WORDS)[2])
    elif answer.status != "failed":
        said = ticket.speak(said, "")
    return f": {said}" if said else "."


def next_move(conversation: Conversation, plan: Plan[Say]) -> Call | Say:
    """The move that follows the answers in the conversation."""
    try:
        move = next(plan)
        for answer in conversation.answers:
            move = plan.send(answer)
    except StopIteration as end:
        said: Say = end.value
        return said
    except GiveUp as reason:
        return Say(str(reason), success=False)
    if move.tool in conversation.tools:
        return move
    speak = conversation.ticket.speak
    missing = speak(f"I have no tool {move.tool!r} here.", f"Saya tidak punya alat {move.tool!r} di sini.")
    return Say(missing, success=False)
