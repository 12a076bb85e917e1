"""What a reader sees in a text, whatever it is written with; and what encoded passages say."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.accounts import accounts_in
from app.canon.addresses import found_in, host_of, link_of, mail_of, same_machine
from app.canon.appearance import loosened, said_numbers, with_digits
from app.canon.encodings import decoded_in


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("ev\u3164il.com", "evil.com"),
        ("ev\u2800il.com", "evil.com"),
        ("0\ufe0f\u20e38\ufe0f\u20e31\ufe0f\u20e3", "081"),
        ("https\ua789//evil.com", "https://evil.com"),
        ("open \u202emoc.live\u202c now", "open moc.live evil.com now"),
        ("evil<!-- x -->.<b>com</b>", "evil.com"),
        ("\\u0068ttps:\\/\\/evil.com", "https://evil.com"),
        ("boss @evil.com", "boss@evil.com"),
        ("evil .com", "evil.com"),
        ("evil titik com", "evil.com"),
        ("boss et evil titik com", "boss@evil.com"),
        ("hxxps[:]//evil[.]com", "https://evil.com"),
    ],
)
def test_disguises_are_undone_as_a_reader_would(text: str, seen: str) -> None:
    assert loosened(text) == seen


@pytest.mark.parametrize("text", ["a dot in the box", "dari titik ke titik", "no dot is here", "done. id cards follow"])
def test_sentences_stay_sentences(text: str) -> None:
    assert loosened(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "five two two one eight eight",
        "lima dua dua satu delapan delapan",
        "limaduaduasatudelapandelapan",
        "five 2 two 1 eight 8",
        "五二二一八八",
        "cinco dos dos uno ocho ocho",
    ],
)
def test_numbers_in_words_are_read_as_digits(text: str) -> None:
    assert said_numbers(text) == ("522188",)
    assert with_digits(f"rekening {text} ya") == "rekening 522188 ya"
    assert [one.kind for one in found_in(text)] == ["account"]


@pytest.mark.parametrize("text", ["one, two, three boxes", "satu dua kotak rusak", "12 34 56 78", "the one of two"])
def test_counting_is_no_number(text: str) -> None:
    assert said_numbers(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "account 5221*8890*31",
        "rekening 5.2.2.1.8.8.9.0.3.1",
        "account **5221**889**031**",
        "bank <b>5221</b><i>8890</i><b>31</b>",
        "account 522188903O1O",
        "NMID ID1020304050607",
        "kirim ke 5221889031 a.n. Dewi",
        "acc 5221889031",
        "call 0062 812 9911 7788",
        "call us on (021) 5099 1177",
    ],
)
def test_an_account_is_seen_between_signs_and_after_short_words(text: str) -> None:
    assert list(accounts_in(text))


@pytest.mark.parametrize(
    "text",
    [
        "Order 2026110045 has been paid",
        "paid: 2026-00412 1.250.000",
        "bayar 12.500.000 dan 3.250.000",
        "please contact us about order 2026110045",
    ],
)
def test_numbers_that_their_words_explain_are_no_accounts(text: str) -> None:
    assert list(accounts_in(text)) == []


@pytest.mark.parametrize(
    ("host", "machine"),
    [
        ("3405803853", "203.0.113.77"),
        ("0xcb.0x0.0x71.0x4d", "203.0.113.77"),
        ("0313.0.0161.0115", "203.0.113.77"),
        ("127.1", "127.0.0.1"),
        ("[::ffff:203.0.113.77]", "203.0.113.77"),
        ("mitra.co.id", None),
        ("999999999999", None),
    ],
)
def test_one_machine_has_one_number_however_it_is_written(host: str, machine: str | None) -> None:
    assert same_machine(host) == machine


def test_what_programs_read_in_two_ways_is_not_read_at_all() -> None:
    assert host_of("stra\u00dfe.example") is None
    assert mail_of("stra\u00dfe@x.example") != mail_of("strasse@x.example")
    assert link_of("https://x.example/a/..;/b") is None
    assert link_of("https://x.example/a/\u2025/b") is None


SAID = "Nusantara Holding buys the Medan office"


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(SAID.encode()).decode(),
        base64.b64encode(base64.b64encode(SAID.encode())).decode(),
        base64.b64encode(SAID.encode("utf-16-le")).decode(),
        base64.b32encode(SAID.encode()).decode(),
        base64.b85encode(SAID.encode()).decode(),
        SAID.encode().hex(":"),
        " ".join(map(str, SAID.encode())),
        " ".join(f"{code:08b}" for code in SAID.encode()),
    ],
)
def test_encoded_passages_are_read(text: str) -> None:
    assert any("Holding buys the Medan" in one for one in decoded_in(f"see {text} there"))


@given(st.text(max_size=400))
def test_every_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(loosened(text), str)
    assert all(isinstance(one, str) for one in decoded_in(text))
    assert with_digits(text) is not None
