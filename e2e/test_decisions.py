"""Decisions on the phone: one tap, undo, the founder's own key, and cards that are no longer what they were."""

import re

import pytest
from playwright.sync_api import Route, expect

from app.canon.vocabulary import Money, Tier
from app.role_registry import Role
from app.work_queue import Approval
from e2e.browser import Phone, box
from e2e.company import Company
from e2e.conftest import Phones
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def raka(company: Company) -> Role:
    return company.worker("Raka", "Keuangan")


def card(phone: Phone, approval: Approval) -> str:
    return f"#a-{approval.id}"


def test_one_tap_approves_and_one_tap_takes_it_back(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka)
    page = phone.open("/approvals")
    page.locator(card(phone, asked)).get_by_role("button", name="Setujui").click()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    assert company.approval(asked.id).status == "approved"
    page.locator("#toasts").get_by_role("button", name="Urungkan").click()
    expect(page.locator("#toasts")).to_contain_text("Diurungkan")
    assert company.approval(asked.id).status == "pending"
    expect(page.locator(card(phone, asked))).to_be_visible()
    company.decide(company.approval(asked.id), "reject")


def test_the_undo_window_closes_on_the_server(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka, undo_seconds=1)
    page = phone.open(f"/approvals/{asked.id}")
    page.get_by_role("button", name="Setujui").click()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    expect(page.locator("#main")).to_contain_text("Disetujui", timeout=10_000)
    wait_until(lambda: page.locator("#toasts undo-toast").count() == 0, said="the toast leaves with the window")


def test_one_tap_rejects_whatever_the_risk(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka, tier=Tier.R2, money=Money(2_400_000))
    page = phone.open("/approvals")
    page.locator(card(phone, asked)).get_by_role("button", name="Tolak").click()
    expect(page.locator("#toasts")).to_contain_text("Ditolak")
    assert company.approval(asked.id).status == "rejected"
    expect(page.locator(card(phone, asked))).to_have_count(0)


def test_a_reason_goes_with_the_rejection_and_the_worker_can_be_paused(
    phone: Phone, company: Company, raka: Role
) -> None:
    asked = company.ask(raka)
    page = phone.open(f"/approvals/{asked.id}")
    page.get_by_text("Tolak dengan alasan").click()
    page.get_by_label("Jeda pekerja ini juga").check()
    page.get_by_role("button", name="Terlalu mahal").click()
    wait_until(lambda: company.approval(asked.id).status == "rejected", said="rejected")
    assert company.approval(asked.id).reason == "Terlalu mahal"
    page = phone.open(f"/workers/{raka.id}")
    expect(page.locator(".sum")).to_contain_text("Jeda")
    page.get_by_role("button", name="Lanjutkan").click()
    expect(page.locator(".sum")).not_to_contain_text("Jeda")


def test_high_risk_is_approved_with_the_founders_own_key(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka, tier=Tier.R2, tool="order_payment", money=Money(12_105_000))
    page = phone.open("/approvals")
    page.locator(card(phone, asked)).get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    decided = company.approval(asked.id)
    assert decided.status == "approved"
    claims = company.tokens.read(decided.signature or "")
    assert claims.payload_digest == asked.payload_digest
    assert claims.proof["method"] == "passkey"


def test_a_finger_that_is_not_recognised_sends_nothing(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka, tier=Tier.R2, money=Money(900_000))
    page = phone.open(f"/approvals/{asked.id}")
    phone.recognise(False)
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.locator("#toasts")).to_contain_text("Tidak ada yang dikirim")
    assert company.approval(asked.id).status == "pending"
    phone.recognise(True)
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")


