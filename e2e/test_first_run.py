"""A new founder's way, as somebody walks it who has never seen this: from the link to the first approved action."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from app.role_registry import list_roles
from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Phones
from e2e.looks import clean, flaws
from tests.databases import Cluster
from tests.processes import Machine, machine, wait_until

pytestmark = pytest.mark.timeout(400)

MOST_TAPS = 15
MOST_SECONDS = 180


class Hand:
    """Taps, and counts; what is typed costs no tap beyond the first into its field."""

    def __init__(self) -> None:
        self.taps = 0
        self.spent = 0.0

    def tap(self, what: Locator) -> None:
        self.taps += 1
        began = time.monotonic()
        what.click()
        self.spent += time.monotonic() - began

    def write(self, where: Locator, text: str) -> None:
        self.taps += 1
        where.fill(text)


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine whose undo window a person would keep, with a worker."""
    name = cluster.take().result()
    home: Path = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    with machine(home, cluster.url(None, name), FLR_UNDO_SECONDS="2") as made:
        yield made
    cluster.give_back(name)


def ticked(page: Page) -> list[str]:
    return [str(one.get_attribute("data-step")) for one in page.locator(".ticks .done").all()]


def test_from_the_link_to_the_first_approved_action(phones: Phones, company: Company, served: Machine) -> None:
    served.start("worker", "app.cli", "worker")
    phone: Phone = phones()
    phone.add_authenticator()
    page, hand = phone.page, Hand()
    page.goto(company.link())
    hand.tap(page.locator("passkey-maker button"))
    expect(page.locator(".codes li")).to_have_count(8)
    assert clean({"/enrolled": flaws(phone, "id")})
    hand.tap(page.get_by_role("link", name="Buka konsol"))
    expect(page.get_by_role("heading", name="Langkah pertama")).to_be_visible()
    assert ticked(page) == ["passkey", "codes"]
    assert page.locator("[data-step=notify] a").count() == 0, "nobody is asked before the first card was seen"
    hand.tap(page.get_by_role("link", name="Pasang di layar utama"))
    hand.tap(page.get_by_role("button", name="Sudah, atau nanti saja"))
    hand.tap(page.get_by_role("link", name="Pekerjakan pekerja pertama"))
    hand.tap(page.get_by_role("link", name="Layanan pelanggan"))
    hand.tap(page.get_by_role("button", name="Lanjut ke tanda tangan"))
    hand.tap(page.get_by_role("button", name="Setujui dengan kunci Anda"))
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    hired(company)
    page.goto(phone.origin)
    assert ticked(page) == ["passkey", "codes", "install", "hire"]
    hand.tap(page.get_by_role("link", name="Buka tiket pertama"))
    hand.write(page.get_by_label("Judul"), "Balas keluhan Bu Ratna")
    hand.write(page.get_by_label("Apa yang Anda inginkan?"), "Minta maaf, tawarkan kopi pengganti.")
    hand.tap(page.locator("label:has(input[name=approval_required])"))
    hand.tap(page.get_by_role("button", name="Buka tiket"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Balas keluhan Bu Ratna")
    waiting(phone)
    hand.tap(page.locator("approval-card").get_by_role("button", name="Setujui"))
    expect(page.locator("#toasts")).to_contain_text("Disetujui")
    assert hand.taps <= MOST_TAPS
    assert hand.spent <= MOST_SECONDS
    page.goto(phone.origin)
    assert ticked(page) == ["passkey", "codes", "install", "hire", "ticket"]
    page.get_by_role("link", name="Aktifkan notifikasi").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Notifikasi")


def hired(company: Company) -> None:
    wait_until(
        lambda: any(role.status == "active" for role in company.tell(list_roles)),
        seconds=60,
        said="the worker is hired",
    )


def waiting(phone: Phone) -> None:
    """Until the question stands on Today, where a founder looks."""

    def there() -> bool:
        phone.open("/")
        return phone.page.locator("approval-card").count() > 0

    wait_until(there, seconds=60, said="the start of the ticket waits for the founder")


def test_the_first_steps_can_be_put_away(phones: Phones, company: Company) -> None:
    phone = phones()
    phone.add_authenticator()
    phone.enrol(company.link())
    page = phone.open("/")
    page.get_by_role("button", name="Sembunyikan").click()
    expect(page.locator(".first")).to_have_count(0)
