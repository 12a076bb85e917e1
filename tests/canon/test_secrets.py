"""Keys and secret passages in disguise are held; words and numbers of every day are not."""

import pytest

from app.canon.credentials import credential_facts
from app.canon.provenance import Reading
from app.canon.secrecy import secret_facts

SAID = "Nusantara Holding buys the Medan office for 4.2 billion in June"
SECRET = Reading(3, "read_input", SAID, secret=True)
SHIFTED = SAID.translate(
    str.maketrans(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "fghijklmnopqrstuvwxyzabcdeFGHIJKLMNOPQRSTUVWXYZABCDE"
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "SECRET_KEY=q8Zs0vPp31xx9Lk2",
        "PGPASSWORD=bukit-tinggi-77",
        "Server=db;Pwd=Gunung4gung",
        '{"password": "Gunung4"}',
        "812334 is your verification code",
        "Kode OTP: delapan satu dua tiga tiga empat",
        "PIN kartu: 482913",
        "77gnuga4gnunuG=drowssap",
        "cGFzc3dvcmQ9R3VudW5nNGd1bmc3Nw==",
        "use Zx8qLm03TtRk9PvYw2Ns6Hb4 for it",
        "Authorization: Basic YXBwOkd1bnVuZzRndW5n",
        "https://app:Gunung4gung@kopi.example/db",
    ],
)
def test_a_key_is_seen_by_its_name_or_its_looks(text: str) -> None:
    assert [fact.code for fact in credential_facts([("body", text)], (), ())] == ["credential"]
    assert credential_facts([("body", text)], (), (text,)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Please choose a password with eight letters.",
        "The postal code is 10220; the dress code is casual.",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "id 018f0000-0000-7000-8000-000000000007",
        "Arsip_2026_Q4_Kopi and LaporanKeuanganOktober2026Final2.xlsx",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    ],
)
def test_ordinary_words_names_and_numbers_are_no_keys(text: str) -> None:
    assert credential_facts([("body", text)], (), ()) == []


def test_a_key_names_the_answer_it_was_read_in_and_the_second_one_counts_too() -> None:
    text = "password: kopi-enak-77 and password: Gunung4gung77"
    (fact,) = credential_facts([("body", text)], (Reading(2, "http_get", "password: Gunung4gung77"),), (text[:22],))
    assert (fact.source_step, fact.source_tool) == (2, "http_get")


@pytest.mark.parametrize(
    "text",
    [
        SHIFTED,
        SAID.replace("o", "0").replace("e", "3").replace("a", "4"),
        SAID.replace("o", "\u043e").replace("a", "\u0430"),
        " ".join(reversed(SAID.split())),
        " ".join(word[::-1] for word in SAID.split()),
        " ".join(SAID.upper()),
        "".join(f"\\x{ord(sign):02x}" for sign in SAID),
    ],
)
def test_a_secret_passage_is_seen_in_disguise(text: str) -> None:
    (fact,) = secret_facts([("body", text)], (SECRET,), ())
    assert (fact.code, fact.source_step) == ("secret", 3)
    assert secret_facts([("body", text)], (SECRET,), (SAID,)) == []


def test_a_passage_divided_over_two_arguments_is_seen() -> None:
    (fact,) = secret_facts([("subject", SAID[:22]), ("body", SAID[22:40])], (SECRET,), ())
    assert fact.code == "secret"


def test_a_block_that_nobody_can_read_is_held_once_something_secret_was_read() -> None:
    block = "eJxzzy9SKE4tKlMoSMxOVShJLS5RSMpJzEtXKMnILFYAosSiVABkbAyD"
    (fact,) = secret_facts([("body", block)], (SECRET,), ())
    assert (fact.code, fact.source_step) == ("unreadable", 3)
    assert secret_facts([("body", block)], (Reading(1, "read_input", SAID),), ()) == []


def test_a_summary_in_other_words_leaves() -> None:
    text = "The board has approved the sale, 2 people know of it, 23 November 2026, invoice 2026-00412."
    assert secret_facts([("body", text)], (SECRET,), ()) == []
