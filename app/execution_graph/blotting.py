"""Secrets of one call: handed out to its tool, and blotted out of whatever the tool brings back."""

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote
from uuid import UUID

import msgspec

from app.canon.tool import EvidenceItem, ToolResult
from app.postgres import Database
from app.role_registry import VaultKeys, open_secret, secret_headers

BLOT = "[secret]"


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
        """`text` without the secrets that were handed out, as they are and as they are usually written."""
        for value in self._given:
            for form in _forms(value):
                text = text.replace(form, BLOT)
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
                content = content.replace(form.encode(), BLOT.encode())
        return EvidenceItem(self.blot(item.name), item.media_type, content)


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
        value[::-1],
    }
    return tuple(sorted(forms, key=len, reverse=True))
