"""The one table from exception families to HTTP: problem+json (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import ExceptionHandlersMap

from app.canon import errors
from app.postgres import AWAY

_LOG = logging.getLogger("flr.api")

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of every error answer. `detail` says what befell and what to do next; its words may change. `code` says
    which refusal it is, for good, where a status can mean several; `data` are its facts."""

    title: str
    status: int
    detail: str
    code: Annotated[str, msgspec.Meta(description="Which refusal it is, for good.", examples=["role.name_taken"])] = ""
    type: str = "about:blank"
    instance: str = ""
    errors: list[dict[str, object]] = []
    data: dict[str, object] = {}


STATUS: Mapping[type[errors.Fault], HTTPStatus] = {
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Gone: HTTPStatus.GONE,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def _answer(
    request: Request[Any, Any, Any], problem: Problem, headers: dict[str, str] | None = None
) -> Response[Problem]:
    return Response(
        problem,
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers or {},
    )


def status_of(fault: errors.Fault) -> HTTPStatus:
    for family in type(fault).__mro__:
        if family in STATUS:
            return STATUS[family]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(fault: errors.Fault, instance: str = "", detail: str = "") -> Problem:
    """What a fault is over HTTP; `detail` in place of its own words."""
    status = status_of(fault)
    return Problem(status.phrase, status, detail or str(fault), fault.code, instance=instance, data=fault.data)


def on_fault(request: Request[Any, Any, Any], fault: errors.Fault, detail: str = "") -> Response[Problem]:
    """`detail` in place of the fault's own words, for who speaks another language."""
    return _answer(request, problem_of(fault, request.url.path, detail))


def _on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    extra = error.extra if isinstance(error.extra, list) else []
    problem = Problem(
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=error.detail,
        instance=request.url.path,
        errors=[item for item in extra if isinstance(item, dict)],
    )
    return _answer(request, problem, dict(error.headers or {}))


def on_away(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The database is away: no fault of what was asked, and no sign of anything worse."""
    _LOG.error("%s %s: the database does not answer (%s)", request.method, request.url.path, error)
    status = HTTPStatus.SERVICE_UNAVAILABLE
    detail = "the database does not answer: try again, with the same Idempotency-Key if you sent one"
    return _answer(request, Problem(status.phrase, status, detail, instance=request.url.path), {"retry-after": "5"})


UNFIT = (asyncpg.DataError, RecursionError, UnicodeError)
"""What a request holds that cannot be read or kept: text with a zero byte or in another encoding, a number or an
instant that no column takes, JSON nested without end."""


def on_unfit(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The request's fault; told to the operator too, for it might be ours."""
    _LOG.warning("%s %s cannot be read or kept (%s: %s)", request.method, request.url.path, type(error).__name__, error)
    return on_fault(request, unfit(error))


def unfit(error: Exception) -> errors.Invalid:
    if isinstance(error, RecursionError):
        return errors.Invalid("what was given is nested too deeply", code="text.unkeepable")
    said = "what was given holds text, a number or an instant that cannot be kept"
    return errors.Invalid(said, code="text.unkeepable")


HANDLERS: ExceptionHandlersMap = {
    errors.Fault: on_fault,
    HTTPException: _on_http,
    **dict.fromkeys(AWAY, on_away),
    **dict.fromkeys(UNFIT, on_unfit),
}


_EXAMPLES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "Object contains unknown field `tenant`",
    HTTPStatus.UNAUTHORIZED: "no token: send `Authorization: Bearer ...` (print one with `flr token`), or sign in",
    HTTPStatus.FORBIDDEN: "this needs a token of role founder; yours is auditor",
    HTTPStatus.NOT_FOUND: "there is no such thing in this tenant",
    HTTPStatus.CONFLICT: "it changed since you read it: read it again and repeat",
    HTTPStatus.GONE: "it was erased, for good",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "send application/json",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "the range lies beyond the end",
    HTTPStatus.UNPROCESSABLE_ENTITY: "what was given cannot be accepted as it is",
    HTTPStatus.INTERNAL_SERVER_ERROR: "a promise was broken; the message says which",
    HTTPStatus.SERVICE_UNAVAILABLE: "something outside does not answer; nothing was lost, try again",
}


ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What any request may be told: it cannot be read, names nobody, or what it holds cannot be accepted."""


def documented(*statuses: HTTPStatus) -> dict[int, ResponseSpec]:
    """The error answers of a handler, for OpenAPI: a `Problem` with an example each. `ALWAYS` are among them."""
    return {
        status.value: ResponseSpec(
            data_container=Problem,
            description=status.phrase,
            media_type=MEDIA_TYPE,
            generate_examples=False,
            examples=[Example(value=msgspec.to_builtins(Problem(status.phrase, status, _EXAMPLES[status])))],
        )
        for status in sorted({*ALWAYS, *statuses})
    }
