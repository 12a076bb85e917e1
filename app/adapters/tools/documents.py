"""Documents and notes: effects inside the company, applied by the runtime in the step's own transaction."""

import re

from app.adapters.tools.wording import text_argument
from app.canon.tool import EvidenceItem, ToolCall, ToolFailed, ToolResult, ToolSpec, Wording, WriteDocument, WriteNote
from app.canon.vocabulary import Risk

MAX_DOCUMENT_CHARACTERS = 2_000_000
MAX_NOTE_CHARACTERS = 20_000
_NAME = re.compile(r"[^\W_][\w .()+-]{0,119}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}(; ?charset=utf-8)?", re.IGNORECASE)


class WriteDocumentTool:
    """Writes a text document of the ticket; a document of the same name gets a new version."""

    spec = ToolSpec(
        name="write_document",
        description="Write a text document (report, table, letter) of this ticket. It can be attached to a mail later.",
        parameters={
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "File name with its ending, for example report.md"},
                "media_type": {"type": "string", "description": "For example text/markdown or text/csv"},
                "content": {"type": "string", "description": "The whole text"},
            },
            "required": ["name", "media_type", "content"],
            "additionalProperties": False,
        },
        risk=Risk.REVERSIBLE,
        effect="local",
        idempotent=True,
        words={
            "en": Wording("write a document", "Write the document {name}."),
            "id": Wording("menulis dokumen", "Tulis dokumen {name}."),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        name, media_type = text_argument(call.arguments, "name"), text_argument(call.arguments, "media_type")
        content = text_argument(call.arguments, "content")
        if not _NAME.fullmatch(name) or name.endswith("."):
            raise ToolFailed(
                f"{name!r} is no file name: use letters, digits, spaces and . - _ ( ), at most 120 signs",
                code="tool.arguments",
            )
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise ToolFailed(f"{media_type!r} is no media type: write for example text/markdown", code="tool.arguments")
        if len(content) > MAX_DOCUMENT_CHARACTERS:
            raise ToolFailed(
                f"the document has {len(content)} characters; {MAX_DOCUMENT_CHARACTERS} are the most",
                code="tool.arguments",
            )
        return ToolResult(
            f"Wrote {name} ({len(content)} characters).",
            {"name": name, "media_type": media_type, "size_bytes": len(content.encode())},
            WriteDocument(name, media_type, content),
            (EvidenceItem(name, media_type, content.encode()),),
        )


class WriteNoteTool:
    """Leaves a note on the ticket, for the founder."""

    spec = ToolSpec(
        name="write_note",
        description="Leave a short note on this ticket for the founder: what you found, what is open.",
        parameters={
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
        risk=Risk.REVERSIBLE,
        effect="local",
        idempotent=True,
        words={
            "en": Wording("leave a note", "Leave a note: “{text}”."),
            "id": Wording("meninggalkan catatan", "Tinggalkan catatan: “{text}”."),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        text = text_argument(call.arguments, "text")
        if len(text) > MAX_NOTE_CHARACTERS:
            raise ToolFailed(
                f"the note has {len(text)} characters; {MAX_NOTE_CHARACTERS} are the most: write a document",
                code="tool.arguments",
            )
        return ToolResult("Noted.", {"characters": len(text)}, WriteNote(text))
