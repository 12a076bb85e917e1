"""HTTP over real sockets: only named hosts, no private addresses, no blind repetition."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.adapters.tools.http import HttpGetTool, HttpRequestTool
from app.adapters.tools.pinned import is_public
from app.canon.tool import OutcomeUnknown, ToolFailed, ToolResult
from tests.adapters.http_servers import Site, web_site
from tests.adapters.tool_calls import call, free_port


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as opened:
        yield opened


def request_tool(*allow_private: str) -> HttpRequestTool:
    return HttpRequestTool(allow_private)


async def get(site: Site, path: str, *allow_private: str) -> ToolResult:
    tool = HttpGetTool(allow_private or (site.address,))
    return await tool.perform(call(egress_hosts=(site.address,), url=site.url(path)))


async def test_a_read_gives_status_text_and_evidence(site: Site) -> None:
    result = await get(site, "/json")
    assert result.content.startswith("HTTP 200 application/json")
    assert isinstance(result.data, dict)
    assert result.data["json"] == {"rate": "0.1", "n": 2}
    assert result.evidence[0].content == b'{"rate": 0.1, "n": 2.0}'


async def test_a_page_comes_as_text_with_the_address_behind_its_links(site: Site) -> None:
    result = await get(site, "/page")
    assert "Hi there (http://x.y/z)" in result.content
    assert "bad" not in result.content


async def test_an_error_of_the_server_is_an_answer(site: Site) -> None:
    result = await get(site, "/missing")
    assert result.content.startswith("HTTP 404")


async def test_a_long_answer_is_cut_and_says_so(site: Site) -> None:
    result = await get(site, "/big")
    assert "the answer is longer" in result.content
    assert len(result.evidence[0].content) == 5 * 1024 * 1024


async def test_a_post_carries_the_steps_key_and_its_body(site: Site) -> None:
    tool = request_tool(site.address)
    arguments = {"method": "POST", "url": site.url("/order"), "headers": {"X-Shop": "a"}, "body": "ten bags"}
    result = await tool.perform(call(None, arguments, key="run:9", egress_hosts=(site.address,)))
    method, _, headers, body = site.seen[0]
    assert (method, body) == ("POST", b"ten bags")
    assert (headers["idempotency-key"], headers["x-shop"]) == ("run:9", "a")
    assert "echo ten bags" in result.content


async def test_a_lost_answer_to_a_post_is_unknown_and_to_a_get_a_failure(site: Site) -> None:
    tool = request_tool(site.address)
    with pytest.raises(OutcomeUnknown):
        await tool.perform(call(egress_hosts=(site.address,), method="POST", url=site.url("/lost"), body="x"))
    with pytest.raises(ToolFailed):
        await tool.perform(call(egress_hosts=(site.address,), method="GET", url=site.url("/lost")))
    assert len(site.seen) == 2


async def test_a_post_that_never_left_is_a_certain_failure() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ToolFailed, match="cannot be reached"):
        await request_tool(address).perform(call(egress_hosts=(address,), method="POST", url=f"http://{address}/"))


async def test_a_host_that_nobody_named_is_not_reached(site: Site) -> None:
    tool = HttpGetTool((site.address,))
    for hosts in ((), ("example.com",), (f"127.0.0.1:{site.port + 1}",), ("127.0.0.1",), ("1.127.0.0.1",)):
        with pytest.raises(ToolFailed, match="may not reach"):
            await tool.perform(call(egress_hosts=hosts, url=site.url("/")))
    assert site.seen == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"]
)
async def test_a_private_address_is_not_reached_however_it_is_written(host: str, site: Site) -> None:
    tool = HttpGetTool(())
    with pytest.raises(ToolFailed):
        await tool.perform(call(egress_hosts=(f"{host}:{site.port}",), url=f"http://{host}:{site.port}/"))
    assert site.seen == []


async def test_a_private_address_is_reached_when_it_is_listed_by_name_or_address(site: Site) -> None:
    for listed in (site.address, "127.0.0.1", f"localhost:{site.port}"):
        tool = HttpGetTool((listed,))
        url = f"http://localhost:{site.port}/" if "local" in listed else site.url("/")
        result = await tool.perform(call(egress_hosts=(site.address, f"localhost:{site.port}"), url=url))
        assert result.content.startswith("HTTP 200")
    assert site.seen[2][2]["host"] == f"localhost:{site.port}"


async def test_a_name_is_looked_up_once_so_it_cannot_be_bound_anew(site: Site) -> None:
    asked: list[object] = []
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def rebinding(host: object, port: Any, **more: Any) -> Any:
        asked.append(host)
        return await look_up("127.0.0.1" if asked.count("shop.test") == 1 else "127.0.0.9", port, **more)

    loop.getaddrinfo = rebinding  # type: ignore[method-assign]
    tool = HttpGetTool((f"shop.test:{site.port}",))
    result = await tool.perform(call(egress_hosts=(f"shop.test:{site.port}",), url=f"http://shop.test:{site.port}/"))
    assert result.content.startswith("HTTP 200")
    assert asked.count("shop.test") == 1


async def test_a_redirect_to_a_private_address_is_not_followed(site: Site) -> None:
    with web_site() as inner:
        site.redirects["/go"] = inner.url("/secret")
        tool = HttpGetTool((site.address,))
        hosts = (site.address, inner.address)
        with pytest.raises(ToolFailed, match="private address"):
            await tool.perform(call(egress_hosts=hosts, url=site.url("/go")))
        assert inner.seen == []


async def test_a_redirect_to_a_host_that_nobody_named_is_not_followed(site: Site) -> None:
    with web_site() as other:
        site.redirects["/go"] = other.url("/")
        tool = HttpGetTool((site.address, other.address))
        with pytest.raises(ToolFailed, match="not among the hosts"):
            await tool.perform(call(egress_hosts=(site.address,), url=site.url("/go")))
        assert other.seen == []


async def test_a_redirect_to_another_port_of_a_listed_host_is_not_followed(site: Site) -> None:
    with web_site() as other:
        site.redirects["/go"] = other.url("/admin")
        tool = HttpGetTool((site.address, other.address))
        for hosts in ((site.address,), (site.address, "127.0.0.1"), (site.address, "127.0.0.1:80")):
            with pytest.raises(ToolFailed, match=f":{other.port} is not among the hosts"):
                await tool.perform(call(egress_hosts=hosts, url=site.url("/go")))
        assert other.seen == []


async def test_a_redirect_to_another_named_host_is_followed_without_the_headers(site: Site) -> None:
    with web_site() as other:
        site.redirects["/go"] = other.url("/there")
        tool = HttpGetTool((site.address, other.address))
        hosts = (site.address, other.address)
        arguments = {"url": site.url("/go"), "headers": {"Authorization": "Bearer x"}}
        result = await tool.perform(call(None, arguments, egress_hosts=hosts))
        assert result.content.startswith("HTTP 200")
        assert site.seen[0][2]["authorization"] == "Bearer x"
        assert "authorization" not in other.seen[0][2]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://user@127.0.0.1/", "gopher://127.0.0.1/", "javascript:1"]
)
async def test_a_redirect_to_something_else_than_the_web_is_not_followed(target: str, site: Site) -> None:
    site.redirects["/go"] = target
    with pytest.raises(ToolFailed):
        await get(site, "/go")


async def test_redirects_in_a_circle_end(site: Site) -> None:
    site.redirects["/a"] = "/b"
    site.redirects["/b"] = "/a"
    with pytest.raises(ToolFailed, match="more than 5 redirects"):
        await get(site, "/a")


async def test_a_redirect_is_the_answer_to_a_post(site: Site) -> None:
    site.redirects["/go"] = site.url("/there")
    tool = request_tool(site.address)
    result = await tool.perform(call(egress_hosts=(site.address,), method="POST", url=site.url("/go"), body="x"))
    assert "location:" in result.content
    assert [path for _, path, _, _ in site.seen] == ["/go"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "http://user:pw@127.0.0.1/",
        "http://127.0.0.1\\@evil.com/",
        "http:///x",
        "127.0.0.1",
        "http://a b/",
    ],
)
async def test_an_address_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ToolFailed, match="no plain http"):
        await HttpGetTool(("127.0.0.1",)).perform(call(egress_hosts=("127.0.0.1",), url=url))


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Idempotency-Key", "Proxy-Authorization", "A\r\nB", "Transfer-Encoding"]
)
async def test_headers_that_are_ours_cannot_be_set(name: str, site: Site) -> None:
    tool = HttpGetTool((site.address,))
    with pytest.raises(ToolFailed, match="header"):
        await tool.perform(call(egress_hosts=(site.address,), url=site.url("/"), headers={name: "x"}))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("192.0.2.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::", False),
        ("ff02::1", False),
    ],
)
def test_public_means_public_in_every_wrapping(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


async def test_the_certificate_is_checked_against_the_name_although_the_address_is_pinned(tmp_path: Path) -> None:
    trusted, server_tls = certificates(tmp_path)
    with web_site(server_tls) as site:
        tool = HttpGetTool(("localhost", "127.0.0.1"))
        tool.wire.tls = trusted
        hosts = (f"localhost:{site.port}", site.address)
        result = await tool.perform(call(egress_hosts=hosts, url=f"https://localhost:{site.port}/"))
        assert result.content.startswith("HTTP 200")
        with pytest.raises(ToolFailed, match="certificate"):
            await tool.perform(call(egress_hosts=hosts, url=f"https://127.0.0.1:{site.port}/"))


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client that trusts, and a server that shows, a certificate for `localhost` alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return ssl.create_default_context(cafile=str(file)), server
