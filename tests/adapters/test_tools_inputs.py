"""Files of a ticket: listed, and read as a person would read them."""

import random
from email.message import EmailMessage

import pytest

from app.adapters.tools import load_tools
from app.canon.canonical_json import canonical_bytes
from app.canon.tool import ToolFailed, ToolResult
from tests.adapters.tool_calls import call

TOOLS = load_tools()
Files = dict[str, tuple[str, bytes]]


async def read(files: Files, name: str) -> ToolResult:
    return await TOOLS["read_input"].perform(call(files, name=name))


def letter(**headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Penagihan <penagihan@kopi.co.id>"
    message["To"] = "halo@kopisenja.id"
    message["Subject"] = "Faktur \u2013 INV-118"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Total Rp12.105.000\n")
    return message


async def test_files_are_listed_with_type_size_and_table_name() -> None:
    files: Files = {"Bank Oct.csv": ("text/csv", b"a\n1\n"), "n.txt": ("text/plain", b"hi")}
    result = await TOOLS["list_inputs"].perform(call(files))
    assert result.content.splitlines() == [
        'Bank Oct.csv (text/csv, 4 bytes, table "bank_oct")',
        "n.txt (text/plain, 2 bytes)",
    ]
    assert canonical_bytes(result.data)


async def test_without_files_the_list_says_so() -> None:
    assert (await TOOLS["list_inputs"].perform(call())).content == "No files are attached to this ticket."


async def test_a_letter_shows_its_headers_its_text_and_its_attachments() -> None:
    message = letter(Reply_To="lain@evil.com")
    message.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="rincian.csv")
    files: Files = {"faktur.eml": ("message/rfc822", message.as_bytes())}
    result = await read(files, "faktur.eml")
    assert "From: Penagihan <penagihan@kopi.co.id>" in result.content
    assert "Reply-To: lain@evil.com" in result.content
    assert "Subject: Faktur \u2013 INV-118" in result.content
    assert "Total Rp12.105.000" in result.content
    assert "Attachment: rincian.csv (text/csv, 8 bytes)" in result.content
    assert isinstance(result.data, dict)
    assert result.data["from"] == "Penagihan <penagihan@kopi.co.id>"
    assert (await read(files, "faktur.eml#rincian.csv")).content.splitlines() == ["a,b", "1,2"]


async def test_a_letter_in_html_comes_as_text_with_the_address_behind_its_links() -> None:
    message = EmailMessage()
    message["From"] = "a@b.co"
    message.set_content("<p>Bayar <b>di sini</b>: <a href='http://evil.example/x'>bank</a></p>", subtype="html")
    result = await read({"a.eml": ("message/rfc822", message.as_bytes())}, "a.eml")
    assert "Bayar di sini: bank (http://evil.example/x)" in result.content


async def test_a_table_shows_its_head_and_says_how_to_get_the_rest() -> None:
    lines = "\n".join(f"{number},x" for number in range(1000))
    result = await read({"a.csv": ("text/csv", f"n,t\n{lines}\n".encode())}, "a.csv")
    assert result.content.splitlines()[:2] == ["n,t", "0,x"]
    assert result.content.splitlines()[-1] == "(30 of 1000 rows; use query_table)"


async def test_a_long_text_is_cut_and_says_so() -> None:
    result = await read({"a.txt": ("text/plain", b"a" * 50_000)}, "a.txt")
    assert result.content.endswith("(40000 of 50000 characters shown)")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_text_is_read_in_usual_encodings(encoding: str) -> None:
    assert (await read({"a.txt": ("text/plain", "caf\u00e9".encode(encoding))}, "a.txt")).content == "caf\u00e9"


@pytest.mark.parametrize(("name", "content"), [("a.pdf", b"%PDF-1.7\x00\x01"), ("a.parquet", b"PAR1")])
async def test_what_is_no_text_says_what_to_do(name: str, content: bytes) -> None:
    with pytest.raises(ToolFailed, match="is no text"):
        await read({name: ("application/octet-stream", content)}, name)


@pytest.mark.parametrize("name", ["b.txt", "../a.txt", "/etc/passwd", "a.txt/x", ""])
async def test_only_files_of_the_ticket_are_read(name: str) -> None:
    with pytest.raises(ToolFailed):
        await read({"a.txt": ("text/plain", b"x")}, name)


async def test_a_letter_of_any_bytes_is_read_or_refused_with_a_sentence() -> None:
    generator = random.Random(7)
    kind = b"Content-Type: text/plain; charset=none\n"
    heads = [b"Subject: =?utf-8?b?!!?=\n", b"From: <<<>>>\n", kind, b"To: \xff\n"]
    for _ in range(200):
        head = b"".join(generator.sample(heads, generator.randrange(5)))
        result = await read({"a.eml": ("message/rfc822", head + b"\n" + generator.randbytes(40))}, "a.eml")
        assert canonical_bytes([result.content, result.data])
