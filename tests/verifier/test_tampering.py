"""Whoever edits an export is found, and the first place is named; also one who fits chain and end to his edits."""

import re
from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.auth import SigningKey
from app.postgres import Database
from app.verifier import lines
from app.verifier.chain import genesis, leaf_of, link
from app.verifier.errors import NotAnExport
from app.verifier.keys import Trusted
from app.verifier.report import Report
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, record, sign
from tests.verifier.decisions import APPROVAL_KEYS
from tests.verifier.files import checked, ended, lines_in, written

TRUSTED = Trusted({KEY.kid: KEY.raw_public}, APPROVAL_KEYS)
Lines = list[bytes]


def place(content: Lines, start: bytes, number: int = 0) -> int:
    return [at for at, line in enumerate(content) if line.startswith(start)][number]


def rehashed(content: Lines) -> Lines:
    """Chain hashes and end that fit the events as they are now."""
    head, seq, out = genesis(TENANT), 0, []
    for line in content:
        if not line.startswith(lines.EVENT):
            out.append(line)
            continue
        document = line[9 : line.rfind(b'},"hash":"') + 1]
        seq += 1
        head = link(head, seq, leaf_of(document))
        out.append(lines.event_line(document, head, seq))
    return ended(out)


def replaced(old: bytes, new: bytes, start: bytes, number: int, content: Lines) -> Lines:
    at = place(content, start, number)
    assert old in content[at]
    return [*content[:at], content[at].replace(old, new, 1), *content[at + 1 :]]


def edit_an_event(content: Lines) -> Lines:
    return ended(replaced(b'"number":1', b'"number":2', lines.EVENT, -2, content))


def backdate_an_event(content: Lines) -> Lines:
    return ended(replaced(b'{"at":"20', b'{"at":"19', lines.EVENT, -2, content))


def edit_an_image(content: Lines) -> Lines:
    return ended(replaced(b"Warung", b"Gudang", lines.CHANGE, 0, content))


def edit_evidence(content: Lines) -> Lines:
    return ended(replaced(b'"content":"ey', b'"content":"fy', lines.EVIDENCE, 0, content))


def edit_and_rehash(content: Lines) -> Lines:
    return rehashed(edit_an_event(content))


def backdate_and_rehash(content: Lines) -> Lines:
    return rehashed(backdate_an_event(content))


def reorder(content: Lines) -> Lines:
    first, second = place(content, lines.EVENT, -3), place(content, lines.EVENT, -2)
    content = list(content)
    content[first], content[second] = content[second], content[first]
    return ended(content)


def reorder_and_rehash(content: Lines) -> Lines:
    return rehashed(reorder(content))


def drop_the_last_line(content: Lines) -> Lines:
    return content[:-1]


def drop_the_last_events(content: Lines) -> Lines:
    return ended(content[: place(content, lines.EVENT, -2)])


def drop_the_last_events_and_promise_less(content: Lines) -> Lines:
    cut = content[: place(content, lines.EVENT, -2)]
    last = int(re.findall(rb'"seq":([0-9]+)\}\n$', cut[place(cut, lines.EVENT, -1)])[0])
    header = re.sub(rb'"to_seq":[0-9]+', b'"to_seq":%d' % last, cut[0])
    return ended([header, *cut[1:]])


def drop_an_event(content: Lines) -> Lines:
    at = place(content, lines.EVENT, -3)
    return ended([*content[:at], *content[at + 1 :]])


def drop_an_event_and_rehash(content: Lines) -> Lines:
    return rehashed(drop_an_event(content))


def double_an_event(content: Lines) -> Lines:
    at = place(content, lines.EVENT, -1)
    return rehashed([*content[:at], content[at], *content[at:]])


def swap_checkpoints(content: Lines) -> Lines:
    first, last = place(content, lines.CHECKPOINT, 0), place(content, lines.CHECKPOINT, -1)
    content = list(content)
    content[first], content[last] = content[last], content[first]
    return ended(content)


def drop_a_checkpoint(content: Lines) -> Lines:
    at = place(content, lines.CHECKPOINT, 0)
    return ended([*content[:at], *content[at + 1 :]])


def drop_all_checkpoints(content: Lines) -> Lines:
    return ended([line for line in content if not line.startswith(lines.CHECKPOINT)])


def drop_a_change(content: Lines) -> Lines:
    at = place(content, lines.CHANGE, 0)
    return ended([*content[:at], *content[at + 1 :]])


def slip_a_change_in(content: Lines) -> Lines:
    """What a row change leaves when the trigger of the Law was off: nobody accounts for it."""
    change = lines.change_line(
        xid="9999999", n=9999999, table="role_registry.ai_roles", key="x", op="D", old=bytes(32), new=None, image=None
    )
    return ended([*content[:-1], change])


def drop_evidence(content: Lines) -> Lines:
    at = place(content, lines.EVIDENCE, 0)
    return ended([*content[:at], *content[at + 1 :]])


def call_evidence_lost(content: Lines) -> Lines:
    at = place(content, lines.EVIDENCE, 0)
    found = re.findall(rb'"sha256":"([0-9a-f]{64})"', content[at])
    return ended([*content[:at], lines.missing_line(found[-1].decode(), "lost"), *content[at + 1 :]])


