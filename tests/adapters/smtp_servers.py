"""Mail servers on loopback that behave, refuse or fall silent at a chosen moment."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal, TypeAlias

from aiosmtpd.controller import Controller

from tests.adapters.tool_calls import free_port

Moment: TypeAlias = Literal["after_data", "before_data", "never"]


class Mailbox:
    """Messages and their recipients, in the order in which they arrived."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 Message accepted for delivery"


@contextmanager
def mail_box() -> Iterator[tuple[Mailbox, str]]:
    """A real mail server and its `smtp://` address."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mailbox, f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


class FallingServer:
    """Speaks just enough SMTP and hangs up at `moment`; `bodies` are the messages it took in."""

    def __init__(self, moment: Moment, refuse: str = "") -> None:
        self.moment = moment
        self.refuse = refuse
        self.bodies: list[bytes] = []
        self.commands: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 falling\r\n")
        while line := await reader.readline():
            verb = line.decode().strip().upper()
            self.commands.append(verb)
            if verb == "DATA":
                if self.moment == "before_data":
                    return
                writer.write(b"354 go on\r\n")
                self.bodies.append(await reader.readuntil(b"\r\n.\r\n"))
                if self.moment == "after_data":
                    return
                writer.write(b"554 refused as spam\r\n" if self.refuse == "DATA" else b"250 taken\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"550 no such user\r\n" if self.refuse and self.refuse in verb else b"250 ok\r\n")


@asynccontextmanager
async def falling_server(moment: Moment, refuse: str = "") -> AsyncIterator[tuple[FallingServer, str]]:
    """The server and its `smtp://` address."""
    falling = FallingServer(moment, refuse)
    server = await asyncio.start_server(falling.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield falling, f"smtp://127.0.0.1:{port}"
    finally:
        server.close()
        await server.wait_closed()
