"""What a page may load: hashed files of our own, no script or style inside a page, and within their sizes."""

import gzip
import re
from pathlib import Path

import msgspec
import pytest

from app.founder_console.rendering import POLICY, ROOT, Frontend

FRONTEND = Frontend()
TEMPLATES = sorted((ROOT / "frontend" / "templates").rglob("*.html"))
SCRIPT_BYTES, WORKER_BYTES, STYLE_BYTES = 12_000, 4_000, 10_000


def test_a_module_imports_its_neighbours_by_their_hashed_names() -> None:
    served = FRONTEND.assets.served
    for asset in served.values():
        if asset.media_type.startswith("text/javascript"):
            for name in re.findall(r"(?:from |import )'\./([^']+)'", asset.content.decode()):
                assert name in served


def test_scripts_and_styles_stay_small() -> None:
    served = FRONTEND.assets.served.values()
    script = sum(len(asset.gzipped) for asset in served if asset.media_type.startswith("text/javascript"))
    style = sum(len(asset.gzipped) for asset in served if asset.media_type.startswith("text/css"))
    assert 0 < script <= SCRIPT_BYTES
    assert 0 < style <= STYLE_BYTES
    assert len(gzip.compress(FRONTEND.service_worker("id"))) <= WORKER_BYTES


def test_the_service_worker_keeps_only_files_that_are_served() -> None:
    worker = FRONTEND.service_worker("en").decode()
    assert "__" not in worker
    shell = msgspec.json.decode(re.search(r"SHELL = (\[.*?\])", worker)[1])  # type: ignore[index]
    assert set(shell) - {asset.url for asset in FRONTEND.assets.served.values()} == {"/offline"}


def test_the_manifest_names_icons_that_are_served() -> None:
    manifest = msgspec.json.decode(FRONTEND.manifest)
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable", "monochrome"}
    assert {icon["src"].removeprefix("/static/") for icon in manifest["icons"]} <= FRONTEND.assets.served.keys()
    assert manifest["scope"] == "/"
    assert len(manifest["short_name"]) <= 12


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_page_holds_script_or_style_of_its_own(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", text)
    assert [tag for tag in re.findall(r"<script[^>]*>", text) if "src=" not in tag] == []
    assert "|safe" not in text.replace("paths[name]|safe", "")


def test_the_policy_allows_nothing_from_elsewhere() -> None:
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "require-trusted-types-for 'script'" in POLICY
