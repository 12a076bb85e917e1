"""`flr secret`: what workers may use and never see. The value is read from the terminal or standard input."""

import argparse
import getpass
import sys
from typing import Any

from app.cli.output import Commands, Failed, command, show
from app.cli.working import find_role
from app.settings import Settings


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "secret",
        secret,
        help="list, set and remove the vault's secrets",
        about="`flr secret set NAME` asks for the value, or reads it from standard input; it is sealed at once and "
        "never shown again. With --header and --host the HTTP tools of --role send it to these hosts.",
    )
    parser.add_argument("action", nargs="?", choices=("list", "set", "remove"), default="list")
    parser.add_argument("name", nargs="?", help="small letters, digits and _: stripe_key")
    parser.add_argument("--description", default="", help="what it is for")
    parser.add_argument("--header", help="the header in which the HTTP tools send it")
    parser.add_argument("--prefix", default="", help="what stands before it in the header: 'Bearer '")
    parser.add_argument("--host", action="append", default=[], help="host or host:port it is sent to (repeatable)")
    parser.add_argument("--role", action="append", default=[], help="a role that may use it (repeatable)")


def secret(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    with Api(settings) as api:
        if arguments.action == "list":
            found = api.get("/secrets")["items"]
            lines = [f"{item['name']:20} v{item['version']}  {item['description']}" for item in found]
            show(arguments, found, "\n".join(lines) or "The vault is empty.")
            return
        if not arguments.name:
            raise Failed(f"which secret? `flr secret {arguments.action} NAME`")
        if arguments.action == "remove":
            removed = api.delete(f"/secrets/{arguments.name}")
            show(arguments, removed, f"{removed['name']} is forgotten")
            return
        answer = api.put(f"/secrets/{arguments.name}", _new(api, arguments))
    show(arguments, answer, f"{answer['name']} is set, version {answer['version']}")


def _new(api: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "value": _value(arguments.name),
        "description": arguments.description,
        "header": arguments.header,
        "prefix": arguments.prefix,
        "hosts": arguments.host,
        "role_ids": [find_role(api, name)["id"] for name in arguments.role],
    }


def _value(name: str) -> str:
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.read().removesuffix("\n")
    if len(value) < 8:
        raise Failed("a secret has 8 signs or more: a shorter one cannot be blotted out of answers")
    return value
