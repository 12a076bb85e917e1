"""A Telegram bot: the chat side of `canon.notice` over the Bot API, by long polling or by webhook."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.canon.notice import Button, Heard, NoticeFailed

if TYPE_CHECKING:
    import httpx

BASE_URL = "https://api.telegram.org"
POLL_SECONDS = 25
TIMEOUT_SECONDS = 15.0
MOST_TEXT = 4_000
BLOCKED = (400, 403, 404)
UPDATES = ["message", "callback_query"]
UNCHANGED = "message is not modified"


class TelegramBot:
    """One bot. Redirects are not followed, and no proxy of the environment sees the token."""

    def __init__(self, token: str, base_url: str = BASE_URL) -> None:
        self._address = f"{base_url.rstrip('/')}/bot{token}"
        self._client: httpx.AsyncClient | None = None
        self._name = ""

    async def name(self) -> str:
        if not self._name:
            self._name = str((await self._call("getMe", {}))["username"])
        return self._name

    async def say(self, chat_id: int, text: str, buttons: Sequence[Button] = (), *, silent: bool = False) -> str:
        body = _message(chat_id, text, buttons) | {"disable_notification": silent}
        return str((await self._call("sendMessage", body))["message_id"])

    async def change(self, chat_id: int, handle: str, text: str, buttons: Sequence[Button] = ()) -> None:
        body = _message(chat_id, text, buttons) | {"message_id": int(handle)}
        try:
            await self._call("editMessageText", body)
        except NoticeFailed as error:
            if UNCHANGED not in str(error):
                raise

    async def answer(self, press: str, text: str) -> None:
        await self._call("answerCallbackQuery", {"callback_query_id": press, "text": text[:200], "show_alert": True})

    async def listen(self, after: int) -> tuple[Heard, ...]:
        wanted = {"offset": after + 1, "timeout": POLL_SECONDS, "allowed_updates": UPDATES}
        found = await self._call("getUpdates", wanted, seconds=POLL_SECONDS + TIMEOUT_SECONDS)
        return tuple(_heard(update) for update in found)

    async def hook(self, url: str, secret: str) -> None:
        await self._call("setWebhook", {"url": url, "secret_token": secret, "allowed_updates": UPDATES})

    async def unhook(self) -> None:
        await self._call("deleteWebhook", {})

    def read(self, body: bytes) -> Heard:
        try:
            return _heard(json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoticeFailed(f"this is no update of Telegram's ({type(error).__name__})", gone=True) from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _call(self, method: str, body: dict[str, Any], seconds: float = TIMEOUT_SECONDS) -> Any:
        """The `result` of a method. No message of ours ever holds the address, which holds the token."""
        import httpx

        try:
            answer = await self._open().post(f"{self._address}/{method}", json=body, timeout=seconds)
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            reason = type(error).__name__
            raise NoticeFailed(f"Telegram does not answer ({reason})", code="channel.silent", said=reason) from None
        if not isinstance(said, dict) or said.get("ok") is not True:
            why = str(said.get("description", "")) if isinstance(said, dict) else ""
            gone = answer.status_code in BLOCKED
            said = f"Telegram answered {answer.status_code}: {why[:200]}"
            raise NoticeFailed(said, gone=gone, code="channel.failed", said=said)
        return said["result"]

    def _open(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False)
        return self._client


def _message(chat_id: int, text: str, buttons: Sequence[Button]) -> dict[str, Any]:
    """Plain text: nothing in it is read as markup. Decisions side by side, links below."""
    pressed = [{"text": one.text, "callback_data": one.data} for one in buttons if one.data]
    linked = [[{"text": one.text, "url": one.url}] for one in buttons if one.url]
    return {
        "chat_id": chat_id,
        "text": text[:MOST_TEXT],
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [row for row in (pressed, *linked) if row]},
    }


def _heard(update: dict[str, Any]) -> Heard:
    """An update that is nothing to us comes out without text and press; its number still counts."""
    number, pressed = int(update["update_id"]), update.get("callback_query")
    message = (pressed.get("message") if pressed else update.get("message")) or {}
    chat, sender = message.get("chat") or {}, (pressed or message).get("from") or {}
    name = " ".join(part for part in (sender.get("first_name"), sender.get("last_name")) if part)
    private = chat.get("type") == "private" and sender.get("id") == chat.get("id")
    return Heard(
        number=number,
        chat_id=int(chat.get("id") or 0),
        name=name[:80],
        private=private,
        text="" if pressed else str(message.get("text") or ""),
        press=str(pressed["id"]) if pressed else "",
        data=str(pressed.get("data") or "") if pressed else "",
        handle=str(message.get("message_id") or ""),
    )