def add_a_line(content: Lines) -> Lines:
    return [*content, b'{"end":{}}\n']


def leave_whitespace(content: Lines) -> Lines:
    at = place(content, lines.CHANGE, 0)
    return ended([*content[:at], content[at].replace(b'":"', b'": "', 1), *content[at + 1 :]])


ATTACKS = {
    edit_an_event: "does not follow from the event",
    backdate_an_event: "does not follow from the event",
    edit_and_rehash: "checkpoint 3 signed: the tree's root differs",
    backdate_and_rehash: "backdated|root differs",
    reorder: "is missing: ",
    reorder_and_rehash: "root differs",
    drop_the_last_line: "truncated: the export ends after line",
    drop_the_last_events: "the header promises events up to",
    drop_the_last_events_and_promise_less: "are covered by no checkpoint",
    drop_an_event: "is missing: ",
    drop_an_event_and_rehash: "covers .* and stands after|root differs",
    double_an_event: "beyond the range",
    swap_checkpoints: "covers .* events and stands after",
    drop_a_checkpoint: "does not follow the one before it",
    drop_all_checkpoints: "no signed checkpoint",
    edit_an_image: "is not the one that was hashed",
    drop_a_change: "row changes, .* of its transaction are here|found another row",
    slip_a_change_in: r"has no event \(Law 17\)",
    edit_evidence: "its bytes hash to another value|not canonical",
    drop_evidence: "not in the file",
    call_evidence_lost: "is lost",
    add_a_line: "something follows the end",
    leave_whitespace: "not canonical",
}


async def test_every_attack_on_an_export_is_found_and_named(ledger: Path, tmp_path: Path) -> None:
    content = lines_in(ledger)
    assert checked(written(tmp_path / "same", content), trusted=TRUSTED).ok
    assert checked(written(tmp_path / "same", ended(content)), trusted=TRUSTED).ok
    missed = {}
    for attack, reason in ATTACKS.items():
        found = checked(written(tmp_path / "forged", attack(content)), trusted=TRUSTED).first_break
        if found is None or not re.search(reason, found.reason) or found.line is None:
            missed[attack.__name__] = found
    assert missed == {}


async def test_the_first_broken_place_is_named(ledger: Path, tmp_path: Path) -> None:
    content = lines_in(ledger)
    at = place(content, lines.EVENT, -2)
    found = checked(written(tmp_path / "forged", edit_an_event(content)), trusted=TRUSTED).first_break
    assert found is not None
    event_id = re.findall(rb'"\},"id":"([0-9a-f-]{36})"', content[at])[0].decode()
    seq = int(re.findall(rb'"seq":([0-9]+)\}\n$', content[at])[0])
    assert (found.line, found.seq, found.event_id) == (at + 1, seq, event_id)


async def test_a_key_that_was_not_given_signs_nothing(ledger: Path) -> None:
    stranger = SigningKey(Ed25519PrivateKey.generate())
    report = checked(ledger, trusted=Trusted({stranger.kid: stranger.raw_public}, {}))
    assert report.first_break is not None
    assert "is not signed by the given key" in report.first_break.reason


async def test_a_checkpoint_of_another_tenant_is_found(
    database: Database, sealer: asyncpg.Connection, ledger: Path, tmp_path: Path
) -> None:
    await record(database, 3, OTHER)
    await sign(sealer)
    note = await sealer.fetchval("SELECT note FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1", OTHER)
    content = lines_in(ledger)
    content[place(content, lines.CHECKPOINT, 0)] = lines.checkpoint_line(1, note)
    report = checked(written(tmp_path / "forged", ended(content)), trusted=TRUSTED)
    assert report.first_break is not None
    assert "a checkpoint of another log" in report.first_break.reason


def _flipped(source: Path, place: int, mask: int) -> Path:
    content = bytearray(source.read_bytes())
    content[place % len(content)] ^= mask
    out = source.with_suffix(".flipped")
    out.write_bytes(content)
    return out


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, 10**9), mask=st.integers(1, 255))
def any_changed_byte_is_found(source: Path, *, place: int, mask: int) -> None:
    assert not _holds(_flipped(source, place, mask))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, 10**9), mask=st.integers(1, 255))
def any_changed_byte_is_found_or_changes_no_line(source: Path, *, place: int, mask: int) -> None:
    changed = _flipped(source, place, mask)
    assert not _holds(changed) or lines_in(changed) == lines_in(source)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(kept=st.integers(0, 10**9))
def any_beginning_is_found(source: Path, *, kept: int) -> None:
    content = source.read_bytes()
    cut = source.with_suffix(".cut")
    cut.write_bytes(content[: kept % len(content)])
    assert not _holds(cut)


def _holds(path: Path) -> bool:
    try:
        report: Report = checked(path, trusted=TRUSTED)
    except NotAnExport:
        return False
    return report.ok


async def test_any_single_byte_changed_or_any_tail_cut_is_found(ledger: Path, tmp_path: Path) -> None:
    plain = written(tmp_path / "plain.ndjson", lines_in(ledger))
    any_changed_byte_is_found(plain)
    any_changed_byte_is_found_or_changes_no_line(ledger)
    any_beginning_is_found(plain)
    any_beginning_is_found(ledger)
