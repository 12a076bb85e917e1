"""Pages as text: what a reader sees, from markup that strangers write."""

import time

import pytest

from app.adapters.tools.mail_files import opened_mail
from app.adapters.tools.page_text import page_text
from app.adapters.tools.wording import declared_text

LENGTH = 200_000
MOST_SECONDS = 10


@pytest.mark.parametrize(
    ("markup", "seen"),
    [
        ("<p>Beras <b>5 kg</b></p><p>Rp&nbsp;70.000 &amp; more</p>", "Beras 5 kg\n\nRp\xa070.000 & more"),
        ('<a class=x HREF="https://a.example/?a=1&amp;b=2">shop</a>', "shop (https://a.example/?a=1&b=2)"),
        ("<a href='https://a.example/x>y'>shop</a>", "shop (https://a.example/x>y)"),
        ("<a href = https://a.example/x >shop</a>", "shop (https://a.example/x)"),
        ('<a href="https://a.example" href="https://b.example">shop</a>', "shop (https://a.example)"),
        ("<a href>none</a> <a href=#top>up</a>", "none up"),
        ("<table><tr><td>1<td>2</tr></table>", "1 2"),
        ("<head><title>t</title></head><body>seen", "seen"),
        ("<script>if (a<b) { '</p>' }</script>seen", "seen"),
        ("<style>p > a {}</STYLE >seen", "seen"),
        ("<textarea><b>bold</b></textarea>", "<b>bold</b>"),
        ("<!-- a > b <p>no</p> -->seen<!doctype html><?php x ?>", "seen"),
        ("1 < 2, a<3, 5 <6", "1 < 2, a<3, 5 <6"),
        ("seen<!-- never closed <p>no", "seen"),
        ("seen<script>never closed", "seen"),
        ("seen<a href='never closed <p>no</p>", "seen"),
        ("seen<a never closed", "seen"),
        ("&#65;&#x42; &#99999999999999999999; &zz;", "AB \ufffd &zz;"),
        (f"&#{'9' * 5000};", "\ufffd"),
        ("</>a</ b>c", "ac"),
        ('<img alt="a > b">c<br/>d', "c\nd"),
        ("<a =x href=https://a.example>c</a>", "c (https://a.example)"),
    ],
)
def test_a_page_is_read_as_a_browser_shows_it(markup: str, seen: str) -> None:
    assert page_text(markup) == seen


@pytest.mark.parametrize(
    "piece",
    ["<a ", '<a x="', "<a x='", "<a b=\"c' ", "<!--", "<!", "<?", "</", "<", "<title>", "<script></", "&#", "<a/", "a=",
     "<a x=", "<p>", "<![CDATA[", "</a ", "<textarea></textarea"],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "<a ", "<script>", "<title>", "<!--"])
def test_no_markup_holds_a_worker_up(before: str, piece: str) -> None:
    markup = before + piece * (LENGTH // len(piece))
    begun = time.perf_counter()
    page_text(markup)
    assert time.perf_counter() - begun < MOST_SECONDS


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "zlib", "utf-8\0", "nowhere-1", ""])
def test_a_charset_that_is_none_of_texts_is_passed_over(charset: str) -> None:
    begun = time.perf_counter()
    assert declared_text(b"a-99" * LENGTH, charset) == "a-99" * LENGTH
    assert time.perf_counter() - begun < MOST_SECONDS


@pytest.mark.parametrize(
    ("charset", "packed"),
    [
        ("latin-1", b"caf\xe9"),
        ("Windows-1252", b"caf\xe9"),
        ("utf-16", "café".encode("utf-16")),
        ("UTF8", "café".encode()),
        ("euc_jp", "caféさ".encode("euc_jp")),
    ],
)
def test_a_declared_charset_is_followed(charset: str, packed: bytes) -> None:
    assert declared_text(packed, charset).startswith("caf")


def test_a_mail_in_a_charset_of_host_names_is_read_at_once() -> None:
    begun = time.perf_counter()
    head = b"Subject: x\nContent-Type: text/plain; charset=punycode\n\n"
    assert opened_mail(head + b"a-99" * LENGTH).body.startswith("a-99")
    assert time.perf_counter() - begun < MOST_SECONDS
