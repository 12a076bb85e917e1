"""Telling a founder on a second channel when the phone was not heard: letters, chats, signed posts."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from app.canon.errors import Coded

Channel: TypeAlias = Literal["email", "telegram", "webhook"]


class NoticeFailed(Coded):
    """The notice was not handed over; the message says why and what to set. `gone`: trying again is of no use."""

    def __init__(self, message: str, *, gone: bool = False, code: str = "", **data: object) -> None:
        super().__init__(message, code=code, **data)
        self.gone = gone


class Notice(msgspec.Struct, frozen=True):
    """One plain-text letter. `key` is the same in every attempt, so that a receiver can tell a repetition."""

    key: str
    to: str
    subject: str
    text: str


class NoticeSender(Protocol):
    """Hands letters over. Never follows, opens or decides anything."""

    async def send(self, notice: Notice) -> None:
        """Raises `NoticeFailed`."""
        ...


class Button(msgspec.Struct, frozen=True):
    """Below a chat message: brings `data` back to us when it is pressed, or opens `url`."""

    text: str
    data: str = ""
    url: str = ""


class Heard(msgspec.Struct, frozen=True):
    """What somebody wrote to our chat, or the button they pressed (`press`, with its `data`, below message `handle`).

    `private`: nobody else reads this chat.
    """

    number: int
    chat_id: int
    name: str
    private: bool
    text: str = ""
    press: str = ""
    data: str = ""
    handle: str = ""


class ChatSender(Protocol):
    """One account of ours at a messenger. Every method raises `NoticeFailed`."""

    async def name(self) -> str:
        """Ours, as others find it."""
        ...

    async def say(self, chat_id: int, text: str, buttons: Sequence[Button] = (), *, silent: bool = False) -> str:
        """The new message's handle."""
        ...

    async def change(self, chat_id: int, handle: str, text: str, buttons: Sequence[Button] = ()) -> None:
        """Another text and other buttons in a message's place."""
        ...

    async def answer(self, press: str, text: str) -> None:
        """What pops up for who pressed."""
        ...

    async def listen(self, after: int) -> tuple[Heard, ...]:
        """What came since number `after`, waiting for it; those up to `after` are forgotten there."""
        ...

    async def hook(self, url: str, secret: str) -> None:
        """Have what comes posted to `url` from now on, with `secret` beside it, instead of being listened for."""
        ...

    async def unhook(self) -> None:
        """Have it listened for again."""
        ...

    def read(self, body: bytes) -> Heard:
        """What was posted. Raises `NoticeFailed` for what is nothing of the messenger's."""
        ...

    async def close(self) -> None: ...


class Poster(Protocol):
    """Posts to an address that a founder named."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> str | None:
        """What went wrong, in a sentence; None when the answer was 2xx."""
        ...
