"""HTTP to hosts that the role or the founder has named. No private address unless listed, on every hop."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec

from app.adapters.tools.page_text import page_text
from app.adapters.tools.wording import declared_text, storable, text_argument
from app.adapters.unpacking import ASKED, body_of
from app.canon.addresses import link_of
from app.canon.canonical_json import NotCanonical, exact
from app.canon.destinations import host_allowed
from app.canon.tool import EvidenceItem, OutcomeUnknown, ToolCall, ToolFailed, ToolResult, ToolSpec, Vault, Wording
from app.canon.vocabulary import Risk

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 10.0, 30.0, 60.0
MAX_ANSWER_BYTES = 5 * 1024 * 1024
MAX_BODY_CHARACTERS = 1_000_000
SHOWN_CHARACTERS = 40_000
MAX_REDIRECTS = 5
SAFE_METHODS = ("GET", "HEAD")
METHODS = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_URL = {"type": "string", "maxLength": 4000, "description": "http:// or https:// address"}
_HEADERS = {"type": "object", "description": "Header names and values, all texts"}


class Answer(msgspec.Struct, frozen=True):
    """What came back over the last hop. `cut` tells that the body went on beyond the limit."""

    status: int
    url: str
    headers: dict[str, str]
    body: bytes
    cut: bool = False


class HttpGetTool:
    """Reads one address. A read may be repeated, so a lost answer is a plain failure."""

    spec = ToolSpec(
        name="http_get",
        description="Read an http(s) address with GET and get status and text. Pages come without their markup.",
        parameters={
            "type": "object",
            "properties": {"url": _URL, "headers": _HEADERS},
            "required": ["url"],
            "additionalProperties": False,
        },
        risk=Risk.READ,
        effect="read",
        idempotent=True,
        destinations=("url",),
        text=("headers",),
        words={
            "en": Wording("read a web address", "Read {url}."),
            "id": Wording("membaca alamat web", "Baca {url}."),
        },
    )

    def __init__(self, allow_private: Sequence[str] = ()) -> None:
        self.wire = Wire(tuple(allow_private))

    async def perform(self, call: ToolCall) -> ToolResult:
        return await _perform(self.wire, call, "GET")


class HttpRequestTool:
    """Any method. What is not a read carries an `Idempotency-Key` that is the same for every attempt of the step."""

    spec = ToolSpec(
        name="http_request",
        description="Make one http(s) request (GET, HEAD, POST, PUT, PATCH, DELETE) and get status and text.",
        parameters={
            "type": "object",
            "properties": {
                "method": {"type": "string", "enum": list(METHODS)},
                "url": _URL,
                "headers": _HEADERS,
                "body": {"type": ["string", "null"], "maxLength": MAX_BODY_CHARACTERS},
            },
            "required": ["method", "url"],
            "additionalProperties": False,
        },
        risk=Risk.OUTBOUND,
        effect="external",
        destinations=("url",),
        text=("headers", "body"),
        words={
            "en": Wording("call a web address", "{method} {url}."),
            "id": Wording("memanggil alamat web", "{method} {url}."),
        },
    )

    def __init__(self, allow_private: Sequence[str] = ()) -> None:
        self.wire = Wire(tuple(allow_private))

    async def perform(self, call: ToolCall) -> ToolResult:
        method = text_argument(call.arguments, "method").upper()
        if method not in METHODS:
            raise ToolFailed(f"`method` must be one of {', '.join(METHODS)}", code="tool.arguments")
        return await _perform(self.wire, call, method)


class Wire:
    """Opens connections to checked addresses only; the certificates are read once."""

    def __init__(self, allow_private: tuple[str, ...]) -> None:
        self.allow_private = allow_private

    @cached_property
    def tls(self) -> ssl.SSLContext:
        import httpx

        return httpx.create_ssl_context(trust_env=False)

    def client(self, egress_hosts: Sequence[str]) -> "httpx.AsyncClient":
        """A client for one call; it refuses hosts outside `egress_hosts` at every hop."""
        import httpx

        from app.adapters.tools.pinned import PinnedTransport

        transport = PinnedTransport(self.tls, tuple(egress_hosts), self.allow_private)
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        return httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False, follow_redirects=False)


async def _perform(wire: Wire, call: ToolCall, method: str) -> ToolResult:
    url = text_argument(call.arguments, "url").strip()
    _check_address(url, call.egress_hosts)
    headers = _headers(call.arguments.get("headers"))
    body = call.arguments.get("body")
    if body is not None and not isinstance(body, str):
        raise ToolFailed("`body` must be a text", code="tool.arguments")
    if method not in SAFE_METHODS:
        headers["Idempotency-Key"] = call.key
    answer = await _exchange(wire, call, method, url, headers, body)
    return await asyncio.to_thread(_result, method, answer)


def _check_address(url: str, egress_hosts: Sequence[str]) -> None:
    link = link_of(url)
    if link is None or link.scheme not in {"http", "https"}:
        raise ToolFailed(
            f"{url!r} is no plain http:// or https:// address (no user names, no .. in it)", code="tool.arguments"
        )
    if not host_allowed(link.host, link.port, egress_hosts, any_port=False, scheme=link.scheme):
        place = f"{link.host}:{link.port}" if link.port else link.host
        raise ToolFailed(
            f"the role may not reach {place}: the founder can add it to the role's egress hosts",
            code="tool.host_barred",
        )


def _headers(given: object) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise ToolFailed("`headers` must be an object of texts", code="tool.arguments")
    for name, value in given.items():
        if str(name).lower() in _OURS or str(name).lower().startswith("proxy-"):
            raise ToolFailed(f"the header {name!r} cannot be set", code="tool.arguments")
        if not str(name).replace("-", "").replace("_", "").isalnum() or not str(value).isprintable():
            raise ToolFailed(f"the header {name!r} has signs that headers cannot have", code="tool.arguments")
    return {str(name): str(value) for name, value in given.items()}


async def _exchange(
    wire: Wire, call: ToolCall, method: str, url: str, headers: Mapping[str, str], body: str | None
) -> Answer:
    import httpx

    safe = method in SAFE_METHODS
    try:
        async with asyncio.timeout(TOTAL_SECONDS), wire.client(call.egress_hosts) as client:
            return await _follow(client, call.vault, method, url, headers, body)
    except (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.InvalidURL,
        httpx.UnsupportedProtocol,
    ) as error:
        raise ToolFailed(
            f"{urlsplit(url).hostname} cannot be reached: {_reason(error)}", code="tool.host_away"
        ) from error
    except (httpx.HTTPError, TimeoutError) as error:
        if safe:
            raise ToolFailed(f"{url} gave no complete answer: {_reason(error)}", code="tool.host_cut") from error
        raise OutcomeUnknown(f"the {method} was sent and its answer was lost: {_reason(error)}") from error


async def _follow(
    client: "httpx.AsyncClient", vault: Vault, method: str, url: str, headers: Mapping[str, str], body: str | None
) -> Answer:
    """Reads follow redirects, each hop checked anew; other methods give the redirect back as their answer."""
    for _ in range(MAX_REDIRECTS + 1):
        sent = {"accept-encoding": ASKED, **_lower(headers), **_lower(await _secret_headers(vault, url))}
        request = client.build_request(method, url, headers=sent, content=body)
        response = await client.send(request, stream=True)
        try:
            if not response.has_redirect_location or method not in SAFE_METHODS:
                return await _answer(response)
            target = urljoin(url, response.headers["location"])
        finally:
            await response.aclose()
        if link_of(target) is None:
            raise ToolFailed(f"{url} redirects to {target!r}, which is no plain address", code="tool.redirect")
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
            raise ToolFailed(f"{url} redirects to {target!r}, which is not encrypted", code="tool.redirect")
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            headers = {}
        url = target
    raise ToolFailed(f"more than {MAX_REDIRECTS} redirects", code="tool.redirect")


async def _secret_headers(vault: Vault, url: str) -> Mapping[str, str]:
    """What the founder wants sent to this host, over TLS or inside this machine only."""
    link = link_of(url)
    if link is None or not (link.scheme == "https" or link.host in ("localhost", "127.0.0.1", "::1")):
        return {}
    return await vault.headers(link.host, link.port)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def _answer(response: "httpx.Response") -> Answer:
    body, cut = await body_of(response, MAX_ANSWER_BYTES)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, str(response.url), headers, body, cut)


def _result(method: str, answer: Answer) -> ToolResult:
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = _text(answer, media_type)
    shown = text[:SHOWN_CHARACTERS]
    lines = [f"HTTP {answer.status} {media_type}".rstrip(), f"from {answer.url}"]
    if "location" in answer.headers:
        lines.append(f"location: {answer.headers['location']}")
    if answer.cut or len(shown) < len(text):
        lines.append(f"({len(shown)} characters shown; the answer is longer)")
    data = {
        "status": answer.status,
        "url": answer.url,
        "content_type": media_type,
        "location": answer.headers.get("location"),
        "text": shown,
        "json": _json(answer, media_type),
    }
    evidence = EvidenceItem(f"{method.lower()}-answer", media_type or "application/octet-stream", answer.body)
    return ToolResult("\n".join((*lines, "", shown)).rstrip(), data, evidence=(evidence,))


def _text(answer: Answer, media_type: str) -> str:
    if b"\0" in answer.body[:8192]:
        return f"({len(answer.body)} bytes that are no text)"
    charset = answer.headers.get("content-type", "").lower().partition("charset=")[2].partition(";")[0].strip("\"' ")
    text = declared_text(answer.body, charset) if charset else answer.body.decode("utf-8", "replace")
    return storable(page_text(text) if media_type == "text/html" else text)


def _json(answer: Answer, media_type: str) -> object:
    if answer.cut or not (media_type == "application/json" or media_type.endswith("+json")):
        return None
    try:
        return exact(msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, NotCanonical, RecursionError):
        return None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
