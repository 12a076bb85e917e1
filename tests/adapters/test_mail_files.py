"""Letters of strangers: whatever their headers and parts are, they are opened in time or not at all."""

import time

import pytest

from app.adapters.tools.mail_files import MAX_PARTS, opened_mail, part_of
from app.canon.tool import ToolFailed

LENGTH = 400_000
MOST_SECONDS = 20


@pytest.mark.parametrize(
    "head",
    [
        b"To: " + b"a," * LENGTH,
        b"To: " + b"a." * LENGTH + b"@shop.example",
        b'From: "' + b'a" "' * LENGTH,
        b"From: a\n" + b" b\n" * LENGTH,
        b"To: " + b"(" * LENGTH,
        b"To: " + b"<" * LENGTH,
        b"Subject: " + b"=?utf-8?q?a?= " * LENGTH,
        b"Content-Type: text/plain" + b"; a=b" * LENGTH,
        b"Content-Type: text/plain" + b"".join(b"; a*%d=b" % number for number in range(LENGTH // 8)),
    ],
)
def test_no_header_holds_a_worker_up(head: bytes) -> None:
    begun = time.perf_counter()
    assert opened_mail(head + b"\n\nTen bags of rice.\n").body == "Ten bags of rice."
    assert time.perf_counter() - begun < MOST_SECONDS


def nested(levels: int, body: bytes) -> bytes:
    heads = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(levels))
    return b"".join(heads) + body


@pytest.mark.parametrize(
    "letter",
    [
        nested(320, b"x"),
        nested(5_000, b"x"),
        nested(200, b"\n" * 2_000_000),
        b"Content-Type: message/rfc822\n\n" * 5_000,
    ],
)
def test_parts_inside_of_parts_without_end_are_not_opened(letter: bytes) -> None:
    begun = time.perf_counter()
    with pytest.raises(ToolFailed, match="not opened"):
        opened_mail(letter)
    assert time.perf_counter() - begun < MOST_SECONDS


def test_of_very_many_attachments_the_first_are_read() -> None:
    part = b"--b\nContent-Disposition: attachment; filename=%d.txt\nContent-Type: text/plain; charset=utf-8\n\nRp %d\n"
    parts = b"".join(part % (number, number) for number in range(MAX_PARTS + 50))
    letter = b"Subject: bills\nContent-Type: multipart/mixed; boundary=b\n\n" + parts + b"--b--\n"
    assert len(opened_mail(letter).attachments) == MAX_PARTS
    assert part_of(letter, "7.txt")[2] == b"Rp 7"


def test_long_lists_of_addressees_are_cut() -> None:
    letter = b"To: " + b", ".join(b"n%d@warung.example" % number for number in range(2_000)) + b"\n\nHi\n"
    assert opened_mail(letter).to.startswith("n0@warung.example, n1@warung.example")
