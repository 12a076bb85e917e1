"""docs/ledger-format.md is enough for an implementation in another language: one in JavaScript agrees with ours.

Where there is no Node.js it is not run; `test_second_verifier.py` then stands for it, from the same page.
"""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from app.postgres import Database
from tests.governance_ledger.ledgers import KEY, receive, sign
from tests.verifier import test_forged_approvals as forged
from tests.verifier.files import exported, lines_in, written
from tests.verifier.javascript import NODE, found
from tests.verifier.test_forged_receipts import ATTACKS as RECEIPT_ATTACKS
from tests.verifier.test_second_verifier import GOLDEN, GOLDEN_KEY
from tests.verifier.test_tampering import ATTACKS

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed; make test needs none")


def test_it_verifies_the_export_of_the_page() -> None:
    assert found(GOLDEN, GOLDEN_KEY) == ""
    assert "not signed by the given key" in found(GOLDEN, KEY.raw_public.hex()[::-1])


async def test_it_agrees_on_a_real_export_and_on_what_was_forged(ledger: Path, tmp_path: Path) -> None:
    content = lines_in(ledger)
    assert found(written(tmp_path / "plain", content)) == ""
    passed = [
        attack.__name__
        for attack in [*ATTACKS, *RECEIPT_ATTACKS]
        if not found(written(tmp_path / "forged", attack(content)))
    ]
    assert passed == []


async def test_it_agrees_on_a_range(
    database: Database, sealer: asyncpg.Connection, ledger: Path, tmp_path: Path
) -> None:
    await receive(database, 3)
    await sign(sealer)
    for first, last in ((13, 17), (14, 14), (2, 20), (9, 9)):
        part = lines_in(await exported(database, tmp_path, f"{first}", from_seq=first, to_seq=last))
        assert found(written(tmp_path / "plain", part)) == ""


@pytest.mark.parametrize("attack", forged.ATTACKS, ids=lambda attack: attack.__name__)
async def test_it_finds_a_bent_approval(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, attack: forged.Attack
) -> None:
    await forged.staged(database, attack)
    await sign(sealer)
    path = written(tmp_path / "plain", lines_in(await exported(database, tmp_path)))
    assert await asyncio.to_thread(found, path) != ""
