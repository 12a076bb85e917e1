"""The one table from exception families to HTTP: problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from app.canon import errors

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of every error answer. `detail` says what befell and what to do next."""

    title: str
    status: int
    detail: str
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


def _on_fault(request: Request[Any, Any, Any], fault: errors.Fault) -> Response[Problem]:
    status = status_of(fault)
    data = getattr(fault, "data", None)
    problem = Problem(
        title=status.phrase,
        status=status,
        detail=str(fault),
        instance=request.url.path,
        data=data if isinstance(data, dict) else {},
    )
    return _answer(request, problem)


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


HANDLERS: ExceptionHandlersMap = {
    errors.Fault: _on_fault,
    HTTPException: _on_http,
}
