"""The Workers tab on a phone: a run as it happens, a ticket with files, a change to sign."""

from uuid import UUID

import pytest
from playwright.sync_api import FilePayload, expect

from app.role_registry import Role
from app.work_queue import inputs_of
from e2e.browser import Phone
from e2e.company import Company, analyst
from tests.processes import Machine

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def nadia(company: Company) -> Role:
    """Looks at the files, then asks before it writes a note."""
    return company.hire(analyst("Nadia"))


def test_a_run_is_watched_as_it_happens_and_stopped(
    phone: Phone, company: Company, served: Machine, nadia: Role
) -> None:
    page = phone.open(f"/tickets/new?role={nadia.id}")
    page.locator("[name=title]").fill("Catat stok")
    page.locator("[name=instructions]").fill("Catat dua hal.")
    page.get_by_role("button", name="Buka tiket").click()
    page.wait_for_url("**/tickets/0*")
    here = page.url
    served.start("worker", "app.cli", "worker")
    page.locator("a[href^='/runs/']").click(timeout=60_000)
    expect(page.locator(".trail > li")).to_have_count(2, timeout=60_000)
    expect(page.locator(".trail > li").nth(1)).to_contain_text("menunggu Anda", timeout=30_000)
    expect(page.locator(".trail > li").first).to_contain_text("selesai")
    page.get_by_text("Hentikan", exact=True).first.click()
    page.locator("form[action$='/cancel'] button").click()
    expect(page.locator(".state").first).to_have_text("Dibatalkan")
    served.kill("worker")
    page.goto(here)
    expect(page.locator(".state").first).to_have_text("Dibatalkan")


def test_files_are_gathered_marked_sent_and_kept(phone: Phone, company: Company, nadia: Role) -> None:
    page = phone.open("/tickets/new")
    page.locator("[name=title]").fill("Baca foto")
    page.locator("[name=instructions]").fill("Baca kedua foto.")
    page.locator("[name=approval_required]").check()
    camera = page.locator("input[capture=environment]")
    camera.set_input_files(FilePayload(name="image.jpg", mimeType="image/jpeg", buffer=b"\xff\xd8one"))
    camera.set_input_files(FilePayload(name="image.jpg", mimeType="image/jpeg", buffer=b"\xff\xd8two"))
    several = page.locator("input[name=files][multiple]")
    several.set_input_files(FilePayload(name="rahasia.csv", mimeType="text/csv", buffer=b"a,b\n"))
    items = page.locator("ticket-files li")
    expect(items).to_have_count(3)
    assert items.locator("b").all_inner_texts() == ["image.jpg", "image-2.jpg", "rahasia.csv"]
    items.nth(1).get_by_role("button", name="Hapus").click()
    items.nth(1).get_by_label("Rahasia").check()
    items.nth(0).get_by_label("Saya jamin").check()
    phone.context.set_offline(True)
    page.get_by_role("button", name="Buka tiket").click()
    expect(page.locator("ticket-files [data-problem]")).to_contain_text("Tidak ada jaringan")
    phone.context.set_offline(False)
    phone.problems.clear()
    page.get_by_role("button", name="Buka tiket").click()
    page.wait_for_url("**/tickets/0*")
    ticket_id = UUID(page.url.rpartition("/")[2])
    kept = company.tell(lambda tx: inputs_of(tx, ticket_id))
    marks = {one.name: (one.trusted, one.secret) for one in kept}
    assert marks == {"image.jpg": (True, False), "rahasia.csv": (False, True)}


def test_a_changed_contract_is_seen_whole_before_it_is_signed(phone: Phone, nadia: Role) -> None:
    page = phone.open(f"/workers/{nadia.id}")
    page.get_by_role("link", name="Ubah kontrak").click()
    page.locator("label:has(input[name='tool:write_note'][value=allow])").click()
    page.get_by_role("button", name="Lihat lalu tanda tangani").click()
    page.wait_for_url("**/approvals/*")
    changed = "Bertanya setiap kali hendak meninggalkan catatan. → Boleh meninggalkan catatan."
    expect(page.locator("approval-card")).to_contain_text(changed)
