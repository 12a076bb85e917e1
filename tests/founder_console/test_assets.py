"""What a page may load: hashed files of our own, no script or style inside a page, and within their sizes."""

import gzip
import re
import struct
from pathlib import Path

import msgspec
import pytest

from app.founder_console.screens.bundling import ScriptRefused, bundle, slim
from app.founder_console.screens.rendering import POLICY, ROOT, Frontend

FRONTEND = Frontend()
TEMPLATES = sorted((ROOT / "frontend" / "templates").rglob("*.html"))
SCRIPT_BYTES, WORKER_BYTES, STYLE_BYTES = 12_000, 4_000, 10_000


def test_a_page_loads_one_script_that_names_what_it_loads_later_by_its_hash() -> None:
    served = FRONTEND.assets.served
    app = served[FRONTEND.assets.url("app.js").removeprefix("/static/")].content.decode()
    assert "import '" not in app
    assert "from '" not in app
    assert re.findall(r"import\('\./([^']+)'\)", app)
    for asset in served.values():
        if asset.media_type.startswith("text/javascript"):
            for name in re.findall(r"import\('\./([^']+)'\)", asset.content.decode()):
                assert name in served


def test_modules_in_one_file_keep_their_own_names_and_run_in_the_order_of_their_imports() -> None:
    sources = {
        "a.js": "import { one } from './b.js';\nimport './c.js';\nconst own = one;\nexport const done = own;\n",
        "b.js": "import { two } from './c.js';\nconst own = two;\nexport const one = own;\n",
        "c.js": "const own = 2;\nexport const two = own;\n",
    }
    joined = bundle("a.js", sources)
    assert joined.index("const $c = ") < joined.index("const $b = ") < joined.index("const { one } = $b;")
    assert joined.count("const own = 2;") == 1
    assert "return { two };" in joined
    assert joined.rstrip().endswith("export const done = own;")


@pytest.mark.parametrize("line", ["export default 1;", "import * as all from './b.js';", "export { a };"])
def test_a_module_in_another_form_is_refused(line: str) -> None:
    with pytest.raises(ScriptRefused):
        bundle("a.js", {"a.js": f"import './b.js';\n{line}\n", "b.js": ""})


def test_comments_and_indentation_are_not_served() -> None:
    assert slim("/** Says. */\nfunction f() {\n  return 1;\n}\n") == "function f() {\nreturn 1;\n}\n"
    assert slim("// Says.\nconst a = 'b://c';\n\n  // More.\nf();\n") == "const a = 'b://c';\nf();\n"


def test_the_manifest_shows_pictures_of_both_forms_in_their_true_sizes() -> None:
    shown = msgspec.json.decode(FRONTEND.manifest)["screenshots"]
    assert {one["form_factor"] for one in shown} == {"narrow", "wide"}
    for one in shown:
        content = FRONTEND.assets.served[one["src"].removeprefix("/static/")].content
        width, height = struct.unpack(">II", content[16:24])
        assert one["sizes"] == f"{width}x{height}"
        assert max(width, height) <= 2.3 * min(width, height), "browsers show no longer ones"
        assert len(content) < 120_000


def test_scripts_and_styles_of_a_page_stay_small() -> None:
    """A page watches the ledger or holds the composer of a ticket; the letters of a keyboard may come to either."""
    served = FRONTEND.assets.served
    app = served[FRONTEND.assets.url("app.js").removeprefix("/static/")]
    later = re.findall(r"import\('\./([^']+)'\)", app.content.decode())
    sizes = {name.partition(".")[0]: len(served[name].gzipped) for name in later}
    assert sizes.keys() == {"composer", "keyboard", "ledger"}
    script = len(app.gzipped) + max(sizes["composer"], sizes["ledger"]) + sizes["keyboard"]
    style = sum(len(asset.gzipped) for asset in served.values() if asset.media_type.startswith("text/css"))
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
