"""Packed answers: small on the wire, however large they say they are."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
import zstandard

from app.adapters.attestors import post
from app.adapters.tools.http import MAX_ANSWER_BYTES, HttpGetTool, HttpRequestTool
from app.canon.tool import ToolResult
from tests.adapters.http_servers import Site, web_site
from tests.adapters.tool_calls import call

SWOLLEN_BYTES = 128 << 20
MOST_HELD_BYTES = 48 << 20


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as opened:
        yield opened


async def get(site: Site, path: str) -> ToolResult:
    tool = HttpGetTool((site.address,))
    return await tool.perform(call(egress_hosts=(site.address,), url=site.url(path)))


async def held_bytes(site: Site, path: str) -> tuple[ToolResult, int]:
    """The answer, and the most memory that was held for it at once."""
    tracemalloc.start()
    try:
        result = await get(site, path)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_packed_answer_is_read(coding: str, pack: object, site: Site) -> None:
    assert callable(pack)
    site.pages["/packed"] = (200, "text/plain", pack(b"Beras 5 kg, Rp 70.000"), coding)
    result = await get(site, "/packed")
    assert "Beras 5 kg, Rp 70.000" in result.content
    assert result.evidence[0].content == b"Beras 5 kg, Rp 70.000"


async def test_an_answer_in_two_wrappings_does_not_fill_the_memory(site: Site) -> None:
    twice = gzip.compress(gzip.compress(bytes(SWOLLEN_BYTES)))
    site.pages["/twice"] = (200, "text/plain", twice, "gzip, gzip")
    result, held = await held_bytes(site, "/twice")
    assert held < MOST_HELD_BYTES
    assert result.content.startswith("HTTP 200")


async def test_a_zstd_answer_does_not_fill_the_memory(site: Site) -> None:
    site.pages["/zstd"] = (200, "text/plain", zstandard.compress(bytes(SWOLLEN_BYTES)), "zstd")
    result, held = await held_bytes(site, "/zstd")
    assert held < MOST_HELD_BYTES
    assert result.content.startswith("HTTP 200")


async def test_a_gzip_answer_is_cut_like_any_other(site: Site) -> None:
    site.pages["/gzip"] = (200, "text/plain", gzip.compress(b"a" * SWOLLEN_BYTES), "gzip")
    result, held = await held_bytes(site, "/gzip")
    assert held < MOST_HELD_BYTES
    assert "the answer is longer" in result.content
    assert len(result.evidence[0].content) == MAX_ANSWER_BYTES


async def test_a_witness_whose_answer_swells_is_told_off(site: Site) -> None:
    site.pages["/zstd"] = (200, "text/plain", zstandard.compress(bytes(SWOLLEN_BYTES)), "zstd")
    site.pages["/gzip"] = (200, "text/plain", gzip.compress(bytes(SWOLLEN_BYTES)), "gzip")
    tracemalloc.start()
    try:
        answers = [await post(site.url(path), "text/plain", b"note") for path in ("/zstd", "/gzip", "/missing")]
        assert tracemalloc.get_traced_memory()[1] < MOST_HELD_BYTES
    finally:
        tracemalloc.stop()
    assert "longer than 65536 bytes" in str(answers[1])
    assert answers[2] == (404, "text/plain", b"nothing here")


async def test_a_post_whose_answer_is_badly_packed_happened(site: Site) -> None:
    site.pages["/order"] = (200, "text/plain", b"no gzip at all", "gzip")
    tool = HttpRequestTool((site.address,))
    result = await tool.perform(call(egress_hosts=(site.address,), method="POST", url=site.url("/order"), body="ten"))
    assert result.content.startswith("HTTP 200")


async def test_a_caller_asks_for_no_packing_that_cannot_be_read(site: Site) -> None:
    await get(site, "/json")
    assert site.seen[0][2]["accept-encoding"] == "gzip"
