"""How commands speak to the running API: as the founder of this machine's company."""

import json
from types import TracebackType
from typing import Any, Self

import httpx

from app.cli.founding import Founded, NoCompany, read_founded
from app.cli.output import Failed
from app.settings import Settings


def company_of(settings: Settings) -> Founded:
    """The company of this machine. Raises `Failed` with what to do."""
    try:
        return read_founded(settings.home)
    except NoCompany as error:
        raise Failed(str(error)) from error


class Api:
    """The API of `settings.origin`'s port on this machine. Problems become `Failed` with the server's own words."""

    def __init__(self, settings: Settings) -> None:
        founded = company_of(settings)
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "", "::") else settings.host  # noqa: S104
        self._url = f"http://{host}:{settings.port}"
        self._http = httpx.Client(
            base_url=f"{self._url}/api/v1",
            headers={"Authorization": f"Bearer {founded.token(settings, ttl_seconds=300)}"},
            timeout=30,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._send("GET", path, params={name: value for name, value in params.items() if value is not None})

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        return self._send("POST", path, json=body, **kwargs)

    def patch(self, path: str, body: Any) -> Any:
        return self._send("PATCH", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        return self._send("DELETE", path)

    def attach(self, ticket_id: str, name: str, content: bytes, media_type: str, *, secret: bool = False) -> Any:
        files = {"file": (name, content, media_type)}
        return self._send("POST", f"/tickets/{ticket_id}/inputs", files=files, params={"secret": secret})

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            answer = self._http.request(method, path, **kwargs)
        except httpx.HTTPError as error:
            raise Failed(f"the API at {self._url} does not answer ({error}): start it with `flr serve`") from error
        if not answer.is_success:
            raise Failed(_detail(answer))
        return answer.json() if answer.content else None


def _detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except json.JSONDecodeError:
        return f"{answer.status_code} {answer.reason_phrase}"
    said = [str(problem.get("detail") or problem.get("title"))]
    said += [f"{item.get('key', '')}: {item.get('message', '')}" for item in problem.get("errors", [])]
    return "; ".join(said)
