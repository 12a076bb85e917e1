"""The founder's phone keeps the newest checkpoint it saw; a ledger that does not continue from it turns red."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from playwright.sync_api import Page, expect

from app import auth
from app.canon.vocabulary import Money
from app.governance_ledger.chain import genesis, leaf_of, link
from app.governance_ledger.merkle import Frontier
from e2e.browser import Phone
from e2e.company import Company
from e2e.looks import violations
from tests.governance_ledger.test_proofs import consistency
from tests.processes import Machine, wait_until

pytestmark = pytest.mark.timeout(240)

KEPT = "() => JSON.parse(localStorage.getItem('flr-ledger') ?? '{}')"
LOADED = "() => performance.getEntriesByType('resource').map(entry => entry.name)"
JUDGE = """async ([module, cases]) => {
  const { follows } = await import(module);
  const bytes = hex => Uint8Array.from(hex.match(/../g), pair => parseInt(pair, 16));
  const judged = [];
  for (const [first, second, one, two, proof] of cases)
    judged.push(await follows({ size: first, root: bytes(one) }, { size: second, root: bytes(two) }, proof));
  return judged;
}"""
WITHOUT = """
const importKey = SubtleCrypto.prototype.importKey;
SubtleCrypto.prototype.importKey = function (format, data, algorithm, ...more) {
  if (algorithm === 'Ed25519') throw new DOMException('unknown algorithm', 'NotSupportedError');
  return importKey.call(this, format, data, algorithm, ...more);
};"""
FORGET_KEYS = """() => {
  const store = JSON.parse(localStorage.getItem('flr-ledger'));
  for (const kept of Object.values(store)) kept.keys = ['A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBFVMbg'];
  localStorage.setItem('flr-ledger', JSON.stringify(store));
}"""
LOOSE = "ALTER TABLE governance_ledger.{} DISABLE TRIGGER worm_statement, DISABLE TRIGGER worm_row"
SEALED = """
SELECT s.seq, s.xid, s.n, e.body FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.tenant_id = s.tenant_id AND e.xid = s.xid AND e.n = s.n
 WHERE s.tenant_id = $1 ORDER BY s.seq
