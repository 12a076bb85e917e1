"""Secrets at the console: what is kept and for whom, setting one, forgetting one. No page ever shows a value."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.canon.errors import Invalid
from app.canon.vocabulary import Rol
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.role_registry import (
    NewSecret,
    Secret,
    list_secrets,
    remove_secret,
    secrets_of,
    set_secret,
    tool_servers,
    vault_keys,
)

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/secrets"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form as typed; the value is never shown again."""

    name: str = ""
    description: str = ""
    header: str = ""
    prefix: str = ""
    hosts: str = ""
    roles: tuple[str, ...] = ()


@get(HERE, include_in_schema=False)
async def secrets(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return await _secrets(await enter(request, tx), Wanted())


async def _secrets(visit: Visit, wanted: Wanted, problem: str = "") -> Page:
    attached = await tool_servers(visit.tx)
    return visit.page(
        "settings_secrets.html",
        status=422 if problem else 200,
        title=visit.words("secrets"),
        secrets=[
            (one, _users(visit, one), [found.server.name for found in attached if one.name in secrets_of(found.server)])
            for one in await list_secrets(visit.tx)
        ],
        person=visit.naming.person,
        founder=visit.founder.rol is Rol.FOUNDER,
        workers=[role for role in visit.roles if role.status != "retired"],
        form=wanted,
        problem=problem,
    )


def _users(visit: Visit, secret: Secret) -> list[str]:
    """The workers that it is sent for."""
    return [visit.naming.worker(role_id) or str(role_id) for role_id in secret.role_ids]


@post(HERE, status_code=303, include_in_schema=False)
async def set_it(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Seal a value; one of the same name is replaced."""
    visit = await enter(request, tx)
    roles = data.get("roles") or ()
    wanted = Wanted(
        name=str(data.get("name") or "").strip(),
        description=str(data.get("description") or "").strip(),
        header=str(data.get("header") or "").strip(),
        prefix=str(data.get("prefix") or ""),
        hosts=str(data.get("hosts") or ""),
        roles=(roles,) if isinstance(roles, str) else tuple(map(str, roles)),
    )
    try:
        new = msgspec.convert(_given(wanted, str(data.get("value") or "")), NewSecret)
        await set_secret(tx, wanted.name, new, vault_keys(request.app.state.settings.keys), visit.by)
    except msgspec.ValidationError:
        return await _secrets(visit, wanted, visit.words("secrets.problem"))
    except Invalid as error:
        return await _secrets(visit, wanted, visit.refused(error))
    return go(f"{HERE}#s-{wanted.name}")


def _given(wanted: Wanted, value: str) -> dict[str, object]:
    return {
        "value": value,
        "description": wanted.description,
        "header": wanted.header or None,
        "prefix": wanted.prefix,
        "hosts": wanted.hosts.replace(",", " ").lower().split(),
        "role_ids": list(wanted.roles),
    }


@post(f"{HERE}/{{name:str}}/remove", status_code=303, include_in_schema=False)
async def remove(request: Caller, tx: NamedDependency[Transaction], name: FromPath[str]) -> Redirect:
    visit = await enter(request, tx)
    await remove_secret(tx, name, visit.by)
    return go(HERE)


ROUTES = (secrets, set_it, remove)
