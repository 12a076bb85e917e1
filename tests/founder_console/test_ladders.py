"""The ladder of a worker on the phone: chosen in a form, read as sentences, signed like the rest of the contract."""

from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from app.canon.contract import Escalation, EscalationStep, Terms
from app.canon.errors import Invalid
from app.founder_console.wording import load_words
from app.founder_console.workers.ladders import AFTER, RUNGS, laddered, open_choices, rung_fields
from app.work_queue import get_approval
from tests.founder_console.test_worker_pages import Office, office

__all__ = ["office"]

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")["en"]
STANDING = Escalation((EscalationStep(1_800, "second_channel"), EscalationStep(7_100, "deputy")), 86_400)


def test_the_form_offers_every_rung_and_keeps_a_time_that_is_no_usual_choice() -> None:
    fields = {field.to: field for field in rung_fields(STANDING)}
    assert tuple(fields) == RUNGS
    assert fields["deputy"].seconds == 7_100
    assert set(fields["deputy"].choices) == {*AFTER, 7_100}
    assert fields["safe_default"].seconds is None
    assert 86_400 in open_choices(STANDING)


def test_a_form_makes_a_ladder_in_the_order_in_which_it_is_climbed() -> None:
    made = laddered(
        STANDING, {"rung:deputy": "900", "rung:second_channel": "1800", "rung:founder": "0", "expires": "7200"}, WORDS
    )
    assert made == Escalation((EscalationStep(900, "deputy"), EscalationStep(1_800, "second_channel")), 7_200)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"rung:deputy": "7200", "expires": "7200"}, "before the question expires"),
        ({"rung:safe_default": "900", "rung:deputy": "1800"}, "must come before it"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_not_made(form: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        laddered(STANDING, form, WORDS)


async def test_a_ladder_changed_on_the_phone_is_signed_like_the_rest_of_the_contract(office: Office) -> None:
    role = await office.ring.hire("write_note")
    assert f'href="/workers/{role.id}/ladder"' in await office.read(f"/workers/{role.id}")
    assert "Ponsel Anda berbunyi seketika." in await office.read(f"/workers/{role.id}/ladder")
    form = {"version": "1", "rung:second_channel": "900", "rung:safe_default": "7200", "expires": "14400"}
    there = await office.post(f"/workers/{role.id}/ladder", form)
    card = await office.read(there)
    assert "Ubah kontrak Mira (eskalasi)?" in card
    assert "Setelah 15\u00a0m tanpa keputusan: Anda diberi tahu lewat saluran kedua" in card
    assert "after_seconds" not in card
    async with office.ring.transaction() as tx:
        approval = await get_approval(tx, UUID(there.removeprefix("/approvals/")))
    assert (approval.kind, str(approval.tier)) == ("amend", "R2")
    asked = msgspec.convert(approval.payload["terms"], Terms)
    assert asked.escalation == Escalation(
        (EscalationStep(900, "second_channel"), EscalationStep(7_200, "safe_default")), 14_400
    )
    assert role.terms == msgspec.structs.replace(asked, escalation=Escalation())


async def test_a_ladder_that_says_nothing_new_or_something_impossible_asks_for_no_signature(office: Office) -> None:
    role = await office.ring.hire("write_note")
    same = await office.post(f"/workers/{role.id}/ladder", {"version": "1"}, status=422)
    assert "Belum ada yang diubah" in same
    late = {"version": "1", "rung:deputy": "3600", "expires": "3600"}
    assert "sebelum pertanyaannya kedaluwarsa" in await office.post(f"/workers/{role.id}/ladder", late, status=422)
