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
from app.founder_console.errors import LinkUnusable
from app.founder_console.identity.trying import Failures
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Language
from app.founder_console.screens.rendering import Frontend, html
from app.founder_console.visits import go
from app.founder_console.wording import preferred
from app.postgres import AWAY

_LOG = logging.getLogger("flr.console")


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
        **dict.fromkeys(problems.UNFIT, _on_unfit),
        HTTPStatus.INTERNAL_SERVER_ERROR: _on_crash,
    }
    return config


def _for_a_person(request: Request[Any, Any, Any]) -> bool:
    if request.url.path.startswith("/api/"):
        return False
    return "text/html" in request.headers.get("accept", "") or request.headers.get("x-fragment") == "1"


def _on_fault(request: Request[Any, Any, Any], fault: Fault) -> Response[Any]:
    if not _for_a_person(request):
        return problems.HANDLERS[Fault](request, fault)
    if isinstance(fault, LinkUnusable):
        return _page(request, HTTPStatus.NOT_FOUND, "problem.link", "problem.link_text", "")
    return _told(request, problems.status_of(fault), str(fault))


def _on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    if not _for_a_person(request):
        return problems.HANDLERS[HTTPException](request, error)
    return _told(request, HTTPStatus(error.status_code), str(error.detail))


def _on_away(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    answer = problems.on_away(request, error)
    return _told(request, HTTPStatus.SERVICE_UNAVAILABLE, "") if _for_a_person(request) else answer


def _on_unfit(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    answer = problems.on_unfit(request, error)
    return _told(request, HTTPStatus.UNPROCESSABLE_ENTITY, problems.unfit(error)) if _for_a_person(request) else answer


def _on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    number = new_id().hex[-8:]
    _LOG.error("%s %s failed (%s)", request.method, request.url.path, number, exc_info=error)
    if _for_a_person(request):
        return _told(request, HTTPStatus.INTERNAL_SERVER_ERROR, number)
    problem = problems.Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the server has a problem; nothing was carried out",
        instance=request.url.path,
    )
    return Response(problem, status_code=problem.status, media_type=problems.MEDIA_TYPE)


def _told(request: Request[Any, Any, Any], status: HTTPStatus, detail: str) -> Response[Any]:
    if status is HTTPStatus.UNAUTHORIZED and request.method == "GET":
        return go(f"/login?next={quote(request.url.path)}" if request.url.path != "/" else "/login")
    known = {HTTPStatus.NOT_FOUND: "404", HTTPStatus.FORBIDDEN: "403", HTTPStatus.UNAUTHORIZED: "403"}
    if status in known:
        return _page(request, status, f"problem.{known[status]}", f"problem.{known[status]}_text", detail)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        heading = "problem.409" if status is HTTPStatus.CONFLICT else "problem.422"
        return _page(request, status, heading, f"{heading}_text", detail, plainly=True)
    return _page(request, status, "problem.500", "problem.500_text", detail)


def _page(
    request: Request[Any, Any, Any],
    status: HTTPStatus,
    heading: str,
    text: str,
    detail: str,
    *,
    plainly: bool = False,
) -> Response[bytes]:
    """`detail` is the server's own English, below the founder's sentence; `plainly` where it says what to do.

    A page that failed may be asked for again; anything else leads to Today.
    """
    frontend: Frontend = request.app.state.frontend
    known: Language | None = request.state.get("language")
    language = known or preferred(request.headers.get("accept-language", ""))
    words = frontend.words[language]
    broken, words_of_it = status >= HTTPStatus.INTERNAL_SERVER_ERROR, words(text)
    again = broken and request.method == "GET"
    values = {
        "title": words(heading),
        "heading": words(heading),
        "text": f"{words_of_it} {words('problem.number', number=detail)}" if broken and detail else words_of_it,
        "detail": "" if broken else detail,
        "plainly": plainly,
        "href": request.url.path if again else "/",
        "label": words("js.retry" if again else "to_today"),
    }
    template = "fragments/notice.html" if request.headers.get("x-fragment") == "1" else "problem.html"
    return html(request, frontend.door(template, language, now=clock.now(), **values), status=status)
