"""The Bot API on loopback, as far as our bot speaks it: it keeps messages and hands out updates by offset."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.outside_servers import answering

TOKEN = "12345:secret"


class BotServer:
    """`messages` by id, each as it stands now; `answers` are what popped up. `refuses` answers every call with that."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: dict[int, dict[str, Any]] = {}
        self.answers: list[str] = []
        self.refuses: tuple[int, str] | None = None
        self.hooked: dict[str, Any] | None = None
        self._updates: list[dict[str, Any]] = []
        self._number = 100
        self._came = threading.Condition()

    @property
    def newest(self) -> dict[str, Any]:
        return self.messages[max(self.messages)]

    def data(self, text: str) -> str:
        """What the newest message's button of that text carries."""
        rows = self.newest["reply_markup"]["inline_keyboard"]
        return next(str(one["callback_data"]) for row in rows for one in row if one["text"] == text)

    def texts(self) -> list[str]:
        return [one["text"] for row in self.newest["reply_markup"]["inline_keyboard"] for one in row]

    def write(self, text: str, chat: int = 7, *, kind: str = "private") -> None:
        """Somebody writes to the bot."""
        self._hand_out({"message": {"message_id": 1, "chat": {"id": chat, "type": kind}, "text": text, **_from(chat)}})

    def press(self, data: str, chat: int = 7, *, sender: int | None = None, message: int | None = None) -> None:
        """Somebody presses a button below a message in a chat."""
        below = {"message_id": message or max(self.messages), "chat": {"id": chat, "type": "private"}}
        self._hand_out({"callback_query": {"id": "q1", "message": below, "data": data, **_from(sender or chat)}})

    def newest_update(self) -> bytes:
        """The newest thing that came, as a webhook posts it."""
        return json.dumps(self._updates[-1]).encode()

    def _hand_out(self, what: dict[str, Any]) -> None:
        with self._came:
            self._number += 1
            self._updates.append({"update_id": self._number, **what})
            self._came.notify_all()

    def answer(self, path: str, _: str, body: bytes) -> tuple[int, str, bytes]:
        asked = json.loads(body)
        if path.rsplit("/", 1)[0] != f"/bot{TOKEN}":
            return _json(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        if self.hooked is not None and path.endswith("/getUpdates"):
            return _json(409, {"ok": False, "error_code": 409, "description": "Conflict: a webhook is active"})
        if self.refuses:
            status, why = self.refuses
            return _json(status, {"ok": False, "error_code": status, "description": why})
        return _json(200, {"ok": True, "result": getattr(self, "_" + path.rsplit("/", 1)[1])(asked)})

    def _getMe(self, _: Any) -> Any:  # noqa: N802 - the method's own name
        return {"id": 1, "is_bot": True, "username": "senja_bot"}

    def _sendMessage(self, asked: Any) -> Any:  # noqa: N802
        number = len(self.messages) + 1
        self.messages[number] = asked
        return {"message_id": number, "chat": {"id": asked["chat_id"]}}

    def _editMessageText(self, asked: Any) -> Any:  # noqa: N802
        self.messages[asked["message_id"]] = asked
        return {"message_id": asked["message_id"]}

    def _answerCallbackQuery(self, asked: Any) -> Any:  # noqa: N802
        self.answers.append(asked["text"])
        return True

    def _setWebhook(self, asked: Any) -> Any:  # noqa: N802
        self.hooked = asked
        return True

    def _deleteWebhook(self, _: Any) -> Any:  # noqa: N802
        self.hooked = None
        return True

    def _getUpdates(self, asked: Any) -> Any:  # noqa: N802
        with self._came:
            self._updates = [one for one in self._updates if one["update_id"] >= asked["offset"]]
            if not self._updates:
                self._came.wait(0.2)
            return list(self._updates)


def _from(sender: int) -> dict[str, Any]:
    return {"from": {"id": sender, "is_bot": False, "first_name": "Dewi"}}


def _json(status: int, said: Any) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(said).encode()


@contextmanager
def bot_server() -> Iterator[BotServer]:
    server = BotServer()
    with answering(server.answer) as url:
        server.url = url
        yield server
