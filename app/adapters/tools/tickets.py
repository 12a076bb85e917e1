"""Work handed on: a ticket for another role, or for the router to place."""

from app.adapters.tools.wording import text_argument
from app.canon.tool import OpenTicket, ToolCall, ToolFailed, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk

MAX_TITLE_CHARACTERS = 200
MAX_INSTRUCTIONS_CHARACTERS = 20_000


class OpenTicketTool:
    """Opens a child ticket. Its text is the worker's, so nothing in it counts as written by the founder."""

    spec = ToolSpec(
        name="open_ticket",
        description="Hand work on: open a ticket for another role, by its name, or for whichever role fits.",
        parameters={
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "instructions": {"type": "string", "description": "What is to be done, complete in itself"},
                "role": {"type": ["string", "null"], "description": "Name of a role; leave out to let it be chosen"},
            },
            "required": ["title", "instructions"],
            "additionalProperties": False,
        },
        risk=Risk.REVERSIBLE,
        effect="local",
        idempotent=True,
        words={
            "en": Wording("open a ticket", "Open the ticket “{title}”."),
            "id": Wording("membuka tiket", "Buka tiket “{title}”."),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        title = " ".join(text_argument(call.arguments, "title").split())
        instructions = text_argument(call.arguments, "instructions")
        role = call.arguments.get("role")
        if len(title) > MAX_TITLE_CHARACTERS or len(instructions) > MAX_INSTRUCTIONS_CHARACTERS:
            raise ToolFailed(
                f"a title has at most {MAX_TITLE_CHARACTERS} characters, instructions {MAX_INSTRUCTIONS_CHARACTERS}",
                code="tool.arguments",
            )
        if role is not None and not isinstance(role, str):
            raise ToolFailed("`role` must be the name of a role, or left out", code="tool.arguments")
        to = role.strip() if role and role.strip() else None
        return ToolResult(
            f"Opened a ticket for {to or 'whichever role fits'}: {title}.",
            {"title": title, "role": to},
            OpenTicket(title, instructions, to),
        )
