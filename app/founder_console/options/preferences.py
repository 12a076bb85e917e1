"""Settings: language and theme, and the way to everything else that is a founder's own."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from app.canon.vocabulary import Rol
from app.founder_console import store
from app.founder_console.identity.sessions import cookie_header, read_cookie
from app.founder_console.model import Founder, Preferences
from app.founder_console.visits import Caller, enter, go
from app.postgres import Transaction

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
LANGUAGES = ("id", "en")
THEMES = ("auto", "light", "dark")


@get("/settings", include_in_schema=False)
async def settings(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    visit = await enter(request, tx)
    founder = visit.founder
    keys, codes = await store.fetch_passkeys(tx, founder.id), await store.count_codes(tx, founder.id)
    phones = await store.fetch_subscriptions(tx, founder.id)
    people = len(await store.fetch_founders(tx))
    return visit.page(
        "settings.html",
        title=visit.words("settings"),
        deputy=founder.rol is Rol.DEPUTY,
        phones=len(phones),
        keys=len(keys),
        codes=codes,
        people=people,
    )


@post("/settings", status_code=303, include_in_schema=False)
async def save_settings(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Redirect:
    founder = (await enter(request, tx)).founder
    language, theme = data.get("language"), data.get("theme")
    wanted = preferred_by(
        founder,
        language=language if language in LANGUAGES else founder.language,
        theme=theme if theme in THEMES else founder.theme,
    )
    await store.update_preferences(tx, founder.id, wanted)
    return go("/settings")


def preferred_by(founder: Founder, **changes: Any) -> Preferences:
    """What the founder has chosen so far, with `changes`."""
    chosen = {name: getattr(founder, name) for name in Preferences.__struct_fields__}
    return Preferences(**{**chosen, **changes})


@post("/logout", status_code=303, include_in_schema=False)
async def log_out(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    """End the session; what the browser kept of the company goes too."""
    found = read_cookie(request)
    if found is not None:
        await store.revoke_session(tx, found[1])
    answer = go("/login")
    answer.headers["set-cookie"] = cookie_header(request.app.state.settings.origin, "", max_age=0)
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


ROUTES = (settings, save_settings, log_out)
