"""Lighthouse over the console's pages, as a reported figure: `make lighthouse`. Never a gate.

Lighthouse is npm's, fetched by npx when it is missing: its newest wants Node 22.19, an older one runs on Node 18.20.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from app.canon.vocabulary import Money, Tier
from app.founder_console.identity.sessions import cookie_name, start_session
from e2e.browser import FLAGS, chromium_path
from e2e.company import Company
from tests.databases import open_cluster
from tests.processes import Machine, machine, wait_until

VERSIONS = (((22, 19), "13.5.0"), ((18, 20), "12.8.2"))
PAGES = ("/", "/approvals", "/workers", "/money", "/copilot", "/settings", "/login")
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
SECONDS = 300
ATTEMPTS = 3
"""It loses the start of a page now and then, and asks itself to be run again."""


class NoNode(Exception):
    """Says what to install."""


class NotMeasured(Exception):
    """Lighthouse came to no result with a page, as often as it was asked."""


def version_for(node: str) -> str:
    """The newest Lighthouse that runs on a Node that calls itself `v20.20.2`. Raises `NoNode`."""
    found = re.match(r"v(\d+)\.(\d+)", node)
    have = (int(found[1]), int(found[2])) if found else (0, 0)
    for least, version in VERSIONS:
        if have >= least:
            return version
    said = f"this is Node {node.strip()}" if found else "there is no Node"
    raise NoNode(f"Lighthouse needs Node 22.19 or newer (an older Lighthouse runs on 18.20), and {said}: install it")


def node_version() -> str:
    """What `node --version` says; empty where there is none."""
    node = shutil.which("node")
    if node is None or shutil.which("npx") is None:
        return ""
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout


def furnished(served: Machine) -> tuple[Company, str]:
    """A company with something to decide, and its founder's cookie."""
    company = Company(served.settings)
    raka = company.worker("Raka", "Keuangan")
    ticket = company.ticket("Bayar faktur INV-2026-118", raka)
    company.earn(Money(21_842_000), "toko")
    company.ask(raka, tier=Tier.R2, tool="order_payment", money=Money(12_105_000), ticket=ticket)
    company.ask(raka, to="ratna.wulandari@contohmail.id")
    cookie = company.tell(lambda tx: start_session(tx, company.founded.founder, label="lighthouse"))
    return company, f"{cookie_name(served.settings.origin)}={cookie}"


def scores(version: str, url: str, cookie: str, folder: Path) -> dict[str, int]:
    """Each category out of 100. Raises `NotMeasured`."""
    report = folder / "report.json"
    headers = folder / "headers.json"
    headers.write_bytes(msgspec.json.encode({"Cookie": cookie}))
    command = [
        *("npx", "--yes", f"lighthouse@{version}", url, "--quiet", "--output=json", f"--output-path={report}"),
        f"--only-categories={','.join(CATEGORIES)}",
        f"--chrome-flags=--headless=new {' '.join(FLAGS)}",
        f"--extra-headers={headers}",
    ]
    said = ""
    for _ in range(ATTEMPTS):
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        if ran.returncode == 0:
            return _read(report)
        said = f"Lighthouse ended with {ran.returncode}: {ran.stderr.strip()[-600:]}"
    raise NotMeasured(said)


def _read(report: Path) -> dict[str, int]:
    found: dict[str, Any] = msgspec.json.decode(report.read_bytes())["categories"]
    return {name: round(100 * (found[name]["score"] or 0)) for name in CATEGORIES}


def report(version: str) -> dict[str, dict[str, int]]:
    with (
        tempfile.TemporaryDirectory(prefix="flr-") as folder,
        open_cluster(None) as cluster,
    ):
        name, home = cluster.take().result(), Path(folder) / "home"
        home.mkdir(mode=0o700)
        with machine(home, cluster.url(None, name)) as served:
            _, cookie = furnished(served)
            served.start("api", "app.cli", "api")
            wait_until(served.ready, seconds=120, said=served.said("api"))
            origin = served.settings.origin
            told = {}
            for path in PAGES:
                try:
                    told[path] = scores(version, origin + path, "" if path == "/login" else cookie, Path(folder))
                except NotMeasured as why:
                    sys.stderr.write(f"{path}: {why}\n")
        cluster.drop(name)
    return told


def main() -> int:
    try:
        version = version_for(node_version())
        told = report(version)
    except NoNode as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    if "--json" in sys.argv:
        sys.stdout.write(msgspec.json.encode({"lighthouse": version, "pages": told}).decode() + "\n")
        return 0
    sys.stdout.write(f"Lighthouse {version} (phone, its own throttling){'':14}{'  '.join(CATEGORIES)}\n")
    for path, row in told.items():
        sys.stdout.write(f"{path:<16}" + "  ".join(f"{row[name]:>{len(name)}}" for name in CATEGORIES) + "\n")
    return 0 if len(told) == len(PAGES) else 1


if __name__ == "__main__":
    import os

    os.environ.setdefault("CHROME_PATH", chromium_path() or "")
    sys.exit(main())
