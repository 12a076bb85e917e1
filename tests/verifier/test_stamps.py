"""RFC 3161 time stamps are verified with nothing but `cryptography`, and agree with a library made for them."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.governance_ledger import timestamping
from app.verifier import der
from app.verifier.errors import Broken, KeyUnknown
from app.verifier.stamps import check_stamp, read_roots
from tests.governance_ledger.authority import LocalAuthority

STAMPS = Path(__file__).parent / "stamps"
NOTE = "5-layer-runtime/ledger/018f0000-0000-7000-8000-000000000001\n3\n\n— signed\n"
AUTHORITY, ANOTHER = LocalAuthority(), LocalAuthority()
STAMP = AUTHORITY.stamp(sha256(NOTE.encode()).digest(), 7)
ROOTS = [AUTHORITY.root]


def test_the_time_is_that_which_the_library_reads() -> None:
    assert check_stamp(STAMP, NOTE, ROOTS) == timestamping.check_stamp(STAMP, NOTE, ROOTS)
    assert check_stamp(STAMP, NOTE, [AUTHORITY.leaf]) == check_stamp(STAMP, NOTE, [ANOTHER.root, AUTHORITY.root])


def test_a_stamp_that_openssl_made_with_rsa_under_an_intermediate_is_verified() -> None:
    """`openssl ts -reply` over `a note` with SHA-512."""
    stamp, roots = (STAMPS / "openssl.tsr").read_bytes(), read_roots([STAMPS / "root.pem"])
    assert check_stamp(stamp, "a note\n", roots) == datetime(2026, 11, 27, 2, 12, 22, 449_000, UTC)
    for note, other in (("another note\n", roots), ("a note\n", ROOTS)):
        with pytest.raises(Broken):
            check_stamp(stamp, note, other)


def unsigned(stamp: bytes) -> bytes:
    return stamp[:-4] + bytes(4)


WRONG: dict[str, tuple[Callable[[], bytes], str, list[object], str]] = {
    "another note": (lambda: STAMP, NOTE + " ", [AUTHORITY.root], "of other bytes"),
    "another root": (lambda: STAMP, NOTE, [ANOTHER.root], "none of the given roots"),
    "another signature": (lambda: unsigned(STAMP), NOTE, [AUTHORITY.root], "signature does not hold|cannot be read"),
    "no time stamp": (lambda: b"DER", NOTE, [AUTHORITY.root], "does not verify"),
    "cut short": (lambda: STAMP[:-9], NOTE, [AUTHORITY.root], "ends too early"),
    "a refusal": (
        lambda: LocalAuthority(status=2).answer("/", "application/timestamp-query", b"")[2],
        NOTE,
        [AUTHORITY.root],
        "gave none",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_time_stamp_of_the_note_is_refused(what: str) -> None:
    made, note, roots, reason = WRONG[what]
    with pytest.raises(Broken, match=reason):
        check_stamp(made(), note, roots)  # type: ignore[arg-type]


@given(st.integers(0, len(STAMP) - 1), st.integers(1, 255))
@example(STAMP.index(AUTHORITY.leaf.serial_number.to_bytes(20, "big").lstrip(b"\0")), 128)
def test_no_changed_byte_gives_another_time(place: int, by: int) -> None:
    changed = bytes((*STAMP[:place], STAMP[place] ^ by, *STAMP[place + 1 :]))
    try:
        at = check_stamp(changed, NOTE, ROOTS)
    except Broken:
        return
    assert at == check_stamp(STAMP, NOTE, ROOTS)


@given(st.binary(max_size=60))
def test_bytes_that_are_not_der_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(Broken):
        check_stamp(data, NOTE, ROOTS)


def test_an_object_identifier_is_read_as_it_is_written() -> None:
    assert der.read(bytes.fromhex("06092a864886f70d010702")).dotted() == "1.2.840.113549.1.7.2"
    assert der.read(bytes.fromhex("0603883703")).dotted() == "2.999.3"


def test_a_file_without_a_certificate_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "root.pem"
    path.write_bytes(AUTHORITY.pem)
    assert read_roots([path]) == (AUTHORITY.root,)
    path.write_text("no certificate")
    with pytest.raises(KeyUnknown, match="holds no PEM certificate"):
        read_roots([path])
