"""Evidence whose name or media type is an attack: it is kept, and handed out as a plain file."""

import unicodedata
from urllib.parse import unquote

import pytest

from app.canon.tool import EvidenceItem
from app.governance_ledger import Event, append, keep_evidence
from app.postgres import Database
from tests.governance_ledger.ledgers import TENANT
from tests.governance_ledger.test_http import Client, address

CONTENT = b"<svg onload=alert(1)>"


async def kept(database: Database, item: EvidenceItem, *, at_once: bool) -> str:
    async with database.transaction(TENANT) as tx:
        if at_once:
            receipt = await append(tx, Event(type="tool.done", actor="worker:1"), keep=item)
        else:
            ref = await keep_evidence(tx, item.content, media_type=item.media_type, name=item.name)
            receipt = await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
    return str(receipt.event_id)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain\r\nSet-Cookie: session=stolen",
        "text/plain\r\n\r\n<script>alert(1)</script>",
        "image/svg+xml",
        "text/html",
        "text/html, text/plain",
        "text/plain, text/html",
        "text/plain; charset=utf-7",
        "текст/плохо",
        "multipart/x-mixed-replace; boundary=b",
        "text/html; x=" + "y" * 100_000,
        "",
        "text",
    ],
)
async def test_no_media_type_gets_markup_run_or_a_header_in(
    client: Client, database: Database, media_type: str, at_once: bool
) -> None:
    event_id = await kept(database, EvidenceItem("note", media_type, CONTENT), at_once=at_once)
    where = await address(client, event_id)
    for answer in (await client.get(where), await client.head(where)):
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert all(value.isprintable() and len(value) < 2000 for value in answer.headers.values())
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        shown = answer.headers["content-disposition"].startswith("inline")
        assert not shown or answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "name",
    [
        "invoice\r\nSet-Cookie: a=b",
        '"; filename=evil.html; x="',
        "../../../etc/passwd",
        "..\\..\\autostart.bat",
        "invoice\u202efdp.exe",
        "a\u2066b\u2069c\u200f.txt",
        "x" * 5000,
        "\u0007bell\u001b[31m.txt",
        "..",
    ],
)
async def test_no_name_leads_elsewhere_or_reads_backwards(client: Client, database: Database, name: str) -> None:
    where = await address(client, await kept(database, EvidenceItem(name, "text/plain", CONTENT), at_once=True))
    answer = await client.get(where)
    assert answer.status_code == 200
    disposition = answer.headers["content-disposition"]
    how, _, encoded = disposition.partition("; filename*=UTF-8''")
    assert how == "inline"
    offered = unquote(encoded)
    assert not set(encoded) & set(" ;\"'\r\n")
    assert not set(offered) & set("/\\")
    assert offered.strip(".")
    assert len(offered) <= 200
    assert not [sign for sign in offered if unicodedata.category(sign) in ("Cc", "Cf")]
