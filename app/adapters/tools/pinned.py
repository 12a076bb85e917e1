"""An HTTP transport that connects to the very address it has checked: a name cannot be bound anew in between."""

import asyncio
import ipaddress
import socket
import ssl

import httpx

from app.canon.addresses import host_of
from app.canon.destinations import host_allowed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PinnedTransport(httpx.AsyncBaseTransport):
    """Checks host, port and every address it resolves to, at each request; TLS names and `Host` stay those of the URL.

    A host that is listed without a port may be reached on its scheme's own port only.

    Connections are not kept: one made for a host is never used for another host at the same address.
    """

    def __init__(self, tls: ssl.SSLContext, egress_hosts: tuple[str, ...], allow_private: tuple[str, ...]) -> None:
        self.egress_hosts = egress_hosts
        self.allow_private = allow_private
        limits = httpx.Limits(max_keepalive_connections=0)
        self.inner = httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits, http2=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
        url, name = request.url, host_of(host) or ""
        if not host_allowed(name, url.port, self.egress_hosts, any_port=False, scheme=url.scheme):
            raise httpx.ConnectError(f"{host}:{port} is not among the hosts that the role may reach", request=request)
        address = await self._address(host, port, request)
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        response = await self.inner.handle_async_request(pinned)
        response.request = request
        return response

    async def _address(self, host: str, port: int, request: httpx.Request) -> Address:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"the name {host} is not known", request=request) from error
        addresses = [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]
        if not addresses:
            raise httpx.ConnectError(f"the name {host} has no address", request=request)
        for address in addresses:
            if not (is_public(address) or self._listed(host, address, port)):
                raise httpx.ConnectError(
                    f"{host} is {address}, a private address; FLR_HTTP_ALLOW_PRIVATE can list {host}:{port}",
                    request=request,
                )
        return addresses[0]

    def _listed(self, host: str, address: Address, port: int) -> bool:
        literal = f"[{address}]" if address.version == 6 else str(address)
        return any(host_allowed(name, port, self.allow_private) for name in (host_of(host) or "", literal))

    async def aclose(self) -> None:
        await self.inner.aclose()


def is_public(address: Address) -> bool:
    """An address of the open internet: not private, loopback, link-local, shared or multicast, in any wrapping."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(wrapped)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
