"""A hundred cards at human pace in a real browser on a phone's screen, with a server that answers late."""

import asyncio
import time
from contextlib import AsyncExitStack

from playwright.async_api import Page, Route, async_playwright, expect

from app.canon.canonical_json import digest
from app.database_urls import app_url
from app.founder_console.identity.sessions import cookie_name
from app.postgres import Database
from app.settings import Settings
from app.work_queue import list_approvals, raise_approval
from bench._machine import bench_home
from bench.console import Bench
from bench.figures import Figure, arguments, middle, show
from e2e.browser import FLAGS, chromium_path
from tests.builders import a_question
from tests.processes import free_port

READING_SECONDS = 2.0
LATE_SECONDS = 0.3
# From the tap to the first frame in which the next card's words and button can be seen and touched.
WATCH = """
window.waits = [];
addEventListener('click', event => {
  const tapped = event.target.closest('approval-card');
  if (!tapped || event.target.closest('button')?.value !== 'approve') return;
  const began = event.timeStamp, all = [...document.querySelectorAll('approval-card')];
  const next = all[all.indexOf(tapped) + 1];
  if (!next) return;
  const free = part => {
    const box = part.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    return box.top >= 0 && box.bottom <= innerHeight && part.contains(document.elementFromPoint(x, y));
  };
  const look = () => {
    const card = document.getElementById(next.id);
    const seen = card && !card.inert && free(card.querySelector('.act')) && free(card.querySelector('[value=approve]'));
    if (seen) waits.push(performance.now() - began);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
"""


async def ask(bench: Bench, cards: int) -> None:
    async with bench.database.transaction(bench.tenant) as tx:
        for number in range(cards):
            act = digest(["bench.cards", str(bench.tenant), number])
            await raise_approval(tx, a_question(role_id=bench.role.id, act_digest=act, in_seconds=7200 + number))


async def clear(page: Page, cards: int) -> float:
    """Read, tap, and so on, until no card is left: the seconds that it took."""
    began = time.perf_counter()
    for _ in range(cards):
        await asyncio.sleep(READING_SECONDS)
        card = page.locator("approval-card:not([inert])").first
        name = await card.get_attribute("id")
        await card.locator("[value=approve]").tap()
        await expect(page.locator(f"#{name}")).to_be_hidden()
    await expect(page.locator("approval-card")).to_have_count(0)
    return time.perf_counter() - began


async def measure(settings: Settings, *, cards: int) -> dict[str, Figure]:
    held = 0

    async def late(route: Route) -> None:
        nonlocal held
        held += route.request.method == "POST"
        await asyncio.sleep(LATE_SECONDS)
        await route.continue_()

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(app_url(settings), max_size=4))
        bench = Bench(settings, database, free_port())
        stack.callback(bench.stop)
        await bench.found()
        for command in ("api", "sealer"):
            bench.start(command)
        await bench.ready()
        await ask(bench, cards)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        stack.push_async_callback(browser.close)
        context = await browser.new_context(
            viewport={"width": 390, "height": 844},
            device_scale_factor=2,
            is_mobile=True,
            has_touch=True,
            locale="id-ID",
            service_workers="block",
        )
        await context.add_cookies([{"name": cookie_name(bench.origin), "value": bench.cookie, "url": bench.origin}])
        page = await context.new_page()
        await page.add_init_script(WATCH)
        await page.goto(f"{bench.origin}/approvals")
        await page.route(lambda url: "/static/" not in url and "/events" not in url, late)
        whole = await clear(page, cards)
        waits: list[float] = await page.evaluate("waits")
        async with database.transaction(bench.tenant) as tx:
            left = (await list_approvals(tx, status="pending", limit=200)).items
        if left or held < cards or len(waits) != cards - 1:
            raise SystemExit(f"{len(left)} cards were not decided, {held} taps were sent, {len(waits)} waits measured")
        await context.close()
    about = f"{cards} cards, {READING_SECONDS:g} s to read each, every answer {LATE_SECONDS * 1000:g} ms late"
    return {
        "cleared": Figure(whole, "s", f"{about}: from the first to none left", 3 * cards, "less"),
        "middle_wait": Figure(middle(waits), "ms", f"{about}: from a tap to the next card, p50", 100, "less"),
        "longest_wait": Figure(max(waits), "ms", f"{about}: the longest from a tap to the next card", 100, "less"),
    }


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        figures = asyncio.run(measure(settings, cards=10 if chosen.quick else 100))
    show(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()
