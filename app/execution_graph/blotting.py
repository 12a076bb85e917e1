"""Secrets of one call: handed out to its tool, and blotted out of whatever the tool brings back."""

import base64
import json
import re
from collections.abc import Mapping
from typing import AnyStr
from urllib.parse import quote
from uuid import UUID

import msgspec

from app.canon.tool import EvidenceItem, ToolResult
from app.canon.tool_server import Listed, ToolChanged
from app.postgres import Database
from app.role_registry import VaultKeys, open_secret, secret_headers

BLOT = "[secret]"
SHORTEST_PIECE = 6


class CallSecrets:
    """`canon.tool.Vault`. Each reading opens a transaction of its own."""

    def __init__(self, database: Database, keys: VaultKeys, tenant: UUID, role_id: UUID) -> None:
        self._database = database
        self._keys = keys
        self._tenant = tenant
        self._role_id = role_id
        self._given: dict[str, None] = {}

    async def value(self, name: str) -> str:
        """Raises `SecretUnknown`."""
        async with self._database.transaction(self._tenant) as tx:
            value = await open_secret(tx, name, self._keys, role_id=self._role_id)
        self._given[value] = None
        return value

    async def headers(self, host: str, port: int | None) -> Mapping[str, str]:
        async with self._database.transaction(self._tenant) as tx:
            found = await secret_headers(tx, self._keys, role_id=self._role_id, host=host, port=port)
        self._given |= dict.fromkeys(value for _, value in found.values())
        return {header: prefix + value for header, (prefix, value) in found.items()}

    def blot(self, text: str) -> str:
        """`text` without the secrets that were handed out, as they are and as they are usually written; of one that
        was cut off where the text was cut, without what is left of it."""
        for value in self._given:
            for form in _forms(value):
                text = without(text, form, BLOT)
        return text

    def blotted(self, result: ToolResult) -> ToolResult:
        """The same for all that a call brought."""
        if not self._given:
            return result
        return msgspec.structs.replace(
            result,
            content=self.blot(result.content),
            data=self._in(result.data),
            evidence=tuple(self._item(item) for item in result.evidence),
            files=tuple(self._item(item) for item in result.files),
        )

    def _in(self, value: object) -> object:
        if isinstance(value, str):
            return self.blot(value)
        if isinstance(value, Mapping):
            return {self.blot(str(key)): self._in(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._in(item) for item in value]
        return value

    def _item(self, item: EvidenceItem) -> EvidenceItem:
        content = item.content
        for value in self._given:
            for form in _forms(value):
                content = without(content, form.encode(), BLOT.encode())
        return EvidenceItem(self.blot(item.name), self.blot(item.media_type), content)

    def changed(self, change: ToolChanged | None) -> ToolChanged | None:
        """The same for what a tool says of itself now."""
        if change is None or change.now is None:
            return change
        now = Listed(
            change.now.name,
            self.blot(change.now.description),
            {self.blot(key): self._in(value) for key, value in change.now.parameters.items()},
        )
        return ToolChanged(change.server, change.tool, now)


def without(text: AnyStr, form: AnyStr, blot: AnyStr) -> AnyStr:
    """Without `form`, and without each piece long enough to tell that begins as it begins, or ends as it ends."""
    least = max(SHORTEST_PIECE, len(form) // 3)
    pieces = _either(form[:least], form[-least:])
    parts: list[AnyStr] = []
    text, at = text.replace(form, blot), 0
    while (found := pieces.search(text, at)) is not None:
        start, end = _whole_piece(text, form, found, at)
        parts += [text[at:start], blot]
        at = end
    parts.append(text[at:])
    return text[:0].join(parts)


def _either(head: AnyStr, tail: AnyStr) -> re.Pattern[AnyStr]:
    if isinstance(head, str):
        return re.compile(f"({re.escape(head)})|{re.escape(tail)}")
    return re.compile(b"(" + re.escape(head) + b")|" + re.escape(tail))


def _whole_piece(text: AnyStr, form: AnyStr, found: re.Match[AnyStr], at: int) -> tuple[int, int]:
    start, end = found.span()
    if found[1] is not None:
        return start, start + _shared(text[start : start + len(form)], form)
    return end - _shared(text[max(at, end - len(form)) : end][::-1], form[::-1]), end


def _shared(text: AnyStr, form: AnyStr) -> int:
    """With how many signs both begin."""
    return next((at for at, (one, other) in enumerate(zip(text, form, strict=False)) if one != other), len(text))


def _forms(value: str) -> tuple[str, ...]:
    """Longest first, so that no form leaves part of another behind."""
    raw = value.encode()
    forms = {
        value,
        quote(value),
        quote(value, safe=""),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        base64.b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        raw.hex(),
        raw.hex().upper(),
        value[::-1],
    }
    return tuple(sorted(forms, key=len, reverse=True))
