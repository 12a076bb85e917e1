"""The list of what waits, when there is much of it."""

from datetime import timedelta

from app import clock
from app.canon.vocabulary import Money, Tier, new_id
from tests.founder_console.test_http import PAGE, Desk, desk

__all__ = ["desk"]


async def asks(desk: Desk, n: int, **changes: object) -> None:
    for _ in range(n):
        await desk.ask(act_digest=new_id().hex * 2, **changes)


async def shown(desk: Desk, path: str) -> int:
    return (await desk.client.get(path, headers=PAGE)).text.count("<approval-card")


async def test_few_cards_stand_in_one_list_without_kinds(desk: Desk) -> None:
    await asks(desk, 3, tier=Tier.R2)
    page = (await desk.client.get("/approvals", headers=PAGE)).text
    assert "only=" not in page


async def test_many_cards_are_shown_by_what_is_pressing_about_them(desk: Desk) -> None:
    later = clock.now() + timedelta(days=9)
    await asks(desk, 4, money=None, expires_at=later)
    await asks(desk, 2, tier=Tier.R2, money=Money(900_000), expires_at=later)
    page = (await desk.client.get("/approvals", headers=PAGE)).text
    assert "Semua 6" in page
    assert "Perlu kunci 2" in page
    assert "only=due" not in page, "nothing is due today"
    assert await shown(desk, "/approvals") == 6
    assert await shown(desk, "/approvals?only=money") == 2
    assert await shown(desk, "/approvals?only=key") == 2
    assert await shown(desk, "/approvals?only=due") == 6, "a kind of which there is nothing is no kind"


async def test_a_card_that_is_not_there_leads_to_those_that_are(desk: Desk) -> None:
    gone = await desk.client.get(f"/approvals/{new_id()}", headers=PAGE)
    assert gone.status_code == 404
    assert 'href="/approvals">Ke Keputusan</a>' in gone.text
