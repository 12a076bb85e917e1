"""A phone: real Chromium with a virtual authenticator, that keeps what went wrong on its pages."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal, Self

from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Error,
    FloatRect,
    Locator,
    Page,
    Playwright,
    Request,
    sync_playwright,
)

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
    "defaultBackupEligibility": True,
    "defaultBackupState": True,
}
VIOLATIONS = """
addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI));
"""
WORKER_READY = """() => Promise.race([
  navigator.serviceWorker.ready.then(() => true), new Promise(ok => setTimeout(ok, 8000, false))])"""
COUNTS = count(int(time.time()), 1000)
LED_ELSEWHERE = re.compile("ERR_ABORTED|interrupted by another navigation")
Scheme = Literal["light", "dark"]


def chromium_path() -> str | None:
    """The installed Chromium, else None for Playwright's own."""
    named = os.environ.get("FLR_CHROMIUM")
    return next((path for name in (named, *NAMES) if name and (path := shutil.which(name))), None)


def box(place: Locator) -> FloatRect:
    """Where an element stands, in px. A live page that is put anew just then is asked again."""
    for _ in range(20):
        place.wait_for()
        found = place.bounding_box()
        if found is not None:
            return found
    raise AssertionError(f"{place} stands nowhere")


@contextmanager
def chromium() -> Iterator[tuple[Playwright, Browser]]:
    """A browser without windows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        try:
            yield playwright, browser
        finally:
            browser.close()


class Phone:
    """One browser of one founder, at `origin`. `problems` are console errors, violations and requests elsewhere."""

    def __init__(
        self,
        browser: Browser,
        origin: str,
        *,
        width: int = 390,
        scheme: Scheme = "light",
        locale: str = "id-ID",
        state: Any = None,
        script: bool = True,
        reduced: bool = False,
    ) -> None:
        self.origin = origin
        self.problems: list[str] = []
        small = width < 700
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": 844},
            device_scale_factor=2 if small else 1,
            is_mobile=small,
            has_touch=small,
            locale=locale,
            color_scheme=scheme,
            reduced_motion="reduce" if reduced else "no-preference",
            storage_state=state,
            java_script_enabled=script,
        )
        self.context.add_init_script(VIOLATIONS)
        self.context.on("request", self._watch)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))
        self._cdp: CDPSession | None = None
        self.authenticator = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"{self.page.url}: {message.text}")

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.problems.append(f"{self.page.url} asks {request.url}")

    @property
    def cdp(self) -> CDPSession:
        if self._cdp is None:
            self._cdp = self.context.new_cdp_session(self.page)
        return self._cdp

    def add_authenticator(self) -> None:
        """A fingerprint reader that always finds its finger."""
        self.cdp.send("WebAuthn.enable", {"enableUI": False})
        added = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        self.authenticator = str(added["authenticatorId"])

    def recognise(self, yes: bool) -> None:
        """Whether the finger is the right one from now on."""
        self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": yes})

    def credentials(self) -> list[Any]:
        found = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        return list(found["credentials"])

    def give(self, credentials: list[Any]) -> None:
        """The same passkeys, as a synced keychain would bring them; their counters only grow."""
        for credential in credentials:
            counted = {**credential, "signCount": next(COUNTS)}
            wanted = {"authenticatorId": self.authenticator, "credential": counted}
            self.cdp.send("WebAuthn.addCredential", wanted)

    def open(self, path: str) -> Page:
        """The page at `path`, also where the one before was being led elsewhere just then."""
        try:
            self.page.goto(self.origin + path)
        except Error as error:
            if not LED_ELSEWHERE.search(error.message):
                raise
            self.page.wait_for_load_state()
            self.page.goto(self.origin + path)
        return self.page

    def await_worker(self) -> None:
        """Until the service worker is active; a browser tries a failed installation again at the next page."""
        for _ in range(6):
            if self.page.evaluate(WORKER_READY):
                return
            self.page.reload()
        raise AssertionError("the service worker does not become active")

    def enrol(self, link: str) -> list[str]:
        """Make the passkey behind a one-time link; the recovery codes, which only a first passkey brings."""
        self.page.goto(link)
        self.page.locator("passkey-maker button").click()
        self.page.wait_for_url(lambda url: "/enrol/" not in url)
        return self.page.locator(".codes li").all_inner_texts()
