"""`POST /events`: one event as JSON, or up to a thousand as NDJSON."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, TypeAlias
from uuid import UUID, uuid5

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromQuery, HeaderParameter

from app.auth import require
from app.canon.canonical_json import MAX_DEPTH
from app.canon.errors import Fault, Forbidden, Invalid
from app.canon.vocabulary import Principal, new_id
from app.governance_ledger.appending import append
from app.governance_ledger.batching import BatchRefused, append_batch, give_way
from app.governance_ledger.document import MAX_BODY_BYTES
from app.governance_ledger.errors import EventRefused
from app.governance_ledger.event_types import writers_of
from app.governance_ledger.issuing import issue
from app.governance_ledger.model import Event, Receipt
from app.governance_ledger.repeating import append_once
from app.governance_ledger.revenue import revenue_data
from app.governance_ledger.subjects import Personal, keeper_of, seal_personal
from app.postgres import Transaction
from app.problems import Problem, documented, problem_of

JSON, NDJSON = "application/json", "application/x-ndjson"
MAX_LINES = 1_000
MAX_REQUEST_BYTES = 8 * 1024 * 1024
IDEMPOTENT = UUID("6d7f2f0a-9a35-5f0f-9d0e-4f4b6b0c6f17")

Caller = Request[Principal, Principal, State]
Key: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An event of your own. `data` holds no fractions: write money and large numbers as strings.

    `personal` is kept encrypted under its subject's key and can be erased with it, `data` cannot. The same event
    sent again under the same `idempotency_key` is recorded once.
    """

    type: str
    data: dict[str, object] = {}
    personal: Personal | None = None
    ticket_id: UUID | None = None
    run_id: UUID | None = None
    occurred_at: datetime | None = None
    idempotency_key: Key | None = None


class Recorded(msgspec.Struct, frozen=True):
    """What the database stamped, and the same as a signed receipt (JWS) to keep."""

    event_id: UUID
    leaf: str
    xid: str
    recorded_at: datetime
    receipt: str


class BatchItem(msgspec.Struct, frozen=True):
    """What became of a line: `recorded`, or the `problem` for which it was refused. Lines count from 1."""

    line: int
    recorded: Recorded | None = None
    problem: Problem | None = None


class Batch(msgspec.Struct, frozen=True):
    """What became of a batch, in the order of its lines."""

    recorded: int
    refused: int
    items: tuple[BatchItem, ...]


_DECODER = msgspec.json.Decoder(NewEvent)
_EVENT = Schema(
    type=OpenAPIType.OBJECT,
    title="NewEvent",
    required=["type"],
    properties={
        "type": Schema(type=OpenAPIType.STRING, examples=["x.shop.sold"]),
        "data": Schema(type=OpenAPIType.OBJECT),
        "personal": Schema(
            type=OpenAPIType.OBJECT,
            required=["subject", "data"],
            properties={
                "subject": Schema(type=OpenAPIType.STRING, examples=["customer:8841"]),
                "data": Schema(type=OpenAPIType.OBJECT),
            },
        ),
        "ticket_id": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
        "run_id": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
        "occurred_at": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE_TIME),
        "idempotency_key": Schema(type=OpenAPIType.STRING, min_length=1, max_length=200),
    },
)
_LINES = f"One event in each line, at most {MAX_LINES:,} lines and {MAX_REQUEST_BYTES // 2**20} MiB"
_RECORDED = {
    "event_id": "018f6a52-8d7a-7c31-9b1e-2f6a0c1d2e3f",
    "leaf": "5c1f…",
    "xid": "73511",
    "recorded_at": "2026-03-02T03:04:05.678901Z",
    "receipt": "eyJhbGciOiJFZERTQSIs…",
}
_REFUSED = {"title": "Forbidden", "status": 403, "detail": "tool.done is written by the runtime alone; …"}
_BATCH = {
    "recorded": 1,
    "refused": 1,
    "items": [
        {"line": 1, "recorded": _RECORDED, "problem": None},
        {"line": 2, "recorded": None, "problem": _REFUSED},
    ],
}


@dataclass
class AppendOperation(Operation):
    """Documents a body of either form; Litestar itself knows one form for each handler."""

    def __post_init__(self) -> None:
        content = {
            JSON: OpenAPIMediaType(schema=_EVENT),
            NDJSON: OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, description=_LINES)),
        }
        self.request_body = RequestBody(content=content, required=True)


