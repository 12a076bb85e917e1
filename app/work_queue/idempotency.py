"""`Idempotency-Key`: the same request sent again gets the first answer again, and nothing is done twice.

The answer is stored in the transaction of the request, so it stands if and only if the request took effect; what failed
is not stored and can be tried again. Wiring, all in `app/main.py`: `edge` as an ASGI middleware below authentication,
`replay` first thing in the `tx` dependency, `remember` as `after_request`, `HANDLERS` among the exception handlers.

What an answer gives once only (`canon.answers.GivenOnce`) is not stored: a repetition gets the rest.

A key belongs to its caller and lives for a day; the caller's next new key clears away those that are older. While the
first request is still running, the second waits for it.
"""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType, RequestEncodingType
from litestar.params import HeaderParameter, ParameterKwarg
from litestar.serialization import get_serializer
from litestar.types import ASGIApp, ExceptionHandlersMap, Receive, Scope, Send
from litestar.utils import get_enum_string_value

from app.canon.answers import GivenOnce
from app.canon.errors import Invalid
from app.postgres import Transaction
from app.work_queue.errors import KeyReused

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(days=1)
_WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})

KEYED: Mapping[str, ParameterKwarg] = {
    "idempotency_key": HeaderParameter(
        name=HEADER,
        annotation=str | None,
        required=False,
        min_length=1,
        max_length=200,
        description="The same request sent again with the same key gets the first answer again "
        "(`Idempotent-Replayed: true`), and nothing is done twice.",
    )
}
"""For `Router(parameters=...)`: documents the header on writing handlers."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_FIND = """
SELECT request_sha256, status, media_type, answer FROM work_queue.idempotency_keys
 WHERE caller = $1 AND key = $2 AND created_at > clock.now() - $3::interval
"""
_KEEP = """
INSERT INTO work_queue.idempotency_keys (tenant_id, caller, key, request_sha256, status, media_type, answer, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock.now())
"""
_FORGET = "DELETE FROM work_queue.idempotency_keys WHERE caller = $1 AND created_at <= clock.now() - $2::interval"


class StoredAnswer(msgspec.Struct, frozen=True):
    status: int
    media_type: str
    content: bytes


class Replayed(Exception):
    """Ends a request whose answer is known already."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__("answered before")
        self.answer = answer


class _Keyed:
    """One request that carries a key: its body's hash grows while the body is read."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.body = hashlib.sha256()
        self.whole = False
        self.request_sha256 = ""
        self.caller = ""
        self.tx: Transaction | None = None
        self.request: Request[Any, Any, Any] | None = None


_KEYED: ContextVar[_Keyed | None] = ContextVar("idempotency", default=None)


def edge(app: ASGIApp) -> ASGIApp:
    """The ASGI middleware: notes the key and hashes the body as it passes by."""

    async def keyed(scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await app(scope, receive, send)
            return
        note = _Keyed(key)
        mark = _KEYED.set(note)

        async def hashing() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                note.body.update(message.get("body", b""))
                note.whole = not message.get("more_body", False)
            return message

        try:
            await app(scope, hashing, send)
        finally:
            _KEYED.reset(mark)

    return keyed


def _key(scope: Scope) -> str | None:
    if scope.get("method") not in _WRITES:
        return None
    name = HEADER.lower().encode()
    found = [value for header, value in scope["headers"] if header.lower() == name]
    return found[0].decode("latin-1").strip() if found else None


async def replay(tx: Transaction, request: Request[Any, Any, Any]) -> None:
    """Call first in the request's transaction: raises `Replayed` with the stored answer of the same request.

    Raises `KeyReused` (422) when the key came with another request, `Invalid` for a key that is none.
    """
    note = _KEYED.get()
    if note is None:
        return
    if not 1 <= len(note.key) <= 200 or not note.key.isprintable():
        raise Invalid(f"{HEADER} has 1 to 200 printable characters, a UUID for example")
    if not note.whole:
        await (request.form() if request.content_type[0] == RequestEncodingType.MULTI_PART else request.body())
    note.caller, note.tx, note.request = request.auth.actor, tx, request
    place = f"{request.method} {request.url.path}?{request.url.query} ".encode()
    note.request_sha256 = hashlib.sha256(place + note.body.digest()).hexdigest()
    await tx.connection.execute(_LOCK, f"{tx.tenant}/{note.caller}/{note.key}")
    stored = await tx.connection.fetchrow(_FIND, note.caller, note.key, KEPT)
    if stored is None:
        await tx.connection.execute(_FORGET, note.caller, KEPT)
    elif stored["request_sha256"] != note.request_sha256:
        raise KeyReused(f"this {HEADER} was used for another request: take a new one")
    else:
        raise Replayed(StoredAnswer(stored["status"], stored["media_type"], bytes(stored["answer"])))


async def remember(response: Response[Any]) -> Response[Any]:
    """The `after_request` hook: stores the answer in the request's transaction, before it is committed."""
    note = _KEYED.get()
    if note is None or note.tx is None or note.request is None or not isinstance(response, Response):
        return response
    handler: Any = note.request.route_handler
    status = response.status_code or handler.status_code
    media_type = get_enum_string_value(response.media_type or handler.media_type or MediaType.JSON)
    kept = response.content.for_repetition() if isinstance(response.content, GivenOnce) else response.content
    content = response.render(kept, media_type, get_serializer(handler.resolve_type_encoders()))
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        await note.tx.connection.execute(
            _KEEP, note.tx.tenant, note.caller, note.key, note.request_sha256, status, media_type, content
        )
    return response


def _answer(_: Request[Any, Any, Any], replayed: Replayed) -> Response[bytes]:
    answer = replayed.answer
    headers: Mapping[str, str] = {REPLAYED: "true"}
    return Response(answer.content, status_code=answer.status, media_type=answer.media_type, headers=headers)


HANDLERS: ExceptionHandlersMap = {Replayed: _answer}
