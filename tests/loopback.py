"""Tests reach this machine only, whoever in the process opens the socket."""

import ipaddress
import socket
import sys
from typing import Any

import uvloop

LOCAL_NAMES = ("localhost", "", None)


def allow_loopback_only() -> None:
    """Names that are not local do not resolve and addresses that are not local do not connect, from now on."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        _check_address(arguments[1])
    elif event == "socket.getaddrinfo":
        _check_name(arguments[0])


def _check_address(address: object) -> None:
    if isinstance(address, tuple) and not _is_local(address[0]):
        raise ConnectionRefusedError(f"tests reach loopback only, not {address[0]}")


def _check_name(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in LOCAL_NAMES and not _is_address(name):
        raise socket.gaierror(socket.EAI_NONAME, f"tests reach loopback only, not {name}")


def _is_local(host: object) -> bool:
    return host in LOCAL_NAMES or (_is_address(host) and ipaddress.ip_address(str(host).split("%")[0]).is_loopback)


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return True


class LoopbackLoop(uvloop.Loop):
    """The loop of the product's processes, which asks the kernel itself: no audit event tells what it opens."""

    async def getaddrinfo(self, host: Any, port: Any, **wanted: Any) -> Any:
        _check_name(host)
        return await super().getaddrinfo(host, port, **wanted)

    async def create_connection(self, protocol_factory: Any, host: Any = None, *args: Any, **wanted: Any) -> Any:
        _check_host(host)
        return await super().create_connection(protocol_factory, host, *args, **wanted)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        _check_address(address)
        await super().sock_connect(sock, address)


def _check_host(host: object) -> None:
    if _is_address(host):
        _check_address((host,))
    else:
        _check_name(host)