@post(
    "/events",
    status_code=HTTPStatus.CREATED,
    tags=["ledger"],
    summary="Append events of your own",
    description="One event as `application/json`, or several as `application/x-ndjson`. Types are `x.*`, and "
    "`revenue.recorded` for a founder, a deputy or a service. The runtime's own types are refused: nobody can forge "
    "them.\n\nA batch is taken line by line: valid lines are recorded, all in one transaction, and each line that is "
    "refused says why. With `atomic=true` one refused line refuses all of them (422, nothing recorded).\n\nWith an "
    "`idempotency_key` in the event, or an `Idempotency-Key` for the request (in a batch it stands for each line, with "
    f"the line's number), the same event sent again gets the same receipt. An event's data holds at most "
    f"{MAX_BODY_BYTES // 1024} KiB.",
    operation_class=AppendOperation,
    request_max_body_size=MAX_REQUEST_BYTES,
    responses={
        HTTPStatus.CREATED.value: ResponseSpec(
            Recorded, description="One event, recorded", examples=[Example(value=_RECORDED)]
        ),
        HTTPStatus.OK.value: ResponseSpec(
            Batch, description="A batch: what became of each line", examples=[Example(value=_BATCH)]
        ),
        **documented(
            HTTPStatus.FORBIDDEN,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    },
)
async def append_event(
    request: Caller,
    tx: NamedDependency[Transaction],
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
    atomic: FromQuery[bool] = False,
) -> Response[Recorded | Batch]:
    body, media_type = await request.body(), request.content_type[0]
    if media_type == NDJSON:
        batch = await _append_lines(request, tx, body, idempotency_key, atomic=atomic)
        return Response(batch, status_code=HTTPStatus.OK)
    if media_type not in ("", JSON):
        detail = f"send {JSON}, or {NDJSON} for several events; this is {media_type}"
        raise ClientException(detail, status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return Response(await _append_one(request, tx, body, idempotency_key))


async def _append_one(request: Caller, tx: Transaction, body: bytes, header: str | None) -> Recorded:
    given = _decoded(body)
    event, event_id = await _sealed(request, tx, given, _id_of(request.auth, given.idempotency_key or header))
    receipt = await (append(tx, event) if event_id is None else append_once(tx, event, event_id))
    issued = await issue(tx, request.app.state.receipts, [receipt])
    return _recorded(receipt, issued)


async def _append_lines(request: Caller, tx: Transaction, body: bytes, header: str | None, *, atomic: bool) -> Batch:
    problems: dict[int, Problem] = {}
    accepted: dict[int, tuple[Event, UUID | None]] = {}
    for number, line in _lines(body):
        await give_way(number)
        key = None if header is None else f"{header}\n{number}"
        try:
            given = _decoded(line)
            accepted[number] = await _sealed(request, tx, given, _id_of(request.auth, given.idempotency_key or key))
        except (Fault, ValidationException) as fault:
            problems[number] = _problem(fault)
    receipts: dict[int, Receipt] = {}
    if not (atomic and problems):
        outcomes = await append_batch(tx, list(accepted.values()))
        for number, outcome in zip(accepted, outcomes, strict=True):
            if isinstance(outcome, Receipt):
                receipts[number] = outcome
            else:
                problems[number] = _problem(outcome)
    if atomic and problems:
        refused = [BatchItem(line, None, problem) for line, problem in sorted(problems.items())]
        data = {"items": msgspec.to_builtins(refused)}
        raise BatchRefused(f"nothing was recorded: {len(problems)} lines are refused", data)
    issued = await issue(tx, request.app.state.receipts, receipts.values())
    recorded = {number: _recorded(receipt, issued) for number, receipt in receipts.items()}
    numbers = sorted(recorded.keys() | problems.keys())
    items = tuple(BatchItem(line, recorded.get(line), problems.get(line)) for line in numbers)
    return Batch(len(recorded), len(problems), items)


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > MAX_LINES:
        raise RequestEntityTooLarge(f"a batch has at most {MAX_LINES} lines, this one has {len(lines)}: send several")
    if not lines:
        raise ValidationException("the batch has no line: write one event as JSON in each")
    yield from lines


def _decoded(body: bytes) -> NewEvent:
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValidationException(f"this is no event: {error}") from error


async def _sealed(
    request: Caller, tx: Transaction, given: NewEvent, event_id: UUID | None
) -> tuple[Event, UUID | None]:
    """The event to record. Raises `Forbidden`, `EventRefused`, `SubjectErased`, `Misconfigured`."""
    event = _accepted(request.auth, given)
    if given.personal is None:
        return event, event_id
    event_id = event_id or new_id()
    keeper = keeper_of(request.app.state.settings.keys)
    return await seal_personal(tx, keeper, event, event_id, given.personal), event_id


def _accepted(caller: Principal, given: NewEvent) -> Event:
    """Raises `Forbidden`, `EventRefused`."""
    writers = writers_of(given.type)
    if not writers:
        raise Forbidden(f"{given.type} is written by the runtime alone; your own types begin with x.")
    require(caller, *writers)
    _check_depth(given.data if given.personal is None else [given.data, given.personal.data])
    if "personal" in given.data:
        raise EventRefused("data.personal is taken: send `personal` beside `data`")
    data = revenue_data(given.data) if given.type == "revenue.recorded" else given.data
    return Event(
        type=given.type,
        actor=caller.actor,
        data=data,
        ticket_id=given.ticket_id,
        run_id=given.run_id,
        occurred_at=given.occurred_at,
    )


def _check_depth(value: object) -> None:
    """A document must be read back by anyone's parser, wherever on its stack. Raises `EventRefused`."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise EventRefused(f"the event's data is nested deeper than {MAX_DEPTH} levels")


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _id_of(caller: Principal, key: str | None) -> UUID | None:
    """The event's id under an idempotency key. A key of a line holds an LF, which no key of a caller's can."""
    if key is None:
        return None
    if not key.strip():
        raise Invalid("an idempotency key has 1 to 200 printable characters, a UUID for example")
    return uuid5(IDEMPOTENT, f"{caller.tid}/{caller.actor}/{key}")


def _recorded(receipt: Receipt, issued: Mapping[UUID, str]) -> Recorded:
    signed = issued[receipt.event_id]
    return Recorded(receipt.event_id, receipt.leaf, receipt.xid, receipt.recorded_at, signed)


def _problem(fault: Fault | ValidationException) -> Problem:
    if not isinstance(fault, ValidationException):
        return problem_of(fault)
    status = HTTPStatus(fault.status_code)
    return Problem(title=status.phrase, status=status, detail=fault.detail)
