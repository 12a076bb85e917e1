"""`flr token`: a bearer token for the API, on the machine that holds its key."""

import argparse

from app.cli.output import Commands, command, show
from app.settings import Settings

ROLES = ("founder", "deputy", "operator", "auditor", "worker", "service")


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "token",
        token,
        help="print an API token",
        about='Print a bearer token for this machine\'s company: curl -H "Authorization: Bearer $(flr token)" ...',
    )
    parser.add_argument("--role", choices=ROLES, default="founder", help="whom it speaks for (default founder)")
    parser.add_argument("--for", dest="holder", help="with --role worker: the role whose tickets it may work on")
    parser.add_argument("--hours", type=float, default=12, help="how long it is valid (default 12)")

    parser.add_argument("--revoke", metavar="TOKEN", help="let this token, or the one of this jti, hold no more")
    parser.add_argument("--reason", default="", help="why (with --revoke)")


def token(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.revoke:
        _revoke(arguments, settings)
        return
    from app.auth import KeyMissing
    from app.canon.vocabulary import Rol
    from app.cli.client import company_of
    from app.cli.output import Failed

    founded = company_of(settings)
    seconds = int(arguments.hours * 3600)
    if not 60 <= seconds <= 366 * 86_400:
        raise Failed("--hours must be between a minute (0.02) and a year (8760)")
    try:
        holder = _role_id(arguments, settings)
        signed = founded.token(settings, Rol(arguments.role), seconds, sub=holder)
    except KeyMissing as error:
        raise Failed(str(error)) from error
    show(arguments, {"token": signed, "role": arguments.role, "tenant": str(founded.tenant)}, signed)


def _revoke(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    named = "token" if arguments.revoke.count(".") == 2 else "jti"
    with Api(settings) as api:
        revoked = api.post("/tokens/revoke", {named: arguments.revoke, "reason": arguments.reason})
    show(arguments, revoked, f"revoked {revoked['jti']}; every API process refuses it within two seconds")


def _role_id(arguments: argparse.Namespace, settings: Settings) -> str | None:
    if arguments.holder is None:
        return None
    from app.cli.client import Api
    from app.cli.output import Failed
    from app.cli.working import find_role

    if arguments.role != "worker":
        raise Failed("--for names the role of a worker's token: add --role worker")
    with Api(settings) as api:
        return str(find_role(api, arguments.holder)["id"])
