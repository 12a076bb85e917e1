"""One chat-completions answer for one request."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from app.adapters.models.scripted.conversation import Conversation, read, text
from app.adapters.models.scripted.plans import Call, Say, next_move
from app.adapters.models.scripted.tickets import carry_out
from app.adapters.word_overlap import overlap

MODEL = "scripted"
FINAL_ANSWER = "final_answer"
ASSIGN = "assign_ticket"

Wire = dict[str, Any]


def completion(body: Mapping[str, Any]) -> Wire:
    """The answer to a chat-completions request. The same request gets the same answer, to the byte."""
    conversation = read(body)
    move = (
        route(body, conversation) if ASSIGN in conversation.tools else next_move(conversation, carry_out(conversation))
    )
    message = _message(conversation, move, len(conversation.answers))
    asked = len(json.dumps(body, ensure_ascii=False).encode())
    said = len(json.dumps(message, ensure_ascii=False).encode())
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if message.get("tool_calls") else "stop"}
        ],
        "usage": _usage(-(-asked // 4), -(-said // 4)),
    }


def route(body: Mapping[str, Any], conversation: Conversation) -> Call:
    """The candidate whose line shares most words with the ticket, name and title first; a tie or none is nobody's."""
    schema = conversation.tools[ASSIGN]["properties"]["role_id"]
    candidates = [str(value) for value in schema.get("enum", ())]
    asked = next((text(message) for message in body["messages"] if message.get("role") == "user"), "")
    lines = {value: _line_about(value, asked) for value in candidates}
    wanted = "\n".join(line for line in asked.splitlines() if line not in lines.values())
    scores = sorted(
        ((_score(wanted, line.replace(value, "")), value) for value, line in lines.items() if line), reverse=True
    )
    sure = bool(scores) and scores[0][0] > 0 and (len(scores) == 1 or scores[0][0] > scores[1][0])
    return Call(ASSIGN, {"role_id": scores[0][1] if sure else "none"})


def _score(wanted: str, line: str) -> int:
    head, _, rest = line.partition(". ")
    return 3 * overlap(wanted, head) + overlap(wanted, rest)


def _line_about(value: str, asked: str) -> str:
    return next((line for line in asked.splitlines() if value in line and line.startswith("- ")), "")


def _message(conversation: Conversation, move: Call | Say, number: int) -> Wire:
    if isinstance(move, Call):
        return _called(move.tool, move.arguments, number)
    if FINAL_ANSWER in conversation.tools:
        return _called(FINAL_ANSWER, {"answer": move.text, "success": move.success}, number)
    return {"role": "assistant", "content": move.text}


def _called(name: str, arguments: Mapping[str, Any], number: int) -> Wire:
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
    }


def _usage(prompt: int, completion_tokens: int) -> Wire:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt + completion_tokens,
    }