"""


def as_superuser(served: Machine, work: Callable[[asyncpg.Connection], Awaitable[object]], company: Company) -> object:
    """`work` on a connection for which no policy and no write-once trigger stands."""

    async def inside() -> object:
        connection = await asyncpg.connect(served.settings.database_url)
        try:
            await connection.execute("SET event_triggers = off")
            for table in ("governance_events", "ledger_seals", "ledger_checkpoints"):
                await connection.execute(LOOSE.format(table))
            return await work(connection)
        finally:
            await connection.close()

    return company._thread.submit(lambda: asyncio.run(inside())).result()


async def checkpoints(connection: asyncpg.Connection, company: Company) -> int:
    found: int = await connection.fetchval(
        "SELECT coalesce(max(size), 0) FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1",
        company.founded.tenant,
    )
    return found


async def rewrite(connection: asyncpg.Connection, company: Company) -> None:
    """Another amount in an old event, and everything in the database computed anew to fit; only the key is not here."""
    tenant = company.founded.tenant
    head, tree = genesis(tenant), Frontier()
    size = await checkpoints(connection, company)
    for row in await connection.fetch(SEALED, tenant):
        body = row["body"].replace("21842000", "91842000")
        leaf = leaf_of(body.encode())
        head = link(head, row["seq"], leaf)
        tree.append(leaf)
        await connection.execute(
            "UPDATE governance_ledger.governance_events SET body = $3, leaf = $4 WHERE xid = $1 AND n = $2",
            row["xid"],
            row["n"],
            body,
            leaf,
        )
        await connection.execute(
            "UPDATE governance_ledger.ledger_seals SET hash = $3 WHERE tenant_id = $1 AND seq = $2",
            tenant,
            row["seq"],
            head,
        )
        if row["seq"] == size:
            await connection.execute(
                "UPDATE governance_ledger.ledger_checkpoints SET head_hash = $3, root_hash = $4, frontier = $5 "
                "WHERE tenant_id = $1 AND size = $2",
                tenant,
                size,
                head,
                tree.root(),
                tree.packed(),
            )
    await connection.execute("UPDATE governance_ledger.ledger_heads SET hash = $2 WHERE tenant_id = $1", tenant, head)


def earn(company: Company, served: Machine) -> None:
    """One more event, and a checkpoint that covers it."""
    before = as_superuser(served, lambda connection: checkpoints(connection, company), company)
    company.earn(Money(21_842_000), "toko")
    wait_until(
        lambda: as_superuser(served, lambda connection: checkpoints(connection, company), company) > before,  # type: ignore[operator]
        said="a checkpoint covers it",
    )


def seen(page: Page) -> str:
    return page.locator("#seen").inner_text()


def test_the_phone_proves_by_itself_that_the_ledger_only_grew(phone: Phone, company: Company, served: Machine) -> None:
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).to_contain_text("kini menyimpan")
    first = page.evaluate(KEPT)[str(company.founded.tenant)]
    assert first["note"].startswith(f"5-layer-runtime/ledger/{company.founded.tenant}\n")
    assert len(first["keys"]) == 1
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).to_contain_text("Terbukti di perangkat ini")
    expect(page.locator("#alarm")).to_be_hidden()
    assert page.evaluate(KEPT)[str(company.founded.tenant)]["note"] != first["note"]
    page = phone.open("/")
    expect(page.locator("#alarm")).to_be_hidden()


def test_the_phones_arithmetic_is_the_rfcs(phone: Phone, company: Company, served: Machine) -> None:
    """Every pair of trees up to 24 leaves, and pairs around powers of two; and each proof with a fault in it."""
    leaves = [leaf_of(bytes([number])) for number in range(70)]
    roots = [Frontier().root()]
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
        roots.append(tree.root())
    pairs = [(first, second) for second in range(1, 25) for first in range(1, second + 1)]
    pairs += [(31, 64), (32, 64), (33, 64), (32, 65), (33, 65), (64, 65), (1, 70), (63, 70), (64, 70), (69, 70)]
    cases = []
    for first, second in pairs:
        proof = [part.hex() for part in consistency(leaves, first, second)]
        cases.append([first, second, roots[first].hex(), roots[second].hex(), proof, True])
        cases.append([first, second, roots[first - 1].hex(), roots[second].hex(), proof, False])
        cases.append([first, second, roots[first].hex(), roots[second - 1].hex(), proof, False])
        if proof:
            cases.append([first, second, roots[first].hex(), roots[second].hex(), proof[:-1], False])
            cases.append([first, second, roots[first].hex(), roots[second].hex(), [*proof, proof[0]], False])
            wrong = [*proof[:-1], leaf_of(bytes.fromhex(proof[-1])).hex()]
            cases.append([first, second, roots[first].hex(), roots[second].hex(), wrong, False])
    page = phone.open("/ledger")
    wait_until(lambda: "/static/ledger." in str(page.evaluate(LOADED)), said="the module is loaded, which is lazy")
    module = next(url for url in page.evaluate(LOADED) if "/static/ledger." in url)
    assert page.evaluate(JUDGE, [module, cases]) == [case[-1] for case in cases]


def test_an_event_is_proved_on_the_phone_and_another_text_for_it_is_not(
    phone: Phone, company: Company, served: Machine
) -> None:
    earn(company, served)
    page = phone.open("/ledger?kind=company.created")
    page.locator(".ledger a.row").first.click()
    page.get_by_role("button", name="Periksa di perangkat ini").click()
    expect(page.locator("event-proof")).to_contain_text("Terbukti di perangkat ini: catatan nomor")
    page.route("**/document", lambda route: route.fulfill(body=route.fetch().text().replace("Kopi", "Teh")))
    page.get_by_role("button", name="Periksa di perangkat ini").click()
    expect(page.locator("event-proof")).to_contain_text("Tidak terbukti")


def test_a_browser_without_ed25519_checks_the_hashes_and_says_so(
    phone: Phone, company: Company, served: Machine
) -> None:
    phone.context.add_init_script(WITHOUT)
    for _ in range(2):
        earn(company, served)
        phone.open("/ledger")
        expect(phone.page.locator("#seen")).to_contain_text("tidak dapat memeriksa tanda tangannya")
        expect(phone.page.locator("#alarm")).to_be_hidden()
    assert phone.page.evaluate(KEPT)[str(company.founded.tenant)]["keys"] == []


def test_a_checkpoint_of_a_stranger_turns_the_page_red(phone: Phone, company: Company, served: Machine) -> None:
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).not_to_be_empty()
    page.evaluate(FORGET_KEYS)
    page = phone.open("/")
    expect(page.get_by_role("alert").filter(has_text="tidak ditandatangani dengan kunci yang dikenal")).to_be_visible()


def test_a_key_that_is_replaced_with_an_overlap_is_taken_over(phone: Phone, company: Company, served: Machine) -> None:
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).not_to_be_empty()
    old = auth.load_keys(served.settings.keys, "seal")[0]
    auth.create_key(served.settings.keys, "seal")
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).to_contain_text("Terbukti")
    assert len(page.evaluate(KEPT)[str(company.founded.tenant)]["keys"]) == 2
    (served.settings.keys / f"seal-{old.kid}.pem").unlink()
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).to_contain_text("Terbukti")
    expect(page.locator("#alarm")).to_be_hidden()


def test_a_ledger_that_was_cut_turns_the_page_red(phone: Phone, company: Company, served: Machine) -> None:
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).not_to_be_empty()
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).to_contain_text("Terbukti")
    served.kill("sealer")
    kept = page.evaluate(KEPT)

    async def cut(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "CREATE TABLE public.cut AS SELECT * FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1 "
            "AND serial = (SELECT max(serial) FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1)",
            company.founded.tenant,
        )
        await connection.execute(
            "DELETE FROM governance_ledger.ledger_checkpoints c USING public.cut x "
            "WHERE c.tenant_id = x.tenant_id AND c.serial = x.serial"
        )

    async def mend(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO governance_ledger.ledger_checkpoints SELECT * FROM public.cut")
        await connection.execute("DROP TABLE public.cut")

    as_superuser(served, cut, company)
    page = phone.open("/")
    expect(page.get_by_role("alert").filter(has_text="Buku besar dipotong")).to_be_visible()
    assert page.evaluate(KEPT) == kept
    as_superuser(served, mend, company)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).to_contain_text("Terbukti")
    expect(page.locator("#alarm")).to_be_hidden()
    served.start("sealer", "app.cli", "sealer")


def test_a_rewritten_ledger_turns_the_page_red_whoever_signs_what_follows(
    phone: Phone, company: Company, served: Machine
) -> None:
    earn(company, served)
    page = phone.open("/ledger")
    expect(page.locator("#seen")).not_to_be_empty()
    expect(page.locator("#alarm")).to_be_hidden()
    kept = page.evaluate(KEPT)
    served.kill("sealer")
    as_superuser(served, lambda connection: rewrite(connection, company), company)
    served.start("sealer", "app.cli", "sealer")
    earn(company, served)
    for path in ("/", "/approvals"):
        page = phone.open(path)
        alarm = page.get_by_role("alert").filter(has_text="Buku besar bukan lagi yang dilihat perangkat ini")
        expect(alarm).to_be_visible()
        assert alarm.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(168, 40, 30)"
        assert violations(phone) == []
    assert page.evaluate(KEPT) == kept
    page = phone.open("/settings")
    page.locator("label:has(input[name=language][value=en])").click()
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("alert").filter(has_text="The ledger is no longer the one")).to_be_visible()
