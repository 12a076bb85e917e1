"""What the console adds to the application: its frontend and keys, and errors as pages where a person asked."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.config.app import AppConfig
from litestar.exceptions import HTTPException

from app import clock, problems
from app.canon.errors import Fault
from app.canon.vocabulary import new_id
from app.founder_console.errors import LinkUnusable, SignInAgain
from app.founder_console.identity.trying import Failures
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Language
from app.founder_console.refusals import refusal
from app.founder_console.screens.rendering import Frontend, html
from app.founder_console.visits import go
from app.founder_console.wording import preferred
from app.postgres import AWAY

_LOG = logging.getLogger("flr.console")

LINKED = "/api/v1/ledger/"
KINDS = {
    HTTPStatus.NOT_FOUND: "404",
    HTTPStatus.GONE: "410",
    HTTPStatus.FORBIDDEN: "403",
    HTTPStatus.UNAUTHORIZED: "403",
    HTTPStatus.CONFLICT: "409",
}


HOMES = {
    "/": "tab.today",
    "/approvals": "tab.decisions",
    "/workers": "tab.workers",
    "/tickets": "tickets",
    "/ledger": "ledger",
    "/settings": "settings",
}


def configure(config: AppConfig) -> AppConfig:
    """Loads templates and files, makes missing keys, and puts pages before problem+json for browsers."""
    config.state.frontend = Frontend()
    config.state.seal = Seal(config.state.settings.keys)
    config.state.failures = Failures()
    config.exception_handlers = {
        **config.exception_handlers,
        Fault: _on_fault,
        HTTPException: _on_http,
        **dict.fromkeys(AWAY, _on_away),
        ExceptionGroup: _on_several,
        **dict.fromkeys(problems.UNFIT, _on_unfit),
        HTTPStatus.INTERNAL_SERVER_ERROR: _on_crash,
    }
    return config


def _for_a_person(request: Request[Any, Any, Any]) -> bool:
    """Whether a page is wanted. Below the API it is where a page of ours leads: to exports and case files."""
    if request.url.path.startswith("/api/") and not request.url.path.startswith(LINKED):
        return False
    return "text/html" in request.headers.get("accept", "") or request.headers.get("x-fragment") == "1"


def _on_fault(request: Request[Any, Any, Any], fault: Fault) -> Response[Any]:
    language = _spoken(request)
    if not _for_a_person(request):
        said = "" if language is None or request.url.path.startswith("/api/") else _said(request, fault, language)
        return problems.on_fault(request, fault, said)
    said = _said(request, fault, language or preferred(""))
    if isinstance(fault, SignInAgain):
        return go(f"/login?again=yes&next={quote(fault.path)}")
    if isinstance(fault, LinkUnusable):
        return _page(request, HTTPStatus.NOT_FOUND, "link", said)
    return _told(request, problems.status_of(fault), said=said if fault.code else "", detail=str(fault))


def _spoken(request: Request[Any, Any, Any]) -> Language | None:
    """The founder's language, or the browser's; None for a program that names none."""
    known: Language | None = request.state.get("language")
    accepted = request.headers.get("accept-language", "")
    return known or (preferred(accepted) if accepted else None)


def _said(request: Request[Any, Any, Any], fault: Fault, language: Language) -> str:
    frontend: Frontend = request.app.state.frontend
    return refusal(fault, frontend.words[language])


def _on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework says of an address or a form is a developer's English: a page does without it."""
    if not _for_a_person(request):
        return problems.HANDLERS[HTTPException](request, error)
    return _told(request, HTTPStatus(error.status_code))


def _on_away(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    answer = problems.on_away(request, error)
    return _told(request, HTTPStatus.SERVICE_UNAVAILABLE) if _for_a_person(request) else answer


def _on_several(request: Request[Any, Any, Any], error: ExceptionGroup[Exception]) -> Response[Any]:
    """What befell a request, and then its transaction as it was left: a connection that died does both."""
    _, others = error.split(AWAY)
    return _on_away(request, error) if others is None else _on_crash(request, error)


def _on_unfit(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    answer = problems.on_unfit(request, error)
    return _on_fault(request, problems.unfit(error)) if _for_a_person(request) else answer


def _on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    number = new_id().hex[-8:]
    _LOG.error("%s %s failed (%s)", request.method, request.url.path, number, exc_info=error)
    if _for_a_person(request):
        return _told(request, HTTPStatus.INTERNAL_SERVER_ERROR, number=number)
    problem = problems.Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the server has a problem; nothing was carried out",
        instance=request.url.path,
    )
    return Response(problem, status_code=problem.status, media_type=problems.MEDIA_TYPE)


def _told(
    request: Request[Any, Any, Any], status: HTTPStatus, *, said: str = "", detail: str = "", number: str = ""
) -> Response[Any]:
    if status is HTTPStatus.UNAUTHORIZED and request.method == "GET":
        return go(f"/login?next={quote(request.url.path)}" if request.url.path != "/" else "/login")
    return _page(request, status, KINDS.get(status, "422" if status < 500 else "500"), said, detail, number)


def _page(
    request: Request[Any, Any, Any], status: HTTPStatus, kind: str, said: str, detail: str = "", number: str = ""
) -> Response[bytes]:
    """`said` is the refusal in the visitor's language; without it the heading's own text, with the server's English
    as a `detail` below. A page that failed may be asked for again; anything else leads to its list or to Today.
    """
    frontend: Frontend = request.app.state.frontend
    language = _spoken(request) or preferred("")
    words = frontend.words[language]
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    again = broken and request.method == "GET"
    text = said or words(f"problem.{kind}_text")
    home = next((path for path in HOMES if path != "/" and request.url.path.startswith(f"{path}/")), "/")
    values = {
        "title": words(f"problem.{kind}"),
        "heading": words(f"problem.{kind}"),
        "text": f"{text} {words('problem.number', number=number)}" if number else text,
        "detail": "" if said else detail,
        "plainly": kind in ("409", "422"),
        "href": request.url.path if again else home,
        "label": words("js.retry") if again else words("to_tab", tab=words(HOMES[home])),
    }
    template = "fragments/notice.html" if request.headers.get("x-fragment") == "1" else "problem.html"
    return html(request, frontend.door(template, language, now=clock.now(), **values), status=status)
