"""A secret reaches the server that the founder named, and stands nowhere else: no table, no evidence, no answer."""

import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from app.adapters.tools.http import HttpGetTool
from app.canon.contract import ProcedureStep
from app.canon.tool import EvidenceItem, OutcomeUnknown, ToolCall, ToolFailed, ToolResult
from app.canon.tool_server import Listed, ToolChanged
from app.execution_graph.blotting import BLOT, without
from app.role_registry import NewSecret, Role, VaultKeys, ensure_vault_key, remove_secret, set_secret, vault_keys
from tests.adapters.http_servers import Site, web_site
from tests.execution_graph.ring import Outside, Ring
from tests.plaintext import files_with, tables_with

VALUE = 'sk-live-7Hq/2+9=x "quoted" ÿ'
PLAIN = "sk-live-7Hq2-9x-and-more"


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as opened:
        yield opened


@pytest.fixture
def keys(tmp_path: Path) -> VaultKeys:
    ensure_vault_key(tmp_path / "keys")
    return vault_keys(tmp_path / "keys")


class Tells(Outside):
    """A tool that gives its secret away, however it ends."""

    def __init__(self, ends: str) -> None:
        super().__init__("tell")
        self.ends = ends

    async def perform(self, call: ToolCall) -> ToolResult:
        value = await call.vault.value("told")
        if self.ends == "changed":
            raise ToolChanged("shop", "tell", Listed("tell", f"with {value}", {value: {"of": [value]}}))
        if self.ends == "cut":
            half = f"{'x' * 50}{value}"[:-1]
            cut = (
                EvidenceItem("page", "text/plain", half.encode()),
                EvidenceItem("log", "text/plain", value[1:].encode()),
            )
            return ToolResult(f"{half}\n(the answer is longer)", {"log": value[2:]}, evidence=cut)
        if self.ends == "failed":
            raise ToolFailed(f"no: {value}")
        if self.ends == "lost":
            raise OutcomeUnknown(f"gone: {value}")
        if self.ends == "raised":
            raise RuntimeError(value)
        evidence = (EvidenceItem(f"{value}.txt", f"text/{value}", f"it is {value}".encode()),)
        return ToolResult(value, {"deep": [{value: value}]}, evidence=evidence)


async def with_vault(ring: Ring, keys: VaultKeys, site: Site) -> None:
    ring.tools["http_get"] = HttpGetTool((site.address,))
    ring.runtime = msgspec.structs.replace(ring.runtime, vault=keys)
    ring.executor.runtime = ring.runtime


async def hired(ring: Ring, url: str) -> Role:
    return await ring.hire("http_get", procedure=[ProcedureStep("http_get", {"url": url}, save_as="page")])


async def keep(ring: Ring, keys: VaultKeys, role: Role, site: Site, value: str = PLAIN) -> None:
    new = NewSecret(value=value, header="Authorization", prefix="Bearer ", hosts=(site.address,), role_ids=(role.id,))
    async with ring.transaction() as tx:
        await set_secret(tx, "shop_key", new, keys, ring.founder)


