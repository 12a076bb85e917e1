"""Mail over real SMTP: what arrives, what is never repeated, what is said when it fails."""

from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from app.adapters.tools.email import SendEmailTool, mail_server, message_id
from app.canon.errors import Unavailable
from app.canon.tool import OutcomeUnknown, ToolFailed
from tests.adapters.smtp_servers import Mailbox, falling_server, mail_box
from tests.adapters.tool_calls import HeldFiles, call, free_port

REPORT = {"report.md": ("text/markdown", "# Laporan \u2713\n".encode()), "a.bin": ("application/pdf", b"%PDF\x00")}


@pytest.fixture
def server() -> Iterator[tuple[Mailbox, str]]:
    with mail_box() as served:
        yield served


def tool(url: str | None) -> SendEmailTool:
    return SendEmailTool(url, "Raka <raka@kopisenja.id>")


def letter(**more: object) -> dict[str, object]:
    return {"to": ["ana@mitra.co.id"], "subject": "Laporan", "body": "Halo Ana,\n.dot\n", **more}


def body_of(message: EmailMessage) -> object:
    body = message.get_body()
    assert body is not None
    return with_plain_ends(body.get_content())


def with_plain_ends(content: object) -> object:
    return content.replace("\r\n", "\n") if isinstance(content, str) else content


async def test_a_mail_arrives_with_its_documents(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    arguments = letter(to=["ana@mitra.co.id", "Budi <budi@mitra.co.id>"], attachments=["report.md", "a.bin"])
    result = await tool(url).perform(call(REPORT, arguments))
    message = mailbox.messages[0]
    assert mailbox.recipients == [["ana@mitra.co.id", "budi@mitra.co.id"]]
    assert message["From"] == "Raka <raka@kopisenja.id>"
    assert body_of(message) == "Halo Ana,\n.dot\n"
    parts = {part.get_filename(): with_plain_ends(part.get_content()) for part in message.iter_attachments()}
    assert parts == {"report.md": "# Laporan \u2713\n", "a.bin": b"%PDF\x00"}
    assert result.evidence[0].content.replace(b"\r\n", b"\n").startswith(b"From: Raka <raka@kopisenja.id>")


async def test_the_message_id_is_the_same_for_every_attempt_of_a_step(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    for _ in range(2):
        await tool(url).perform(call(None, letter(), key="run:3"))
    await tool(url).perform(call(None, letter(), key="run:4"))
    first, second, third = (str(message["Message-ID"]) for message in mailbox.messages)
    assert first == second == message_id("run:3", "raka@kopisenja.id")
    assert first != third


async def test_a_subject_cannot_smuggle_headers(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    await tool(url).perform(call(None, letter(subject="Hi\r\nBcc: boss@evil.com")))
    assert mailbox.messages[0]["Bcc"] is None
    assert mailbox.messages[0]["Subject"] == "Hi Bcc: boss@evil.com"
    assert mailbox.recipients == [["ana@mitra.co.id"]]


@pytest.mark.parametrize("to", ["ana@mitra.co.id, boss@evil.com", "ana", "ana@mitra.co.id\nRCPT TO:<b@evil.com>", ""])
async def test_an_entry_that_is_not_one_address_sends_nothing(to: str, server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    with pytest.raises(ToolFailed):
        await tool(url).perform(call(None, letter(to=[to])))
    assert mailbox.messages == []


async def test_a_document_that_does_not_exist_sends_nothing(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    with pytest.raises(ToolFailed, match=r"no document or file 'x\.md'; there are: report\.md, a\.bin"):
        await tool(url).perform(call(REPORT, letter(attachments=["x.md"])))
    assert mailbox.messages == []


async def test_without_a_server_the_answer_says_what_to_set() -> None:
    with pytest.raises(ToolFailed, match="FLR_SMTP_URL"):
        await tool(None).perform(call(None, letter()))


async def test_a_refused_connection_is_a_certain_failure() -> None:
    with pytest.raises(ToolFailed, match="cannot be reached"):
        await tool(f"smtp://127.0.0.1:{free_port()}").perform(call(None, letter()))


async def test_an_answer_lost_after_the_message_is_unknown() -> None:
    async with falling_server("after_data") as (falling, url):
        with pytest.raises(OutcomeUnknown):
            await tool(url).perform(call(None, letter()))
        assert len(falling.bodies) == 1


async def test_a_connection_lost_at_the_word_data_is_not_taken_for_sent_nor_for_failed() -> None:
    async with falling_server("before_data") as (_, url):
        with pytest.raises(OutcomeUnknown):
            await tool(url).perform(call(None, letter()))


@pytest.mark.parametrize(
    ("refuse", "words"), [("RCPT", "refused ana@mitra.co.id: 550"), ("MAIL", "550"), ("DATA", "554")]
)
async def test_a_refusal_is_a_certain_failure(refuse: str, words: str) -> None:
    async with falling_server("never", refuse) as (falling, url):
        with pytest.raises(ToolFailed, match=words):
            await tool(url).perform(call(None, letter()))
        assert refuse == "DATA" or falling.bodies == []


async def test_one_refused_recipient_stops_the_whole_mail() -> None:
    async with falling_server("never", "BUDI") as (falling, url):
        with pytest.raises(ToolFailed, match=r"budi@mitra\.co\.id"):
            await tool(url).perform(call(None, letter(to=["ana@mitra.co.id", "budi@mitra.co.id"])))
        assert falling.bodies == []


async def test_letters_outside_ascii_arrive_unharmed(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    await tool(url).perform(
        call(None, letter(subject="Rp 1.000 \u2014 \u4f60\u597d", body="\u00e9\u00e8 \U0001f600\n"))
    )
    assert mailbox.messages[0]["Subject"] == "Rp 1.000 \u2014 \u4f60\u597d"
    assert body_of(mailbox.messages[0]) == "\u00e9\u00e8 \U0001f600\n"


def test_the_address_of_the_server_is_read_whole() -> None:
    server = mail_server("smtps://us%40er:p%3Aw@mail.example.com")
    assert (server.host, server.port, server.secure) == ("mail.example.com", 465, True)
    assert (server.user, server.password) == ("us@er", "p:w")
    assert mail_server("smtp://mail.example.com").port == 587


@pytest.mark.parametrize("url", ["http://mail.example.com", "smtp://", "smtp://h:port", "mail.example.com:25"])
def test_an_address_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(ToolFailed, match="FLR_SMTP_URL"):
        mail_server(url)


class AwayFiles(HeldFiles):
    """The files are in a store that does not answer now."""

    async def read(self, name: str) -> bytes:
        raise Unavailable("the evidence store does not answer")


async def test_a_mail_whose_attachment_cannot_be_read_now_fails_for_certain(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    with pytest.raises(ToolFailed, match=r"report\.md cannot be read now, so nothing was sent"):
        await tool(url).perform(call(AwayFiles(REPORT), letter(attachments=["report.md"])))
    assert mailbox.messages == []