def test_the_page_refuses_to_sign_what_it_does_not_show(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka, tier=Tier.R2, money=Money(900_000))
    page = phone.context.new_page()
    phone.page = page
    page.route(
        "**/statement",
        lambda route: route.fulfill(response=(got := route.fetch()), body=got.text().replace("900000", "9000000")),
    )
    phone._cdp = None
    page.goto(f"{phone.origin}/approvals/{asked.id}")
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.locator("#toasts")).to_contain_text("bukan yang ditampilkan")
    assert company.approval(asked.id).status == "pending"


def test_a_card_decided_elsewhere_says_so(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka)
    page = phone.open(f"/approvals/{asked.id}")
    page.route(re.compile("/events"), lambda route: route.abort())
    phone.open(f"/approvals/{asked.id}")
    company.decide(asked, "reject")
    page.get_by_role("button", name="Setujui", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Sudah diputuskan")
    phone.problems[:] = [problem for problem in phone.problems if "409" not in problem and "ERR_FAILED" not in problem]


def test_a_card_that_is_decided_elsewhere_while_it_is_read_says_so_at_once(
    phone: Phone, company: Company, raka: Role
) -> None:
    asked = company.ask(raka)
    page = phone.open(f"/approvals/{asked.id}")
    company.decide(asked, "reject")
    expect(page.get_by_role("alert")).to_contain_text("tidak menunggu lagi")
    expect(page.locator("#main")).to_contain_text("Ditolak")
    expect(page.get_by_role("link", name="Ke keputusan lainnya")).to_have_attribute("href", "/approvals")


def test_in_a_list_it_says_so_where_it_stood(phone: Phone, company: Company, raka: Role) -> None:
    first, second, third = (company.ask(raka, minutes=minutes) for minutes in (5, 70, 140))
    page = phone.open("/approvals")
    company.decide(second, "reject")
    gone = page.get_by_role("alert")
    expect(gone).to_contain_text("tidak menunggu lagi")
    standing = [f"a-{one.id}" for one in (first, second, third)]
    ids = page.locator("approval-card, .gone").evaluate_all("found => found.map(one => one.id)")
    assert [one for one in ids if one in standing] == standing
    page.locator(card(phone, first)).get_by_role("button", name="Tolak").click()
    expect(page.locator(card(phone, first))).to_have_count(0)
    expect(gone).to_have_count(1)
    gone.get_by_role("link", name="Lihat apa yang terjadi").click()
    expect(page.locator("#main")).to_contain_text("Ditolak")
    company.decide(third, "reject")


def test_twelve_cards_go_by_though_the_server_has_answered_none(phone: Phone, company: Company, raka: Role) -> None:
    asked = [company.ask(raka, minutes=60 + number, to=f"ke{number}@contoh.id") for number in range(12)]
    page = phone.open("/approvals")
    unanswered: list[Route] = []

    def keep(route: Route) -> None:
        unanswered.append(route)

    page.route("**/decide", keep)
    for number, one in enumerate(asked):
        page.locator(card(phone, one)).get_by_role("button", name="Setujui").click()
        expect(page.locator(card(phone, one))).to_be_hidden()
        if number + 1 < len(asked):
            expect(page.locator(card(phone, asked[number + 1]))).to_be_visible()
        page.wait_for_timeout(200)
    assert len(unanswered) == len(asked)
    assert {company.approval(one.id).status for one in asked} == {"pending"}
    for route in unanswered:
        route.continue_()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    wait_until(lambda: {company.approval(one.id).status for one in asked} == {"approved"}, said="approved")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_new_question_appears_by_itself(phone: Phone, company: Company, raka: Role) -> None:
    page = phone.open("/approvals")
    before = page.locator("#pending").inner_text()
    asked = company.ask(raka, to="baru@contoh.id")
    expect(page.locator(card(phone, asked))).to_be_visible(timeout=10_000)
    assert page.locator("#pending").inner_text() != before


def test_everything_is_decided_without_script_too(phones: Phones, phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka, undo_seconds=30)
    plain = phones(state=phone.context.storage_state(), script=False)
    page = plain.open("/approvals")
    page.locator(card(plain, asked)).get_by_role("button", name="Setujui").click()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    page.locator("#toasts").get_by_role("button", name="Urungkan").click()
    assert company.approval(asked.id).status == "pending"
    keyed = company.ask(raka, tier=Tier.R2)
    page = plain.open(f"/approvals/{keyed.id}")
    page.get_by_role("button", name="Setujui").click()
    expect(page.locator("body")).to_contain_text("Perlu kunci Anda")
    assert company.approval(keyed.id).status == "pending"
    plain.problems[:] = [problem for problem in plain.problems if "403" not in problem]


def swipe(phone: Phone, approval: Approval, by: int) -> None:
    """A finger on the card's sentence, moved sideways by `by` pixels. While it is down the page stands still; if the
    card was put elsewhere just before, the finger comes down again."""
    pills = phone.page.locator(f"{card(phone, approval)} .pills")
    on_the_card = "(pills, [x, y]) => pills.closest('approval-card').contains(document.elementFromPoint(x, y))"
    for _ in range(5):
        pills.evaluate("element => element.scrollIntoView({ block: 'center' })")
        place = box(pills)
        x, y = 195, place["y"] + place["height"] / 2
        phone.cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        if pills.evaluate(on_the_card, [x, y]):
            break
        phone.cdp.send("Input.dispatchTouchEvent", {"type": "touchCancel", "touchPoints": []})
    else:
        raise AssertionError("the card does not stand still")
    for part in range(1, 9):
        points = [{"x": x + by * part / 8, "y": y}]
        phone.cdp.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    phone.cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_swipe_decides_and_the_same_undo_takes_it_back(phone: Phone, company: Company, raka: Role) -> None:
    asked = company.ask(raka)
    page = phone.open("/approvals")
    swipe(phone, asked, 40)
    expect(page.locator("#toasts undo-toast")).to_have_count(0)
    assert company.approval(asked.id).status == "pending"
    swipe(phone, asked, 185)
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    page.locator("#toasts").get_by_role("button", name="Urungkan").click()
    expect(page.locator("#toasts")).to_contain_text("Diurungkan")
    expect(page.locator(card(phone, asked))).to_be_visible()
    assert company.approval(asked.id).status == "pending"
    swipe(phone, asked, -185)
    expect(page.locator("#toasts")).to_contain_text("Ditolak")
    assert company.approval(asked.id).status == "rejected"


def test_keys_decide_as_fingers_do(phone: Phone, company: Company, raka: Role) -> None:
    first = company.ask(raka, minutes=20)
    second = company.ask(raka, minutes=200)
    page = phone.open("/approvals")
    page.locator(f"{card(phone, first)} .act a").focus()
    page.keyboard.press("a")
    expect(page.locator(card(phone, first))).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    wait_until(lambda: company.approval(first.id).status == "approved", said="approved")
    page.locator(f"{card(phone, second)} .act a").focus()
    page.keyboard.press("r")
    wait_until(lambda: company.approval(second.id).status == "rejected", said="rejected")


def test_a_list_is_signed_by_one_touch_of_the_finger(phone: Phone, company: Company, raka: Role) -> None:
    asked = [company.ask(raka, tier=Tier.R2, money=Money(1_000_000 + part)) for part in range(3)]
    page = phone.open("/approvals/select")
    for one in asked:
        page.locator(f'input[value="{one.id}:{one.version}"]').check()
    page.get_by_role("button", name="Tinjau").click()
    page.locator(f'input[value="{asked[2].id}:{asked[2].version}"]').uncheck()
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.get_by_role("status").first).to_contain_text("2 dari 2")
    assert [company.approval(one.id).status for one in asked] == ["approved", "approved", "pending"]
    claims = company.tokens.read(company.approval(asked[0].id).signature or "")
    assert len(claims.proof["statement"]["items"]) == 2  # type: ignore[index]
    company.decide(asked[2], "reject")