async def test_a_secret_is_sent_where_the_founder_said_and_stands_nowhere_else(
    ring: Ring, keys: VaultKeys, site: Site, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    await with_vault(ring, keys, site)
    role = await hired(ring, site.url("/headers"))
    await keep(ring, keys, role, site)
    view = await ring.run(role)
    assert view.run.status == "done"
    assert site.seen[0][2]["authorization"] == f"Bearer {PLAIN}"
    assert await tables_with(superuser, PLAIN) == []
    assert files_with(tmp_path, PLAIN) == []
    assert "execution_graph.run_steps" in await tables_with(superuser, "Bearer [secret]")


async def test_another_role_and_another_host_get_nothing(ring: Ring, keys: VaultKeys, site: Site) -> None:
    await with_vault(ring, keys, site)
    role = await hired(ring, site.url("/headers"))
    await keep(ring, keys, role, site)
    other = await ring.hire(
        "http_get", procedure=[ProcedureStep("http_get", {"url": site.url("/headers")})], name="Other"
    )
    assert (await ring.run(other)).run.status == "done"
    with web_site() as stranger:
        ring.tools["http_get"] = HttpGetTool((site.address, stranger.address))
        site.redirects["/away"] = stranger.url("/headers")
        away = await ring.hire(
            "http_get",
            procedure=[ProcedureStep("http_get", {"url": site.url("/away"), "headers": {"x-a": stranger.address}})],
            name="Away",
        )
        await keep(ring, keys, away, site)
        await ring.run(away)
        assert [headers.get("authorization") for _, path, headers, _ in site.seen] == [None, f"Bearer {PLAIN}"]
        assert all("authorization" not in headers for _, _, headers, _ in stranger.seen)


@pytest.mark.parametrize("value", [PLAIN, VALUE])
@pytest.mark.parametrize("ends", ["done", "failed", "lost", "raised"])
async def test_a_tool_that_repeats_its_secret_is_blotted_however_it_ends(
    ring: Ring, keys: VaultKeys, site: Site, superuser: asyncpg.Connection, tmp_path: Path, ends: str, value: str
) -> None:
    await with_vault(ring, keys, site)
    ring.tools["tell"] = Tells(ends)
    role = await ring.hire("tell", procedure=[ProcedureStep("tell", {"what": "it"})])
    async with ring.transaction() as tx:
        await set_secret(tx, "told", NewSecret(value=value), keys, ring.founder)
    view = await ring.run(role)
    states = {"done": "done", "failed": "failed", "lost": "unknown", "raised": "unknown"}
    assert [step.state for step in view.steps] == [states[ends]]
    assert await tables_with(superuser, value) == []
    assert files_with(tmp_path / "evidence", value) == []


@pytest.mark.parametrize("ends", ["cut", "changed"])
async def test_a_secret_that_was_cut_off_leaves_no_piece(
    ring: Ring, keys: VaultKeys, site: Site, superuser: asyncpg.Connection, tmp_path: Path, ends: str
) -> None:
    await with_vault(ring, keys, site)
    ring.tools["tell"] = Tells(ends)
    role = await ring.hire("tell", procedure=[ProcedureStep("tell", {"what": "it"})])
    async with ring.transaction() as tx:
        await set_secret(tx, "told", NewSecret(value=PLAIN), keys, ring.founder)
    await ring.run(role)
    for piece in (PLAIN[:-1], PLAIN[1:], PLAIN[2:], PLAIN[:12], PLAIN[-12:]):
        assert await tables_with(superuser, piece) == []
        assert files_with(tmp_path / "evidence", piece) == []


@pytest.mark.parametrize("value", [PLAIN, VALUE, "aaaaaaaa", "abababab1", "12345678"])
@pytest.mark.parametrize("around", ["", "aaaa", "x", "\n", "1234", "ab"])
def test_a_text_around_secrets_stays(value: str, around: str) -> None:
    assert value not in without(f"{around}{value}{around}{value}{around}", value, BLOT)
    assert without(f"zz {value}, {value} zz", value, BLOT) == f"zz {BLOT}, {BLOT} zz"
    assert without(f"zz {value}, {value[1:]} zz".encode(), value.encode(), b"-").startswith(b"zz -, ")
    assert without("Beras 5 kg, Rp 70.000, 1234", value, BLOT) == "Beras 5 kg, Rp 70.000, 1234"


def test_an_answer_full_of_pieces_holds_nobody_up() -> None:
    begun = time.perf_counter()
    assert without(PLAIN[-8:] * 400_000, PLAIN, "") == ""
    assert without(PLAIN[:8] * 400_000, PLAIN, "") == ""
    assert time.perf_counter() - begun < 20


async def test_a_removed_secret_is_gone_and_the_call_goes_without(
    ring: Ring, keys: VaultKeys, site: Site, superuser: asyncpg.Connection
) -> None:
    await with_vault(ring, keys, site)
    role = await hired(ring, site.url("/headers"))
    await keep(ring, keys, role, site)
    async with ring.transaction() as tx:
        await remove_secret(tx, "shop_key", ring.founder)
    assert (await ring.run(role)).run.status == "done"
    assert "authorization" not in site.seen[0][2]
    assert await superuser.fetchval("SELECT count(*) FROM role_registry.secret_values") == 0
