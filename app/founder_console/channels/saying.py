"""What is told on second channels, one form for each."""

from collections.abc import Mapping

import msgspec

from app.canon.notice import Button, Notice


class Said(msgspec.Struct, frozen=True):
    """The same in a letter, in a chat with its buttons, and as the body of a signed post."""

    letter: Notice
    chat: str
    buttons: tuple[Button, ...]
    post: Mapping[str, object]
